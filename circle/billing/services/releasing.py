"""The creator's share: pending while it may be refunded without a reason, then available."""

from uuid import UUID

from circle.billing.services import ledger
from circle.billing.services.locks import lock_invoice
from circle.billing.states import EARNING
from circle.kernel.uow import UnitOfWork


def release(uow: UnitOfWork, invoice_id: UUID) -> bool:
    """Make what is left of an invoice's money available; False while that has to wait."""
    invoice = lock_invoice(uow, invoice_id)
    if invoice.status not in EARNING or invoice.released_at is not None or invoice.refunding:
        return False
    if invoice.refundable_until is None or invoice.refundable_until > uow.now:
        return False
    ledger.post_release(uow, invoice)
    invoice.released_at = uow.now
    return True
