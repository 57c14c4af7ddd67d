"""Single charges for things of other rooms, such as a paid question."""

from uuid import UUID

from sqlalchemy import select

from circle.billing.errors import ChargedAlready
from circle.billing.models import Checkout, Invoice
from circle.billing.services.checkouts import CHECKOUT_LIFE, open_checkout
from circle.billing.services.invoicing import invoice_once
from circle.billing.states import InvoiceStatus
from circle.kernel.money import require_amount
from circle.kernel.uow import UnitOfWork


def start_charge(
    uow: UnitOfWork,
    *,
    payer_id: UUID,
    circle_id: UUID,
    membership_id: UUID | None,
    kind: str,
    subject_id: UUID,
    amount: int,
    currency: str,
) -> Checkout:
    """Ask somebody to pay once for `subject_id`; asking again returns the same checkout.

    When it is paid `InvoicePaid(kind, subject_id)` is emitted, when nobody paid in time `CheckoutExpired`.
    Errors: ChargedAlready, Invalid (amount).
    """
    require_amount(amount)
    earlier = invoice_for(uow, kind, subject_id)
    if earlier is not None:
        if earlier.status != InvoiceStatus.OPEN:
            raise ChargedAlready
        return uow.session.scalars(select(Checkout).where(Checkout.invoice_id == earlier.id)).one()
    invoice = invoice_once(
        uow,
        kind,
        subject_id,
        payer_id=payer_id,
        circle_id=circle_id,
        membership_id=membership_id,
        amount=amount,
        currency=currency,
    )
    return open_checkout(uow, invoice, expires_at=uow.now + CHECKOUT_LIFE)


def invoice_for(uow: UnitOfWork, kind: str, subject_id: UUID) -> Invoice | None:
    """Return the invoice of a subject that is not void; None where there is none."""
    return uow.session.scalar(
        select(Invoice).where(
            Invoice.kind == kind, Invoice.subject_id == subject_id, Invoice.status != InvoiceStatus.VOID
        )
    )
