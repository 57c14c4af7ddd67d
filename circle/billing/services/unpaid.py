"""What is open on a subscription, given up before its plan or its term changes: it will be billed anew."""

from uuid import UUID

from sqlalchemy import exists, select

from circle.billing.errors import PaymentUnderWay
from circle.billing.models import Invoice, PaymentAttempt
from circle.billing.services.checkouts import void_unpaid
from circle.billing.services.locks import lock_invoice
from circle.billing.states import AttemptStatus, InvoiceStatus
from circle.kernel.uow import UnitOfWork

# The provider may have the money, or get it from the payer any moment.
_SENT = (AttemptStatus.PROCESSING, AttemptStatus.REQUIRES_ACTION)


def give_up_unpaid(uow: UnitOfWork, subscription_id: UUID, *, kind: str | None = None) -> None:
    """Void what is open on a subscription whose membership is locked, of one kind or all. Errors: PaymentUnderWay."""
    unpaid = select(Invoice.id).where(Invoice.subscription_id == subscription_id, Invoice.status == InvoiceStatus.OPEN)
    if kind is not None:
        unpaid = unpaid.where(Invoice.kind == kind)
    for invoice_id in uow.session.scalars(unpaid.order_by(Invoice.id)).all():
        invoice = lock_invoice(uow, invoice_id)
        if uow.session.scalar(
            select(exists().where(PaymentAttempt.invoice_id == invoice.id, PaymentAttempt.status.in_(_SENT)))
        ):
            raise PaymentUnderWay
        void_unpaid(uow, invoice)
