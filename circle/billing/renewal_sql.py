"""The statement that opens renewals: from due subscriptions to invoices and grace, one statement a batch.

Its dates are those of `circle.circles.terms`, counted in the subscription's own zone and multiplied from its anchor; a
test compares both over forty zones.
"""

from sqlalchemy import TextClause, text


def term_end(anchor: str, months: str, zone: str) -> str:
    """Return SQL for the instant so many months after an anchor, by the wall clock of a zone."""
    return f"((({anchor}) AT TIME ZONE {zone}) + make_interval(months => {months})) AT TIME ZONE {zone}"


# Whole calendar months from the anchor's month to that of another instant.
_ELAPSED = """
    (extract(year FROM moment AT TIME ZONE timezone) - extract(year FROM anchor AT TIME ZONE timezone))::int * 12
    + (extract(month FROM moment AT TIME ZONE timezone) - extract(month FROM anchor AT TIME ZONE timezone))::int
"""
# What a price lasts. 0: it is not counted in months, and does not renew.
MONTHS = "(CASE {price}.interval WHEN 'month' THEN 1 WHEN 'year' THEN 12 ELSE 0 END * {price}.interval_count)"
# Whose next period may be billed: what else a subscription `s`, its circle `c` and next price `p` need beside the day.
RENEWABLE = """
    NOT s.cancel_at_period_end AND c.closed_at IS NULL AND p.interval IN ('month', 'year')
    AND (s.status = 'active' OR s.status = 'trialing' AND s.collection = 'auto' AND s.payment_method_id IS NOT NULL)
    AND (s.collection = 'auto' OR s.current_period_end > :now - :past_due_for)
"""
NEXT_PRICE = "prices AS p ON p.id = coalesce(s.next_price_id, s.price_id)"

# Number as `invoicing.invoice_number` makes it: the day, and random letters that are not misread, the end of the id.
_NUMBER = """
    to_char(:now AT TIME ZONE 'UTC', 'YYYYMMDD') || translate(upper(right(id::text, 12)), '01ABCDEF', 'GHJKMNPQ')
"""

_OPEN_RENEWALS = f"""
WITH due AS (
    SELECT s.id AS subscription_id, s.circle_id, s.user_id, s.membership_id, s.tier_id AS present_tier_id, s.timezone,
        s.collection, s.period_no, s.current_period_end AS ends_at, s.status = 'trialing' AS is_trial,
        p.id AS price_id, p.tier_id, p.amount AS full_amount, p.currency, p.advance_percent, p.grace_percent,
        {MONTHS.format(price="p")} AS months, s.anchor_at, s.anchor_months
    FROM subscriptions AS s
    JOIN memberships AS m ON m.id = s.membership_id
    JOIN circles AS c ON c.id = s.circle_id
    JOIN {NEXT_PRICE}
    WHERE s.status IN ('trialing', 'active') AND NOT s.renewal_open AND {{which}}
    ORDER BY s.collection, s.current_period_end LIMIT :limit
    -- Nobody is waited for: whoever holds a row now is done at the next sweep.
    FOR NO KEY UPDATE OF s SKIP LOCKED FOR KEY SHARE OF m SKIP LOCKED
), counted AS (
    SELECT due.*, told.noticed_at, CASE WHEN collection = 'auto'
        THEN greatest(ends_at, told.noticed_at + :notice, :now) END AS charge_at
    FROM due
    -- Whoever was told of a charge, and changed their plan or their mind twice since, is not told anew.
    CROSS JOIN LATERAL (
        SELECT coalesce(min(v.noticed_at), :now) AS noticed_at FROM invoices AS v
        WHERE v.subscription_id = due.subscription_id AND v.kind = 'renewal' AND v.status = 'void'
          AND v.period_start = due.ends_at
    ) AS told
), anchored AS (
    -- A trial's paid time begins when it is charged; otherwise the anchor stays.
    SELECT *, coalesce(charge_at, ends_at) AS moment,
        CASE WHEN is_trial THEN coalesce(charge_at, ends_at) ELSE anchor_at END AS anchor,
        CASE WHEN is_trial THEN 0 ELSE anchor_months END AS months_before
    FROM counted
), skipping AS MATERIALIZED (
    -- Materialized, as what follows: what is reckoned here is used more than once.
    SELECT *, greatest(0, (({_ELAPSED}) - months_before) / months) AS whole FROM anchored
), placed AS MATERIALIZED (
    -- The period in which it will be charged: those that passed while nobody was billed are left out.
    SELECT uuid_v7() AS id, *, greatest(1, whole + CASE
        WHEN {term_end("anchor", "months_before + whole * months", "timezone")} > moment THEN 0 ELSE 1 END) AS step
    FROM skipping
), priced AS (
    -- What a period costs: the percentage of its phase, less what a coupon takes off. Both are rounded half up.
    SELECT placed.*, phase.amount - CASE
        WHEN d.id IS NULL OR d.until_period < period_no + step OR placed.price_id <> ALL (d.price_ids) THEN 0
        WHEN d.percent IS NOT NULL THEN (2 * phase.amount * d.percent + 100) / 200
        ELSE least(phase.amount, d.amount) END AS amount
    FROM placed
    CROSS JOIN LATERAL (
        SELECT (2 * full_amount * CASE WHEN collection = 'auto' OR ends_at > :now
            THEN advance_percent ELSE grace_percent END + 100) / 200 AS amount
    ) AS phase
    LEFT JOIN discounts AS d ON d.subscription_id = placed.subscription_id AND d.released_at IS NULL
), made AS (
    INSERT INTO invoices (id, number, kind, circle_id, payer_id, membership_id, subscription_id, price_id, tier_id,
        status, amount, currency, period_no, period_start, period_end,
        due_at, noticed_at, charge_at, remind_at, covered_until, platform_fee, refunded, refunding, created_at)
    SELECT id, {_NUMBER}, 'renewal', circle_id, user_id, membership_id, subscription_id, price_id, tier_id,
        'open', amount, currency, period_no + step,
        CASE WHEN step > 1 THEN {term_end("anchor", "months_before + (step - 1) * months", "timezone")}
            WHEN is_trial THEN anchor ELSE ends_at END,
        {term_end("anchor", "months_before + step * months", "timezone")},
        coalesce(charge_at, ends_at), CASE WHEN collection = 'auto' THEN noticed_at END, charge_at,
        CASE WHEN collection = 'manual' THEN (
            SELECT min(ends_at + make_interval(days => day)) FROM unnest(CAST(:reminder_days AS int[])) AS day
            WHERE ends_at + make_interval(days => day) > :now) END,
        coalesce(charge_at + :grace, ends_at), 0, 0, 0, :now
    FROM priced
    ON CONFLICT DO NOTHING
    RETURNING id, subscription_id, membership_id, circle_id, payer_id, amount, currency, charge_at, covered_until
), kept AS (
    -- Access goes on while the renewal is collected. Those whose access has lapsed already are let in one by one.
    INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
        starts_at, ends_at, created_at)
    SELECT uuid_v7(), made.circle_id, made.payer_id, made.membership_id, priced.present_tier_id, 'grace', made.id,
        priced.ends_at, made.covered_until, :now
    FROM made JOIN priced USING (subscription_id)
    WHERE priced.collection = 'auto' AND priced.ends_at > :now
), marked AS (
    UPDATE subscriptions AS s SET renewal_open = true FROM made WHERE s.id = made.subscription_id
)
SELECT made.*, priced.timezone, priced.ends_at, priced.collection, priced.present_tier_id
FROM made JOIN priced USING (subscription_id)
"""  # noqa: S608 - our own words

# Those whose day has come, by a range that one index alone has: any other would read all that are billed already.
OPEN_DUE_RENEWALS: TextClause = text(
    _OPEN_RENEWALS.format(
        which="s.collection >= :collection AND (s.collection, s.current_period_end) <= (:collection, :horizon)"
        f" AND {RENEWABLE}"
    )
)
# One, whenever it is asked for.
OPEN_ONE_RENEWAL: TextClause = text(_OPEN_RENEWALS.format(which="s.id = :subscription_id"))

# Open renewals whose time to charge has come → payment attempts. Nobody is charged who was not told in time.
OPEN_ATTEMPTS: TextClause = text("""
WITH due AS (
    SELECT i.id, i.amount, i.currency, m.id AS method_id, m.provider, m.reference
    FROM invoices AS i
    JOIN subscriptions AS s ON s.id = i.subscription_id
    JOIN circles AS c ON c.id = i.circle_id
    JOIN payment_methods AS m ON m.id = s.payment_method_id AND m.removed_at IS NULL
    WHERE i.status = 'open' AND i.charge_at <= :now AND i.noticed_at <= :now - :notice AND i.amount > 0
      AND s.collection = 'auto' AND s.status = ANY (:statuses) AND c.closed_at IS NULL
      AND NOT EXISTS (SELECT FROM payment_attempts AS a
                      WHERE a.invoice_id = i.id AND a.status IN ('created', 'processing', 'requires_action'))
      AND (i.covered_until > :now OR EXISTS (SELECT FROM payment_attempts AS a WHERE a.invoice_id = i.id))
    ORDER BY i.charge_at LIMIT :limit
    FOR NO KEY UPDATE OF i SKIP LOCKED
), named AS MATERIALIZED (
    SELECT uuid_v7() AS attempt_id, due.* FROM due
), opened AS (
    INSERT INTO payment_attempts (id, number, invoice_id, provider, payment_method_id, method_reference, on_session,
        amount, currency, status, lease_until, tries, surplus, created_at)
    SELECT attempt_id, replace(attempt_id::text, '-', ''), id, provider, method_id, reference, false,
        amount, currency, 'created', :now, 0, false, :now
    FROM named
    ON CONFLICT DO NOTHING
    RETURNING invoice_id
)
UPDATE invoices SET charge_at = NULL WHERE id IN (SELECT invoice_id FROM opened) RETURNING id
""")
