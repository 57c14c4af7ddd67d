"""Terms of a subscription: beginning the first when it is paid, and the next."""

from datetime import datetime

from circle.billing.models import Invoice, Subscription
from circle.billing.services.payments import Payment
from circle.billing.states import SUBSCRIPTION, SubscriptionStatus
from circle.circles.models import Price
from circle.circles.terms import months_of, term_end
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import GrantSource
from circle.memberships.services.access import Term, give_each, take_seat

_S = SubscriptionStatus
_RENEWABLE = frozenset({_S.INCOMPLETE, _S.TRIALING, _S.ACTIVE, _S.PAST_DUE})


def begin_first_term(uow: UnitOfWork, payment: Payment) -> bool:
    """Start the term that a first invoice pays for, now; False where it can't be given any more.

    That is: the last seat went to somebody else after the hold ended, or a fixed end has passed.
    """
    invoice, subscription = payment.invoice, subscription_of(payment)
    price = uow.session.get_one(Price, subscription.price_id)
    ends_at = term_end(price, uow.now, 1, subscription.timezone)
    if subscription.status != _S.INCOMPLETE or (ends_at is not None and ends_at <= uow.now):
        return False
    term = _term(payment, uow.now, ends_at)
    try:
        with uow.session.begin_nested():
            give_each(uow, [term])
    except SeatsTaken:
        return False
    subscription.status = SUBSCRIPTION.require(_S.INCOMPLETE, _S.ACTIVE)
    subscription.anchor_at = uow.now
    subscription.anchor_months = months_of(price)
    subscription.period_no = 1
    subscription.current_period_start = invoice.period_start = uow.now
    subscription.current_period_end = invoice.period_end = ends_at
    subscription.payment_method_id = payment.method_id
    return True


def next_term(uow: UnitOfWork, payment: Payment) -> Term | None:
    """Count the term that a renewal pays for, and return it to be given; None where it can't be given any more.

    Paid in time it follows the present one without a gap, counted from the same anchor; paid after the access has
    lapsed it starts at the payment, with a new anchor.
    """
    invoice, subscription, price = payment.invoice, subscription_of(payment), payment.price
    if price is None or subscription.status not in _RENEWABLE:
        return None
    in_time = is_in_time(uow, invoice)
    if not in_time:
        invoice.period_start = max(uow.now, subscription.current_period_end or uow.now)
        invoice.period_end = term_end(price, invoice.period_start, 1, subscription.timezone)
    starts_at, ends_at = invoice.period_start, invoice.period_end
    if starts_at is None or (ends_at is not None and ends_at <= uow.now):
        return None
    term = _term(payment, starts_at, ends_at)
    if not (payment.is_seated or _finds_seat(uow, term)):
        return None
    _count(subscription, invoice, months_of(price), starts_at, in_time=in_time)
    if subscription.status != _S.ACTIVE:
        subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.ACTIVE)
    subscription.canceled_at = subscription.ended_at = subscription.paused_at = None
    subscription.cancel_at_period_end = False
    subscription.tier_id, subscription.price_id = price.tier_id, price.id
    if subscription.next_price_id == price.id:
        subscription.next_price_id = None
    subscription.payment_method_id = subscription.payment_method_id or payment.method_id
    subscription.renewal_open = False
    return term


def is_in_time(uow: UnitOfWork, invoice: Invoice) -> bool:
    """Tell whether a renewal is paid while its access lasts."""
    return invoice.covered_until is not None and uow.now <= invoice.covered_until


def _count(subscription: Subscription, invoice: Invoice, months: int, starts_at: datetime, *, in_time: bool) -> None:
    """Move the subscription to the period of its invoice."""
    number = invoice.period_no or subscription.period_no + 1
    if in_time and subscription.anchor_at is not None:
        subscription.anchor_months += (number - subscription.period_no) * months
    else:
        subscription.anchor_at, subscription.anchor_months = starts_at, months
    subscription.period_no = number
    subscription.current_period_start, subscription.current_period_end = starts_at, invoice.period_end


def _term(payment: Payment, starts_at: datetime, ends_at: datetime | None) -> Term:
    invoice = payment.invoice
    if payment.membership is None:
        raise ValueError(f"invoice {invoice.number} is for no membership")
    tier_id = invoice.tier_id or subscription_of(payment).tier_id
    return Term(payment.membership, tier_id, GrantSource.INVOICE, invoice.id, starts_at, ends_at)


def _finds_seat(uow: UnitOfWork, term: Term) -> bool:
    try:
        with uow.session.begin_nested():
            take_seat(uow, term.membership, term.tier_id)
    except SeatsTaken:
        return False
    return True


def subscription_of(payment: Payment) -> Subscription:
    """Return the subscription whose period is being paid."""
    if payment.subscription is None:
        raise ValueError(f"invoice {payment.invoice.number} belongs to no subscription")
    return payment.subscription
