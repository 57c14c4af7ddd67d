"""What must always hold of money, as one list: the last line of every billing test, `circle doctor`, a metric.

Each statement selects what breaks the rule, by a name that a person can look up; `:now` is the present.
"""

from dataclasses import dataclass

from sqlalchemy import text

from circle.kernel.uow import UnitOfWork, Units

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule in plain words and the statement that finds what breaks it."""

    rule: str
    sql: str


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "a paid invoice has exactly one payment that was kept",
        """
        SELECT i.number FROM invoices i
        WHERE i.status IN ('paid', 'partially_refunded', 'refunded') AND i.amount > 0
          AND 1 <> (SELECT count(*) FROM payment_attempts a
                    WHERE a.invoice_id = i.id AND a.status = 'succeeded' AND NOT a.surplus)
        """,
    ),
    Invariant(
        "a payment that was kept has a paid invoice",
        """
        SELECT a.number FROM payment_attempts a JOIN invoices i ON i.id = a.invoice_id
        WHERE a.status = 'succeeded' AND NOT a.surplus
          AND (i.status NOT IN ('paid', 'partially_refunded', 'refunded')
               OR (a.received, a.received_currency) IS DISTINCT FROM (i.amount, i.currency))
        """,
    ),
    Invariant(
        "a paid period has exactly one grant",
        """
        SELECT i.number FROM invoices i
        WHERE i.status IN ('paid', 'partially_refunded', 'refunded') AND i.period_no IS NOT NULL
          AND 1 <> (SELECT count(*) FROM grants g WHERE g.source = 'invoice' AND g.source_id = i.id)
        """,
    ),
    Invariant(
        "what was given back in full grants nothing",
        """
        SELECT i.number FROM invoices i JOIN grants g ON g.source = 'invoice' AND g.source_id = i.id
        WHERE i.status = 'refunded' AND g.revoked_at IS NULL
        """,
    ),
    Invariant(
        "an invoice knows its refunds",
        """
        SELECT i.number FROM invoices i LEFT JOIN refunds r ON r.invoice_id = i.id AND NOT r.surplus
        GROUP BY i.id
        HAVING i.refunded <> coalesce(sum(r.amount) FILTER (WHERE r.status = 'succeeded'), 0)
            OR i.refunding <> coalesce(sum(r.amount) FILTER (WHERE r.status IN ('pending', 'processing')), 0)
            OR i.refunded + i.refunding > i.amount
        """,
    ),
    Invariant(
        "money that paid for nothing goes back",
        """
        SELECT a.number FROM payment_attempts a
        WHERE a.surplus AND a.received > 0
          AND a.received <> (SELECT coalesce(sum(r.amount), 0) FROM refunds r
                             WHERE r.attempt_id = a.id AND r.surplus AND r.status <> 'failed')
        """,
    ),
    Invariant(
        "every ledger transaction sums to zero",
        """
        SELECT t.id FROM ledger_transactions t LEFT JOIN ledger_entries e ON e.transaction_id = t.id
        GROUP BY t.id, e.currency HAVING coalesce(sum(e.amount), 0) <> 0
        """,
    ),
    Invariant(
        "every balance equals its entries",
        """
        SELECT a.id FROM ledger_accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id
        WHERE a.balance IS NOT NULL
        GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)
        """,
    ),
    Invariant(
        "the clearing account equals what providers took, gave back and paid out",
        """
        WITH moved AS (
            SELECT a.provider, a.received_currency AS currency, a.received AS amount
            FROM payment_attempts a WHERE a.status = 'succeeded'
            UNION ALL
            SELECT a.provider, r.currency, -r.amount
            FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id WHERE r.status = 'succeeded'
            UNION ALL
            SELECT coalesce(p.provider, 'by_hand'), p.currency, -p.amount FROM payouts p WHERE p.status = 'succeeded'
            UNION ALL
            SELECT l.provider, l.currency, e.amount
            FROM ledger_accounts l JOIN ledger_entries e ON e.account_id = l.id WHERE l.kind = 'clearing'
        )
        SELECT provider || ' ' || currency FROM moved GROUP BY provider, currency HAVING sum(amount) <> 0
        """,
    ),
    Invariant(
        "the sandbox's books and ours agree",
        """
        SELECT coalesce(s.number, a.number)
        FROM (SELECT * FROM sandbox_charges WHERE state = 'succeeded') s
        FULL JOIN (SELECT * FROM payment_attempts WHERE provider = 'sandbox') a ON a.number = s.number
        WHERE (a.status IS NULL OR a.status NOT IN ('created', 'processing', 'requires_action'))
          AND (coalesce(a.status, '') = 'succeeded') IS DISTINCT FROM (s.number IS NOT NULL)
           OR a.status = 'succeeded' AND (a.received, a.received_currency) IS DISTINCT FROM (s.amount, s.currency)
        """,
    ),
    Invariant(
        "what the sandbox holds for us equals its clearing account",
        """
        WITH held AS (
            SELECT s.currency, s.amount FROM sandbox_charges s
            JOIN payment_attempts a ON a.number = s.number AND a.status = 'succeeded' WHERE s.state = 'succeeded'
            UNION ALL
            SELECT s.currency, -s.amount FROM sandbox_refunds s
            JOIN refunds r ON r.number = s.number AND r.status = 'succeeded' WHERE s.state = 'succeeded'
            UNION ALL
            SELECT s.currency, -s.amount FROM sandbox_payouts s
            JOIN payouts p ON p.number = s.number AND p.status = 'succeeded' WHERE s.state = 'succeeded'
            UNION ALL
            SELECT l.currency, e.amount FROM ledger_accounts l JOIN ledger_entries e ON e.account_id = l.id
            WHERE l.kind = 'clearing' AND l.provider = 'sandbox'
        )
        SELECT currency FROM held GROUP BY currency HAVING sum(amount) <> 0
        """,
    ),
    Invariant(
        "a payout's money is where its state says",
        """
        SELECT p.number FROM payouts p
        LEFT JOIN ledger_transactions t ON t.source_id = p.id
        LEFT JOIN ledger_entries e ON e.transaction_id = t.id
        LEFT JOIN ledger_accounts l ON l.id = e.account_id
        GROUP BY p.id
        HAVING coalesce(sum(e.amount) FILTER (WHERE l.kind = 'creator_available'), 0)
               <> CASE WHEN p.status IN ('failed', 'canceled') THEN 0 ELSE -p.amount END
            OR coalesce(sum(e.amount) FILTER (WHERE l.kind = 'creator_payout'), 0)
               <> CASE WHEN p.status IN ('requested', 'approved', 'in_transit') THEN p.amount ELSE 0 END
            OR coalesce(sum(e.amount) FILTER (WHERE l.kind = 'clearing'), 0)
               <> CASE WHEN p.status = 'succeeded' THEN p.amount ELSE 0 END
        """,
    ),
    Invariant(
        "no payment, refund or payout is without an answer for more than a day",
        """
        SELECT number FROM payment_attempts
        WHERE status IN ('created', 'processing') AND created_at < :now - interval '1 day'
        UNION ALL
        SELECT number FROM refunds
        WHERE status IN ('pending', 'processing') AND created_at < :now - interval '1 day'
        UNION ALL
        SELECT number FROM payouts WHERE status = 'in_transit' AND sent_at < :now - interval '1 day'
        """,
    ),
    Invariant(
        "nobody is left in a term that is long over",
        """
        SELECT s.id FROM subscriptions s
        WHERE s.status IN ('trialing', 'active') AND s.current_period_end < :now - interval '10 minutes'
        """,
    ),
    Invariant(
        "nobody is past due for longer than their last retry takes",
        """
        SELECT s.id FROM subscriptions s
        WHERE s.status = 'past_due' AND s.current_period_end < :now - interval '8 days 10 minutes'
          AND NOT EXISTS (SELECT FROM invoices i WHERE i.subscription_id = s.id AND i.kind = 'renewal'
                          AND i.status = 'open' AND i.due_at > :now - interval '8 days 10 minutes')
        """,
    ),
    Invariant(
        "a subscription knows whether its next term waits for money",
        """
        SELECT s.id FROM subscriptions s
        WHERE s.renewal_open <> EXISTS (SELECT FROM invoices i WHERE i.subscription_id = s.id
                                        AND i.kind = 'renewal' AND i.status = 'open')
        """,
    ),
    Invariant(
        "nobody was charged by itself without being told before",
        """
        SELECT a.number FROM payment_attempts a JOIN invoices i ON i.id = a.invoice_id
        WHERE i.kind = 'renewal' AND NOT a.on_session AND a.sent_at IS NOT NULL
          AND (i.noticed_at IS NULL OR i.noticed_at >= a.sent_at)
        """,
    ),
    Invariant(
        "grace ends with the renewal that it waits for",
        """
        SELECT i.number FROM invoices i JOIN grants g ON g.source = 'grace' AND g.source_id = i.id
        WHERE i.status IN ('void', 'uncollectible') AND g.revoked_at IS NULL
        """,
    ),
    Invariant(
        "terms are counted from their anchor",
        """
        SELECT s.id FROM subscriptions s
        WHERE s.anchor_months > 0
          -- Not to the hour: PostgreSQL and Python carry zone data of their own, of different years.
          AND abs(extract(epoch FROM s.current_period_end - (
              (s.anchor_at AT TIME ZONE s.timezone) + make_interval(months => s.anchor_months)
          ) AT TIME ZONE s.timezone)) > 12 * 3600
        """,
    ),
    Invariant(
        "a running subscription has its term paid, or is a trial",
        """
        SELECT s.id FROM subscriptions s
        WHERE s.status = 'active'
          AND NOT EXISTS (SELECT FROM invoices i WHERE i.subscription_id = s.id AND i.period_no = s.period_no
                          AND i.status IN ('paid', 'partially_refunded'))
        """,
    ),
    Invariant(
        "nothing is owed for a subscription that has ended",
        """
        SELECT i.number FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id
        WHERE i.status = 'open' AND s.status IN ('canceled', 'expired')
        """,
    ),
    Invariant(
        "an open checkout has an open invoice",
        """
        SELECT i.number FROM checkouts c JOIN invoices i ON i.id = c.invoice_id
        WHERE (c.status = 'open') <> (i.status = 'open')
        """,
    ),
    Invariant(
        "a coupon is used as often as it is counted, and never more than it may be",
        """
        SELECT c.code FROM coupons c LEFT JOIN discounts d ON d.coupon_id = c.id AND d.released_at IS NULL
        WHERE c.max_uses IS NOT NULL GROUP BY c.id HAVING c.uses <> count(d.id) OR count(d.id) > c.max_uses
        """,
    ),
    Invariant(
        "a coupon whose checkout was never paid is free again",
        """
        SELECT d.id FROM discounts d JOIN subscriptions s ON s.id = d.subscription_id
        WHERE d.released_at IS NULL AND s.status IN ('canceled', 'expired')
          AND s.anchor_at IS NULL AND s.trial_ends_at IS NULL
        """,
    ),
    Invariant(
        "a gift that was claimed grants once, any other nothing",
        """
        SELECT f.id FROM gifts f LEFT JOIN grants g ON g.source = 'gift' AND g.source_id = f.id
        GROUP BY f.id HAVING count(g.id) <> CASE WHEN f.claimed_by IS NULL THEN 0 ELSE 1 END
        """,
    ),
    Invariant(
        "a gift that was given back in full grants nothing",
        """
        SELECT f.id FROM gifts f JOIN invoices i ON i.id = f.invoice_id
        JOIN grants g ON g.source = 'gift' AND g.source_id = f.id
        WHERE i.status = 'refunded' AND g.revoked_at IS NULL
        """,
    ),
    Invariant(
        "an upgrade costs what was quoted, and grants once",
        """
        SELECT i.number FROM invoices i JOIN quotes q ON q.id = i.subject_id
        WHERE i.kind = 'upgrade' AND (i.amount <> q.due OR i.currency <> q.currency
            OR i.status IN ('paid', 'partially_refunded', 'refunded')
               AND 1 <> (SELECT count(*) FROM grants g WHERE g.source = 'invoice' AND g.source_id = i.id))
        """,
    ),
    Invariant(
        "nobody renews at a price that rose without their consent",
        """
        SELECT c.subscription_id FROM price_changes c
        JOIN price_campaigns p ON p.id = c.campaign_id AND p.rises AND NOT p.withdrawn
        JOIN subscriptions s ON s.id = c.subscription_id
        WHERE c.consented_at IS NULL AND c.outcome = 'moved'
        """,
    ),
)


def violations(uow: UnitOfWork) -> list[str]:
    """Return every broken rule with the first few things that break it. All books are read, however long that takes."""
    uow.session.execute(text("SET LOCAL statement_timeout = 0"))
    broken = []
    for one in INVARIANTS:
        rows = uow.session.execute(text(one.sql), {"now": uow.now} if ":now" in one.sql else {}).fetchmany(_SHOWN)
        if rows:
            broken.append(f"{one.rule}: {', '.join(str(row[0]) for row in rows)}")
    return broken


def money_adds_up(units: Units) -> str | None:
    """Check for `circle doctor`."""
    with units.read() as uow:
        return "; ".join(violations(uow)) or None
