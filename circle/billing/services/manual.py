"""Renewing by hand: ahead of the day, while past due, or after the subscription has run out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from circle.billing import policy
from circle.billing.errors import NotRenewable, RenewedAlready, UnknownPrice
from circle.billing.models import Checkout, Invoice, InvoiceKind, Subscription
from circle.billing.rules import PAST_DUE_FOR
from circle.billing.services.checkouts import CHECKOUT_LIFE, open_checkout
from circle.billing.services.invoicing import invoice_period
from circle.billing.services.locks import lock
from circle.billing.services.outcomes import settle_free
from circle.billing.services.pricing import renewal_amount
from circle.billing.services.renewing import open_one, open_renewal
from circle.billing.states import SUBSCRIPTION, SubscriptionStatus
from circle.circles.models import Circle, Price, Tier
from circle.circles.terms import months_of, term_end
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import CircleClosed
from circle.memberships.models import Membership
from circle.memberships.services.access import hold_seat

_S = SubscriptionStatus
_LAPSED = frozenset({_S.PAUSED, _S.CANCELED, _S.EXPIRED})
_RUNNING = frozenset({_S.TRIALING, _S.ACTIVE, _S.PAST_DUE})


def renew(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Subscription:
    """Put the next term of one's subscription before oneself to pay; asking again returns the same checkout.

    Errors: NotFound, NotYourSubscription, WrongState (cancelled, or never begun), RenewedAlready (paid ahead),
    NotRenewable, CircleClosed, UnknownPrice (not sold any more), SeatsTaken, PaymentUnderWay.
    """
    subscription = policy.require_own_subscription(uow, caller, subscription_id)
    membership = lock(uow, Membership, subscription.membership_id)
    if uow.session.get_one(Circle, subscription.circle_id).closed_at is not None:
        raise CircleClosed
    invoice = open_renewal(uow, subscription.id)
    subscription = lock(uow, Subscription, subscription.id)
    if invoice is not None:
        _put_before_payer(uow, subscription, invoice)
    elif subscription.status in _RUNNING and not subscription.cancel_at_period_end:
        _require_unpaid_ahead(uow, subscription)
        _put_before_payer(uow, subscription, open_one(uow, subscription))
    elif subscription.status in _LAPSED and _is_over(uow, subscription):
        _revive(uow, membership, subscription)
    else:
        raise WrongState(state=subscription.status)
    uow.session.flush()
    return subscription


def _is_over(uow: UnitOfWork, subscription: Subscription) -> bool:
    return subscription.current_period_end is not None and subscription.current_period_end <= uow.now


def _require_unpaid_ahead(uow: UnitOfWork, subscription: Subscription) -> None:
    """One term ahead is enough."""
    if subscription.current_period_start is not None and subscription.current_period_start > uow.now:
        raise RenewedAlready


def _put_before_payer(uow: UnitOfWork, subscription: Subscription, invoice: Invoice) -> None:
    """Open the checkout of a renewal, for as long as it may be paid; what costs nothing is counted as paid."""
    if not invoice.amount:
        settle_free(uow, invoice)
        return
    if uow.session.scalar(select(Checkout.id).where(Checkout.invoice_id == invoice.id)) is None:
        open_checkout(uow, invoice, expires_at=_payable_until(uow, subscription, invoice))


def _payable_until(uow: UnitOfWork, subscription: Subscription, invoice: Invoice) -> datetime:
    if subscription.status == _S.INCOMPLETE:
        return uow.now + CHECKOUT_LIFE
    return invoice.due_at + PAST_DUE_FOR


def _revive(uow: UnitOfWork, membership: Membership, subscription: Subscription) -> None:
    """Let somebody whose subscription ran out have it again, at the price for those who come back late."""
    price = uow.session.get_one(Price, subscription.price_id)
    if membership.approved_at is None:
        raise NotRenewable
    if not months_of(price):
        raise NotRenewable
    if not price.is_offered(uow.now) or uow.session.get_one(Tier, price.tier_id).archived_at is not None:
        raise UnknownPrice
    hold_seat(uow, membership, price.tier_id)
    subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.INCOMPLETE)
    subscription.ended_at = subscription.canceled_at = subscription.paused_at = None
    subscription.cancel_at_period_end = False
    subscription.next_price_id = None
    subscription.renewal_open = True
    period_no = subscription.period_no + 1
    invoice = invoice_period(
        uow,
        InvoiceKind.RENEWAL,
        subscription,
        price,
        amount=renewal_amount(uow, subscription, price, period_no, percent=price.later_percent),
        ends_at=term_end(price, uow.now, 1, subscription.timezone),
        period_no=period_no,
    )
    _put_before_payer(uow, subscription, invoice)
