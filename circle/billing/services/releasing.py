"""The creator's share: pending while it may be refunded without a reason, then available."""

from collections.abc import Sequence
from uuid import UUID

from circle.billing.models import Invoice
from circle.billing.services import ledger
from circle.billing.services.locks import lock_invoices
from circle.billing.states import EARNING
from circle.kernel.uow import UnitOfWork


def release_each(uow: UnitOfWork, invoice_ids: Sequence[UUID]) -> None:
    """Make what is left of invoices' money available, but of those that have to wait by now."""
    due = [one for one in lock_invoices(uow, invoice_ids) if _is_releasable(uow, one)]
    ledger.post_releases(uow, due)
    for invoice in due:
        invoice.released_at = uow.now


def _is_releasable(uow: UnitOfWork, invoice: Invoice) -> bool:
    is_over = invoice.refundable_until is not None and invoice.refundable_until <= uow.now
    return is_over and invoice.status in EARNING and invoice.released_at is None and not invoice.refunding
