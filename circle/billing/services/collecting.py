"""Collecting renewals: attempts for what is due, and what is due and can't simply be charged."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Uuid, any_, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt, PaymentMethod, Subscription
from circle.billing.renewal_sql import OPEN_ATTEMPTS
from circle.billing.rules import GRACE
from circle.billing.services.checkouts import void_unpaid
from circle.billing.services.locks import lock_each
from circle.billing.services.outcomes import settle_free
from circle.billing.services.renewing import extend_grace, grace, notice_of
from circle.billing.states import InvoiceStatus, SubscriptionStatus
from circle.circles.models import Price
from circle.circles.terms import months_after, months_of
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

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


def collect_odd(uow: UnitOfWork, invoice_ids: Sequence[UUID]) -> list[UUID]:
    """Do what such renewals need, in some statements for all; return those that are left, to be done one by one."""
    found = uow.session.execute(
        select(Invoice.id, Invoice.membership_id).where(Invoice.id == any_(literal(list(invoice_ids), ARRAY(Uuid()))))
    ).all()
    memberships = lock_each(uow, Membership, {row.membership_id for row in found if row.membership_id})
    invoices = [
        one
        for one in lock_each(uow, Invoice, {row.id for row in found}).values()
        if one.status == InvoiceStatus.OPEN and one.charge_at is not None and one.charge_at <= uow.now
    ]
    left = [one for one in invoices if not one.amount] if len(found) > 1 else []
    due = [one for one in invoices if one not in left]
    subscriptions = lock_each(uow, Subscription, {one.subscription_id for one in due if one.subscription_id})
    owed = [(one, subscriptions[one.subscription_id]) for one in due if one.subscription_id]
    tried = _tried(uow, due)
    late = [
        (invoice, subscription)
        for invoice, subscription in owed
        if invoice.covered_until is not None and invoice.covered_until <= uow.now and invoice.id not in tried
    ]
    for invoice, subscription in late:
        _catch_up(uow, invoice, subscription)
    uow.session.flush()
    extend_grace(uow, [grace(uow, memberships[s.membership_id], invoice, s.tier_id) for invoice, s in late])
    for invoice in due:
        if not (invoice.amount or settle_free(uow, invoice)):
            void_unpaid(uow, invoice)
    _ask_for_methods(uow, [(invoice, subscription) for invoice, subscription in owed if invoice.amount])
    return [one.id for one in left]


def _ask_for_methods(uow: UnitOfWork, owed: Sequence[tuple[Invoice, Subscription]]) -> None:
    """Stop trying where there is nothing to charge, and say so."""
    usable = _usable(uow, {subscription.payment_method_id for _, subscription in owed} - {None})
    failed = list[events.FailedRenewal]()
    for invoice, subscription in owed:
        if subscription.payment_method_id not in usable:
            invoice.charge_at = None
            about = (invoice.id, invoice.circle_id, invoice.payer_id, invoice.amount, invoice.currency)
            failed.append(events.FailedRenewal(*about, "no_payment_method", again=False))
    if failed:
        uow.emit(events.RenewalsFailed(tuple(failed)))


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


def _tried(uow: UnitOfWork, invoices: Sequence[Invoice]) -> set[UUID]:
    ids = literal([one.id for one in invoices], ARRAY(Uuid()))
    return set(uow.session.scalars(select(PaymentAttempt.invoice_id).where(PaymentAttempt.invoice_id == any_(ids))))


def _usable(uow: UnitOfWork, method_ids: Collection[UUID | None]) -> set[UUID]:
    ids = literal(list(method_ids), ARRAY(Uuid()))
    usable = select(PaymentMethod.id).where(PaymentMethod.id == any_(ids), PaymentMethod.removed_at.is_(None))
    return set(uow.session.scalars(usable))
