"""What follows a charge that did not go through, and what brings the next one."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt, Subscription
from circle.billing.providers.base import Retry
from circle.billing.rules import RETRY_DAYS
from circle.billing.services.locks import lock
from circle.billing.services.reminding import warn_before_grace_ends
from circle.billing.services.terms import subscription_of
from circle.billing.states import SUBSCRIPTION, InvoiceStatus, SubscriptionStatus
from circle.kernel.uow import UnitOfWork

JOB = "billing.dun"
_S = SubscriptionStatus


def on_charge_failed(uow: UnitOfWork, invoice: Invoice, attempt: PaymentAttempt) -> None:
    """Plan the next try of a renewal that nobody was there to pay, and tell its payer."""
    if invoice.kind != InvoiceKind.RENEWAL or invoice.status != InvoiceStatus.OPEN or attempt.on_session:
        return
    if attempt.retry in {None, Retry.SOFT}:
        invoice.charge_at = _next_try(invoice.due_at, uow.now)
    warn_before_grace_ends(invoice)
    subscription = lock(uow, Subscription, subscription_of(invoice))
    if subscription.status in {_S.ACTIVE, _S.TRIALING}:
        subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.PAST_DUE)
    uow.emit(
        events.RenewalFailed(
            invoice.id,
            invoice.circle_id,
            invoice.payer_id,
            invoice.amount,
            invoice.currency,
            attempt.failure_code or "unknown",
            again=invoice.charge_at is not None,
        )
    )


def _next_try(due_at: datetime, now: datetime) -> datetime | None:
    """Return the first day of trying again that is still to come; None after the last."""
    return next((due_at + timedelta(days=day) for day in RETRY_DAYS if due_at + timedelta(days=day) > now), None)


def try_again(uow: UnitOfWork, method_ids: list[UUID]) -> None:
    """Charge overdue renewals at once whose payment method is new, or points at another card."""
    overdue = select(Subscription.id).where(
        Subscription.payment_method_id.in_(method_ids), Subscription.status == _S.PAST_DUE
    )
    found = uow.session.execute(
        update(Invoice)
        .where(
            Invoice.subscription_id.in_(overdue),
            Invoice.kind == InvoiceKind.RENEWAL,
            Invoice.status == InvoiceStatus.OPEN,
            Invoice.due_at <= uow.now,
        )
        .values(charge_at=uow.now)
        .returning(Invoice.id)
    ).all()
    if found:
        uow.ring(JOB)
