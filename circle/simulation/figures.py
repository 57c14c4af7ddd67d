"""What a life came to, month by month: from the rows of billing, after the end."""

from dataclasses import dataclass

from sqlalchemy import text

from circle.simulation.days import START, Life

_MONEY = text("""
    WITH months AS (
        SELECT generate_series(CAST(:first AS timestamptz), CAST(:now AS timestamptz), interval '1 month') AS begins
    )
    SELECT to_char(begins AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
        coalesce((SELECT sum(a.received) FROM payment_attempts a
            WHERE a.status = 'succeeded' AND NOT a.surplus AND a.settled_at >= begins
              AND a.settled_at < begins + interval '1 month'), 0)::bigint AS revenue,
        count(i.id) FILTER (WHERE i.kind = 'renewal') AS renewals,
        count(i.id) FILTER (WHERE i.kind = 'renewal' AND EXISTS (
            SELECT FROM payment_attempts a WHERE a.invoice_id = i.id AND a.status = 'failed')) AS recovered,
        (SELECT count(*) FROM refunds r WHERE r.status = 'succeeded' AND NOT r.surplus AND r.settled_at >= begins
            AND r.settled_at < begins + interval '1 month') AS refunds,
        coalesce((SELECT sum(r.amount) FROM refunds r WHERE r.status = 'succeeded' AND NOT r.surplus
            AND r.settled_at >= begins AND r.settled_at < begins + interval '1 month'), 0)::bigint AS given_back,
        coalesce((SELECT sum(p.amount) FROM payouts p WHERE p.status = 'succeeded' AND p.settled_at >= begins
            AND p.settled_at < begins + interval '1 month'), 0)::bigint AS paid_out
    FROM months LEFT JOIN invoices i ON i.paid_at >= begins AND i.paid_at < begins + interval '1 month'
    GROUP BY begins ORDER BY begins
""")


@dataclass(frozen=True, slots=True)
class Month:
    """One month's figures; amounts in minor units, `recovered` are renewals paid after a charge had failed."""

    month: str
    members: int
    joined: int
    left: int
    revenue: int
    renewals: int
    recovered: int
    refunds: int
    given_back: int
    paid_out: int

    @property
    def churn(self) -> float:
        """Return how many of those who were there left, in per cent."""
        there = self.members + self.left
        return 100 * self.left / there if there else 0.0


def figures(life: Life) -> list[Month]:
    """Return the months that were lived so far."""
    with life.scene.units.read() as uow:
        rows = uow.session.execute(_MONEY, {"first": START, "now": uow.now}).mappings().all()
    return [
        Month(members=tally.members, joined=tally.joined, left=tally.left, **row)
        for row, tally in zip(rows, life.tallies, strict=True)
    ]
