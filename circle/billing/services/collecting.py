"""Collecting renewals: attempts for what is due, and what is due and can't simply be charged."""

from uuid import UUID

from sqlalchemy import exists, or_, select

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt, PaymentMethod, Subscription
from circle.billing.renewal_sql import OPEN_ATTEMPTS
from circle.billing.rules import GRACE
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.services.outcomes import settle_free
from circle.billing.services.renewing import extend_grace, notice_of
from circle.billing.states import InvoiceStatus, SubscriptionStatus
from circle.circles.models import Price
from circle.circles.terms import months_after, months_of
from circle.kernel.uow import UnitOfWork

JOB = "billing.charge"
# First charges, and tries after a failed one.
AT_THE_END_OF_A_TERM = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)
OVERDUE = (SubscriptionStatus.PAST_DUE,)


def open_attempts(uow: UnitOfWork, statuses: tuple[SubscriptionStatus, ...], *, limit: int) -> int:
    """Open a payment attempt for every renewal whose time to charge has come; return how many."""
    params = {"now": uow.now, "notice": notice_of(uow), "statuses": [one.value for one in statuses], "limit": limit}
    opened = len(uow.session.execute(OPEN_ATTEMPTS, params).all())
    if opened:
        uow.ring(JOB)
    return opened


def odd_ones(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return renewals that are due and that `open_attempts` leaves out: free, without a method, or long overdue."""
    usable = exists().where(PaymentMethod.id == Subscription.payment_method_id, PaymentMethod.removed_at.is_(None))
    tried = exists().where(PaymentAttempt.invoice_id == Invoice.id)
    due = (
        select(Invoice.id)
        .join(Subscription, Subscription.id == Invoice.subscription_id)
        .where(
            Invoice.status == InvoiceStatus.OPEN,
            Invoice.charge_at <= uow.now,
            Invoice.kind == InvoiceKind.RENEWAL,
            or_(Invoice.amount == 0, ~usable, (Invoice.covered_until <= uow.now) & ~tried),
        )
        .order_by(Invoice.charge_at)
        .limit(limit)
    )
    return list(uow.session.scalars(due))


def collect_odd(uow: UnitOfWork, invoice_id: UUID) -> bool:
    """Do what one such renewal needs; return whether that was anything."""
    invoice = lock_invoice(uow, invoice_id)
    if invoice.status != InvoiceStatus.OPEN or invoice.charge_at is None or invoice.charge_at > uow.now:
        return False
    subscription = lock(uow, Subscription, invoice.subscription_id)
    if invoice.covered_until is not None and invoice.covered_until <= uow.now and not _was_tried(uow, invoice):
        _catch_up(uow, invoice, subscription)
    if not invoice.amount:
        settle_free(uow, invoice)
    elif not _has_method(uow, subscription):
        invoice.charge_at = None
        about = (invoice.id, invoice.circle_id, invoice.payer_id, invoice.amount, invoice.currency)
        uow.emit(events.RenewalsFailed((events.FailedRenewal(*about, "no_payment_method", again=False),)))
    return True


def _catch_up(uow: UnitOfWork, invoice: Invoice, subscription: Subscription) -> None:
    """Move a renewal that nobody collected in its time to the present period; periods that passed are not billed."""
    price = uow.session.get_one(Price, invoice.price_id)
    months = months_of(price)
    is_first = subscription.anchor_at is None
    if is_first:
        subscription.anchor_at, subscription.anchor_months = uow.now, 0
        invoice.period_start = uow.now
    anchor, zone = subscription.anchor_at or uow.now, subscription.timezone
    step = 1
    while (ends_at := months_after(anchor, subscription.anchor_months + step * months, zone)) <= uow.now:
        invoice.period_start = ends_at
        step += 1
    invoice.period_no = subscription.period_no + step
    invoice.period_end = ends_at
    invoice.due_at = uow.now
    invoice.covered_until = uow.now + GRACE
    extend_grace(uow, invoice.id, subscription.membership_id, subscription.tier_id, ends_at=invoice.covered_until)


def _was_tried(uow: UnitOfWork, invoice: Invoice) -> bool:
    return bool(uow.session.scalar(select(exists().where(PaymentAttempt.invoice_id == invoice.id))))


def _has_method(uow: UnitOfWork, subscription: Subscription) -> bool:
    method_id = subscription.payment_method_id
    method = uow.session.get(PaymentMethod, method_id) if method_id else None
    return method is not None and method.removed_at is None
