"""Subscriptions: beginning a paid term, cancelling, and what ends them from outside."""

from uuid import UUID

from sqlalchemy import ColumnElement, exists, select

from circle.billing import policy
from circle.billing.models import Invoice, PaymentAttempt, Subscription
from circle.billing.services.checkouts import void_unpaid
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.states import LIVE, SUBSCRIPTION, InvoiceStatus, SubscriptionStatus
from circle.circles.models import Price
from circle.circles.terms import term_end
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import GrantSource, Membership
from circle.memberships.services.access import give_access

_RUNNING_OUT = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


def begin_first_term(uow: UnitOfWork, invoice: Invoice, attempt: PaymentAttempt) -> bool:
    """Start the term that a first invoice pays for, now; False where it can't be given any more.

    That is: the last seat went to somebody else after the hold ended, or a fixed end has passed.
    """
    subscription = lock(uow, Subscription, _subscription_of(invoice))
    price = uow.session.get_one(Price, subscription.price_id)
    ends_at = term_end(price, uow.now, 1, subscription.timezone)
    if subscription.status != SubscriptionStatus.INCOMPLETE or (ends_at is not None and ends_at <= uow.now):
        return False
    membership = uow.session.get_one(Membership, subscription.membership_id)
    try:
        with uow.session.begin_nested():
            give_access(
                uow,
                membership,
                tier_id=subscription.tier_id,
                source=GrantSource.INVOICE,
                source_id=invoice.id,
                starts_at=uow.now,
                ends_at=ends_at,
            )
    except SeatsTaken:
        return False
    subscription.status = SUBSCRIPTION.require(SubscriptionStatus.INCOMPLETE, SubscriptionStatus.ACTIVE)
    subscription.anchor_at = uow.now
    subscription.period_no = 1
    subscription.current_period_start = invoice.period_start = uow.now
    subscription.current_period_end = invoice.period_end = ends_at
    subscription.payment_method_id = attempt.payment_method_id
    return True


def _subscription_of(invoice: Invoice) -> UUID:
    if invoice.subscription_id is None:
        raise ValueError(f"invoice {invoice.number} belongs to no subscription")
    return invoice.subscription_id


def cancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Stop renewing: what is paid stays until its end, nothing more is charged. Errors: WrongState (it has ended)."""
    subscription = policy.require_own_subscription(uow, caller, subscription_id)
    _void_open_invoices(uow, subscription)
    subscription = lock(uow, Subscription, subscription_id)
    if subscription.status == SubscriptionStatus.CANCELED:
        return subscription
    _require_live(subscription)
    subscription.cancel_at_period_end = True
    subscription.canceled_at = subscription.canceled_at or uow.now
    if subscription.status == SubscriptionStatus.PAST_DUE:
        _end(uow, subscription, SubscriptionStatus.CANCELED)
    return subscription


def uncancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Take a cancellation back while the term still runs. Errors: WrongState."""
    policy.require_own_subscription(uow, caller, subscription_id)
    subscription = lock(uow, Subscription, subscription_id)
    _require_live(subscription)
    subscription.cancel_at_period_end = False
    subscription.canceled_at = None
    return subscription


def _require_live(subscription: Subscription) -> None:
    if subscription.status not in LIVE:
        raise WrongState(state=subscription.status)


def end_refunded(uow: UnitOfWork, invoice: Invoice) -> None:
    """End the subscription whose present term was given back in full."""
    if invoice.subscription_id is None:
        return
    subscription = lock(uow, Subscription, invoice.subscription_id)
    if invoice.period_no == subscription.period_no:
        _end(uow, subscription, SubscriptionStatus.CANCELED)


def cancel_for_membership(uow: UnitOfWork, membership_id: UUID) -> None:
    """End whatever would ask a membership for money, at once."""
    live = select(Subscription.id).where(Subscription.membership_id == membership_id, Subscription.status.in_(LIVE))
    for subscription_id in uow.session.scalars(live).all():
        _void_open_invoices(uow, uow.session.get_one(Subscription, subscription_id))
        _end(uow, lock(uow, Subscription, subscription_id), SubscriptionStatus.CANCELED)


def has_begun(uow: UnitOfWork, membership_id: UUID) -> bool:
    """Tell whether a membership has a live subscription that is past its first payment, or in a trial."""
    live = exists().where(
        Subscription.membership_id == membership_id,
        Subscription.status.in_(LIVE),
        Subscription.status != SubscriptionStatus.INCOMPLETE,
    )
    return bool(uow.session.scalar(select(live)))


def end_if_over(uow: UnitOfWork, membership_id: UUID) -> None:
    """Close a membership's subscription whose term is over, without waiting for the sweep."""
    over = select(Subscription).where(Subscription.membership_id == membership_id, *_is_over(uow))
    for subscription in uow.session.scalars(over.with_for_update(key_share=True)).all():
        _lapse(uow, subscription)
    uow.session.flush()


def lapse_ended(uow: UnitOfWork, *, limit: int) -> int:
    """Close subscriptions whose term is over: canceled where that was the wish, else expired; return how many."""
    over = (
        select(Subscription)
        .where(*_is_over(uow))
        .order_by(Subscription.current_period_end)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ended = uow.session.scalars(over).all()
    for subscription in ended:
        _lapse(uow, subscription)
    return len(ended)


def _is_over(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return Subscription.status.in_(_RUNNING_OUT), Subscription.current_period_end <= uow.now


def _lapse(uow: UnitOfWork, subscription: Subscription) -> None:
    wish = SubscriptionStatus.CANCELED if subscription.cancel_at_period_end else SubscriptionStatus.EXPIRED
    _end(uow, subscription, wish)


def _end(uow: UnitOfWork, subscription: Subscription, status: SubscriptionStatus) -> None:
    if subscription.status not in LIVE:
        return
    subscription.status = SUBSCRIPTION.require(SubscriptionStatus(subscription.status), status)
    subscription.ended_at = uow.now
    if status == SubscriptionStatus.CANCELED:
        subscription.canceled_at = subscription.canceled_at or uow.now


def _void_open_invoices(uow: UnitOfWork, subscription: Subscription) -> None:
    unpaid = select(Invoice.id).where(Invoice.subscription_id == subscription.id, Invoice.status == InvoiceStatus.OPEN)
    lock(uow, Membership, subscription.membership_id)
    for invoice_id in uow.session.scalars(unpaid.order_by(Invoice.id)).all():
        void_unpaid(uow, lock_invoice(uow, invoice_id), canceled=True)
