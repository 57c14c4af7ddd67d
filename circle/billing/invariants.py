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
        "the clearing account equals what providers took and gave back",
        """
        WITH moved AS (
            SELECT a.provider, a.received_currency AS currency, a.received AS amount
            FROM payment_attempts a WHERE a.status = 'succeeded'
            UNION ALL
            SELECT a.provider, r.currency, -r.amount
            FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id WHERE r.status = 'succeeded'
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
        "no payment or refund is without an answer for more than a day",
        """
        SELECT number FROM payment_attempts
        WHERE status IN ('created', 'processing') AND created_at < :now - interval '1 day'
        UNION ALL
        SELECT number FROM refunds
        WHERE status IN ('pending', 'processing') AND created_at < :now - interval '1 day'
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
)


def violations(uow: UnitOfWork) -> list[str]:
    """Return every broken rule with the first few things that break it."""
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
