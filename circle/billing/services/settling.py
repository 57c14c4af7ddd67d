"""The plain case of `outcomes.apply`, a batch in one statement: a renewal charged in time, exactly what was asked for.

Whatever is not plain (another amount, a closed invoice, a lapsed term, no seat, an open checkout, a row that somebody
else holds) is left to `apply`, row by row. A test compares what both leave behind.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import text

from circle.billing import events
from circle.billing.providers.base import Outcome, OutcomeState
from circle.billing.renewal_sql import MONTHS
from circle.config import Settings
from circle.kernel.money import BASIS_POINTS
from circle.kernel.uow import UnitOfWork

_ACCOUNTS = text("""
INSERT INTO ledger_accounts (id, kind, circle_id, provider, currency, balance)
SELECT uuid_v7(), wanted.kind, wanted.circle_id, wanted.provider, wanted.currency,
    CASE WHEN wanted.circle_id IS NOT NULL THEN 0 END
FROM (
    SELECT DISTINCT account.kind, account.circle_id, account.provider, a.currency
    FROM payment_attempts AS a JOIN invoices AS i ON i.id = a.invoice_id
    CROSS JOIN LATERAL (VALUES
        ('clearing', CAST(NULL AS uuid), a.provider), ('creator_pending', i.circle_id, NULL),
        ('platform_fee', NULL, NULL)
    ) AS account (kind, circle_id, provider)
    WHERE a.number = ANY (:numbers)
) AS wanted
WHERE NOT EXISTS (
    SELECT FROM ledger_accounts AS known WHERE known.kind = wanted.kind AND known.currency = wanted.currency
      AND (known.circle_id = wanted.circle_id OR known.circle_id IS NULL AND wanted.circle_id IS NULL)
      AND known.provider IS NOT DISTINCT FROM wanted.provider)
ON CONFLICT DO NOTHING
""")

_SETTLE = text(f"""
WITH told AS (
    SELECT * FROM unnest(CAST(:numbers AS text[]), CAST(:references AS text[]), CAST(:amounts AS bigint[]),
        CAST(:currencies AS text[])) AS told (number, reference, amount, currency)
), picked AS (
    SELECT a.id AS attempt_id, a.provider, a.payment_method_id, told.reference, told.amount, told.currency,
        i.id AS invoice_id, i.kind, i.period_no, i.period_start, i.period_end, i.tier_id, i.price_id,
        (2 * i.amount * :fee_bps + :all_of_it) / (2 * :all_of_it) AS fee,
        s.id AS subscription_id, s.circle_id, s.user_id, s.membership_id,
        s.anchor_months + (i.period_no - s.period_no) * {MONTHS.format(price="p")} AS months
    FROM told
    JOIN payment_attempts AS a ON a.number = told.number
    JOIN invoices AS i ON i.id = a.invoice_id
    JOIN subscriptions AS s ON s.id = i.subscription_id
    JOIN memberships AS m ON m.id = s.membership_id
    JOIN prices AS p ON p.id = i.price_id
    WHERE a.status = 'processing' AND (a.amount, a.currency) = (told.amount, told.currency)
      AND i.kind = 'renewal' AND i.status = 'open' AND i.covered_until >= :now
      AND (i.amount, i.currency) = (told.amount, told.currency)
      AND s.status IN ('active', 'past_due') AND s.anchor_at IS NOT NULL AND NOT s.cancel_at_period_end
      AND m.status = 'active'
      AND EXISTS (SELECT FROM seats WHERE seats.membership_id = m.id AND seats.tier_id = i.tier_id
                  AND seats.released_at IS NULL AND seats.held_until IS NULL)
      AND NOT EXISTS (SELECT FROM checkouts AS c WHERE c.invoice_id = i.id AND c.status = 'open')
    ORDER BY m.id
    FOR NO KEY UPDATE OF m, i, a, s SKIP LOCKED
), succeeded AS (
    UPDATE payment_attempts AS a SET status = 'succeeded', reference = coalesce(picked.reference, a.reference),
        received = picked.amount, received_currency = picked.currency, failure_code = NULL, retry = NULL, action = NULL,
        lease_until = NULL, settled_at = :now
    FROM picked WHERE a.id = picked.attempt_id
), paid AS (
    UPDATE invoices AS i SET status = 'paid', paid_at = :now, platform_fee = picked.fee,
        refundable_until = CAST(:now AS timestamptz) + make_interval(hours => :refund_window_hours)
    FROM picked WHERE i.id = picked.invoice_id
), granted AS (
    INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
        starts_at, ends_at, created_at)
    SELECT uuid_v7(), circle_id, user_id, membership_id, tier_id, 'invoice', invoice_id, period_start, period_end, :now
    FROM picked
), replaced AS (
    UPDATE grants AS g SET revoked_at = :now, revoked_for = 'paid'
    FROM picked WHERE g.source = 'grace' AND g.source_id = picked.invoice_id AND g.membership_id = picked.membership_id
      AND g.revoked_at IS NULL
), reviewed AS (
    UPDATE memberships AS m SET review_at = picked.period_end
    FROM picked WHERE m.id = picked.membership_id AND (m.review_at IS NULL OR m.review_at > picked.period_end)
), renewed AS (
    UPDATE subscriptions AS s SET status = 'active', anchor_months = picked.months, period_no = picked.period_no,
        current_period_start = picked.period_start, current_period_end = picked.period_end,
        tier_id = picked.tier_id, price_id = picked.price_id, next_price_id = nullif(s.next_price_id, picked.price_id),
        payment_method_id = coalesce(s.payment_method_id, picked.payment_method_id),
        renewal_open = false, canceled_at = NULL, ended_at = NULL, paused_at = NULL
    FROM picked WHERE s.id = picked.subscription_id
), posted AS (
    INSERT INTO ledger_transactions (id, kind, source_id, invoice_id, circle_id, at)
    SELECT uuid_v7(), 'payment', attempt_id, invoice_id, circle_id, :now FROM picked
    RETURNING id, source_id
), gained AS (
    INSERT INTO ledger_entries (transaction_id, account_id, currency, amount)
    SELECT posted.id, account.id, picked.currency, account.amount
    FROM posted JOIN picked ON picked.attempt_id = posted.source_id
    CROSS JOIN LATERAL (
        SELECT l.id, -picked.amount AS amount FROM ledger_accounts AS l
        WHERE l.circle_id IS NULL AND l.kind = 'clearing' AND l.provider = picked.provider
          AND l.currency = picked.currency
        UNION ALL
        SELECT l.id, picked.amount - picked.fee FROM ledger_accounts AS l
        WHERE l.circle_id = picked.circle_id AND l.kind = 'creator_pending' AND l.currency = picked.currency
        UNION ALL
        SELECT l.id, picked.fee FROM ledger_accounts AS l
        WHERE l.circle_id IS NULL AND l.kind = 'platform_fee' AND l.currency = picked.currency
    ) AS account
    WHERE account.amount <> 0
)
SELECT picked.*, a.number FROM picked JOIN payment_attempts AS a ON a.id = picked.attempt_id
""")  # noqa: S608 - our own words


def settle(uow: UnitOfWork, answers: Mapping[str, Outcome]) -> set[str]:
    """Apply the plain ones of what providers answered, by number; return the numbers that are done."""
    plain = _plain(answers)
    if not plain:
        return set()
    settings = uow.use(Settings)
    numbers = [number for number, _ in plain]
    uow.session.execute(_ACCOUNTS, {"numbers": numbers})
    rows = uow.session.execute(
        _SETTLE,
        {
            "numbers": numbers,
            "references": [outcome.reference for _, outcome in plain],
            "amounts": [outcome.amount for _, outcome in plain],
            "currencies": [outcome.currency for _, outcome in plain],
            "now": uow.now,
            "fee_bps": settings.platform_fee_bps,
            "all_of_it": BASIS_POINTS,
            "refund_window_hours": settings.refund_window_hours,
        },
    ).all()
    for row in rows:
        uow.emit(events.SubscriptionRenewed(row.subscription_id, row.invoice_id, row.circle_id, row.user_id))
        uow.emit(events.InvoicePaid(row.invoice_id, row.circle_id, row.user_id, row.kind, row.subscription_id))
    return {row.number for row in rows}


def _plain(answers: Mapping[str, Outcome]) -> Sequence[tuple[str, Outcome]]:
    return [
        (number, outcome)
        for number, outcome in answers.items()
        if outcome.state == OutcomeState.SUCCEEDED and outcome.amount is not None and outcome.currency is not None
    ]
