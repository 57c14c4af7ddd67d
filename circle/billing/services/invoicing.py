"""Invoices that one person is asked to pay; renewals by themselves are opened in batches (`renewal_sql.py`)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from circle.billing.models import Invoice, Subscription
from circle.billing.states import InvoiceStatus
from circle.circles.models import Price
from circle.kernel.ids import new_code, new_id
from circle.kernel.uow import UnitOfWork


def invoice_number(now: datetime) -> str:
    """Return a number that people can read out: the day and ten random letters."""
    return f"{now:%Y%m%d}{new_code(10)}"


def invoice_period(
    uow: UnitOfWork,
    kind: str,
    subscription: Subscription,
    price: Price,
    *,
    amount: int,
    ends_at: datetime | None,
    period_no: int | None = None,
    subject_id: UUID | None = None,
) -> Invoice:
    """Ask for a period of a subscription that starts now; without an end it is for life."""
    return _open(
        uow,
        kind=kind,
        circle_id=subscription.circle_id,
        payer_id=subscription.user_id,
        membership_id=subscription.membership_id,
        subscription_id=subscription.id,
        subject_id=subject_id,
        price_id=price.id,
        tier_id=price.tier_id,
        amount=amount,
        currency=price.currency,
        period_no=period_no,
        period_start=uow.now,
        period_end=ends_at,
    )


def invoice_once(
    uow: UnitOfWork,
    kind: str,
    subject_id: UUID,
    *,
    payer_id: UUID,
    circle_id: UUID,
    membership_id: UUID | None,
    amount: int,
    currency: str,
) -> Invoice:
    """Ask for something that is paid once, such as the answer to a question."""
    return _open(
        uow,
        kind=kind,
        circle_id=circle_id,
        payer_id=payer_id,
        membership_id=membership_id,
        subject_id=subject_id,
        amount=amount,
        currency=currency,
    )


def _open(uow: UnitOfWork, **what: Any) -> Invoice:
    invoice = Invoice(
        id=new_id(),
        number=invoice_number(uow.now),
        status=InvoiceStatus.OPEN,
        due_at=uow.now,
        created_at=uow.now,
        **what,
    )
    uow.session.add(invoice)
    uow.session.flush()
    return invoice
