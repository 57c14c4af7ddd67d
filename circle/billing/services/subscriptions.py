"""Steering a subscription: cancelling, pausing, and what ends it from outside."""

from uuid import UUID

from sqlalchemy import exists, select

from circle.billing import policy
from circle.billing.errors import PaymentUnderWay
from circle.billing.models import Invoice, Subscription
from circle.billing.services.checkouts import has_payment_under_way, void_unpaid
from circle.billing.services.consents import require_agreed
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.states import LIVE, SUBSCRIPTION, InvoiceStatus, SubscriptionStatus
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.events import CircleTransferred
from circle.memberships.models import Membership

_S = SubscriptionStatus
HAS_A_TERM = (_S.TRIALING, _S.ACTIVE, _S.PAST_DUE, _S.PAUSED)


def cancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Stop renewing: what is paid stays until its end, nothing more is charged. Errors: WrongState (it has ended)."""
    return stop_renewing(uow, policy.require_own_subscription(uow, caller, subscription_id))


def stop_renewing(uow: UnitOfWork, subscription: Subscription) -> Subscription:
    """As above, whoever decided it; the membership is locked. Errors: WrongState."""
    _void_open_invoices(uow, subscription)
    subscription = lock(uow, Subscription, subscription.id)
    if subscription.status == _S.CANCELED:
        return subscription
    _require_live(subscription)
    subscription.canceled_at = subscription.canceled_at or uow.now
    if subscription.status in {_S.PAST_DUE, _S.PAUSED}:
        end_subscription(uow, subscription, _S.CANCELED)
    else:
        subscription.cancel_at_period_end = True
    return subscription


def uncancel_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Take a cancellation back while the term still runs. Errors: WrongState, ConsentNeeded (the price rises)."""
    policy.require_own_subscription(uow, caller, subscription_id)
    subscription = lock(uow, Subscription, subscription_id)
    _require_live(subscription)
    require_agreed(uow, subscription)
    subscription.cancel_at_period_end = False
    subscription.canceled_at = None
    return subscription


def pause_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Charge nothing until it is resumed; the term that is paid runs to its end. Errors: WrongState."""
    subscription = policy.require_own_subscription(uow, caller, subscription_id)
    lock(uow, Membership, subscription.membership_id)
    if subscription.status == _S.PAUSED:
        return subscription
    if subscription.status != _S.ACTIVE or subscription.cancel_at_period_end:
        raise WrongState(state=subscription.status)
    _void_open_invoices(uow, subscription)
    subscription = lock(uow, Subscription, subscription_id)
    subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.PAUSED)
    subscription.paused_at = uow.now
    return subscription


def resume_subscription(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Go on as if it had not been paused. After the end of its term it is renewed by paying instead.

    Errors: WrongState (it is not paused, or its term is over).
    """
    policy.require_own_subscription(uow, caller, subscription_id)
    subscription = lock(uow, Subscription, subscription_id)
    if subscription.status == _S.ACTIVE:
        return subscription
    if subscription.status != _S.PAUSED:
        raise WrongState(state=subscription.status)
    if subscription.current_period_end is not None and subscription.current_period_end <= uow.now:
        raise WrongState(state=_S.EXPIRED)
    subscription.status = SUBSCRIPTION.require(_S.PAUSED, _S.ACTIVE)
    subscription.paused_at = None
    return subscription


def _require_live(subscription: Subscription) -> None:
    if subscription.status not in LIVE:
        raise WrongState(state=subscription.status)


def end_refunded(uow: UnitOfWork, invoice: Invoice) -> None:
    """End the subscription whose present term was given back in full."""
    if invoice.subscription_id is None:
        return
    subscription = uow.session.get_one(Subscription, invoice.subscription_id)
    if invoice.period_no == subscription.period_no:
        _void_open_invoices(uow, subscription)
        end_subscription(uow, lock(uow, Subscription, subscription.id), _S.CANCELED)


def cancel_for_membership(uow: UnitOfWork, membership_id: UUID) -> None:
    """End whatever would ask a membership for money, at once."""
    live = select(Subscription.id).where(Subscription.membership_id == membership_id, Subscription.status.in_(LIVE))
    for subscription_id in uow.session.scalars(live).all():
        _void_open_invoices(uow, uow.session.get_one(Subscription, subscription_id))
        end_subscription(uow, lock(uow, Subscription, subscription_id), _S.CANCELED)


def on_circle_transferred(uow: UnitOfWork, event: CircleTransferred) -> None:
    """A new owner does not go on paying for their own circle."""
    membership_id = uow.session.scalar(
        select(Membership.id).where(Membership.circle_id == event.circle_id, Membership.user_id == event.to_user_id)
    )
    if membership_id is not None:
        cancel_for_membership(uow, membership_id)


def has_begun(uow: UnitOfWork, membership_id: UUID) -> bool:
    """Tell whether a membership has a live subscription that is past its first payment, or in a trial."""
    live = exists().where(
        Subscription.membership_id == membership_id,
        Subscription.status.in_(LIVE),
        Subscription.status != _S.INCOMPLETE,
    )
    return bool(uow.session.scalar(select(live)))


def end_if_over(uow: UnitOfWork, membership_id: UUID) -> None:
    """Close a membership's subscription whose term is over, so that another may begin. Errors: PaymentUnderWay."""
    over = select(Subscription.id).where(
        Subscription.membership_id == membership_id,
        Subscription.status.in_(HAS_A_TERM),
        Subscription.current_period_end <= uow.now,
    )
    for subscription_id in uow.session.scalars(over).all():
        subscription = uow.session.get_one(Subscription, subscription_id)
        _void_open_invoices(uow, subscription, unless_paying=True)
        end_as_wished(uow, lock(uow, Subscription, subscription_id))
    uow.session.flush()


def end_as_wished(uow: UnitOfWork, subscription: Subscription) -> None:
    """End a subscription whose term is over: canceled where that was the wish, else expired."""
    wish = _S.CANCELED if subscription.cancel_at_period_end else _S.EXPIRED
    end_subscription(uow, subscription, wish)


def end_subscription(uow: UnitOfWork, subscription: Subscription, status: SubscriptionStatus) -> None:
    """End a subscription whose open invoices are closed already."""
    if subscription.status not in LIVE:
        return
    subscription.status = SUBSCRIPTION.require(_S(subscription.status), status)
    subscription.ended_at = uow.now
    if status == _S.CANCELED:
        subscription.canceled_at = subscription.canceled_at or uow.now


def _void_open_invoices(uow: UnitOfWork, subscription: Subscription, *, unless_paying: bool = False) -> None:
    unpaid = select(Invoice.id).where(Invoice.subscription_id == subscription.id, Invoice.status == InvoiceStatus.OPEN)
    lock(uow, Membership, subscription.membership_id)
    for invoice_id in uow.session.scalars(unpaid.order_by(Invoice.id)).all():
        invoice = lock_invoice(uow, invoice_id)
        if unless_paying and has_payment_under_way(uow, invoice_id):
            raise PaymentUnderWay
        void_unpaid(uow, invoice, canceled=True)
