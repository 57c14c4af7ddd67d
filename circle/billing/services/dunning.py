"""What follows a charge that did not go through, and what brings the next one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, Subscription
from circle.billing.providers.base import Retry
from circle.billing.rules import RETRY_DAYS
from circle.billing.services.payments import Payment
from circle.billing.services.reminding import warn_before_grace_ends
from circle.billing.states import SUBSCRIPTION, InvoiceStatus, SubscriptionStatus
from circle.kernel.uow import UnitOfWork

JOB = "billing.dun"
_S = SubscriptionStatus


def on_charges_failed(uow: UnitOfWork, payments: Sequence[Payment]) -> None:
    """Plan the next try of renewals that nobody was there to pay, and tell their payers."""
    failed = [told for payment in payments if (told := _plan_next_try(uow, payment)) is not None]
    if failed:
        uow.emit(events.RenewalsFailed(tuple(failed)))


def _plan_next_try(uow: UnitOfWork, payment: Payment) -> events.FailedRenewal | None:
    invoice, attempt, subscription = payment.invoice, payment.attempt, payment.subscription
    if attempt is None or attempt.on_session or subscription is None:
        return None
    if invoice.kind != InvoiceKind.RENEWAL or invoice.status != InvoiceStatus.OPEN:
        return None
    if attempt.retry in {None, Retry.SOFT}:
        invoice.charge_at = _next_try(invoice.due_at, uow.now)
    warn_before_grace_ends(invoice)
    if subscription.status in {_S.ACTIVE, _S.TRIALING}:
        subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.PAST_DUE)
    return events.FailedRenewal(
        invoice.id,
        invoice.circle_id,
        invoice.payer_id,
        invoice.amount,
        invoice.currency,
        attempt.failure_code or "unknown",
        again=invoice.charge_at is not None,
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
