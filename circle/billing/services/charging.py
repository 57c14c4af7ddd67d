"""Claiming renewals to be charged, a batch in one statement."""

from sqlalchemy import text

from circle.billing.providers.base import Order
from circle.billing.services import breaker
from circle.billing.services.installation import original_providers
from circle.billing.services.leases import LEASE, Errand
from circle.billing.services.renewing import notice_of
from circle.kernel.uow import UnitOfWork

# The condition on the notice is here once more: whatever made the attempt, an unannounced charge is not sent.
_CLAIM = text("""
WITH due AS (
    SELECT a.id FROM payment_attempts AS a
    WHERE a.status = 'created' AND a.lease_until <= :now AND a.provider = ANY (:providers)
    ORDER BY a.lease_until, a.id LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE payment_attempts AS a
SET status = 'processing', tries = a.tries + 1, sent_at = :now, lease_until = :lease
FROM due, invoices AS i, circles AS c
WHERE a.id = due.id AND i.id = a.invoice_id AND c.id = i.circle_id
  AND i.status = 'open' AND i.noticed_at <= :now - :notice AND a.amount = i.amount
RETURNING a.number, a.provider, a.method_reference, a.amount, a.currency, c.name
""")


def claim_charges(uow: UnitOfWork, *, limit: int) -> list[Errand[Order]]:
    """Claim planned charges for sending, until their leases are over; each is sent once under its number."""
    wanted = {
        "now": uow.now,
        "providers": original_providers(uow),
        "limit": limit,
        "lease": uow.now + LEASE,
        "notice": notice_of(uow),
    }
    claimed = breaker.within_bounds(uow, lambda: uow.session.execute(_CLAIM, wanted).all())
    return [
        Errand(
            Order(
                number=row.number,
                provider=row.provider,
                method=row.method_reference,
                amount=row.amount,
                currency=row.currency,
                description=row.name,
                return_url="",
                on_session=False,
            )
        )
        for row in claimed
    ]
