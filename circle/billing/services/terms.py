"""Terms of a subscription: beginning the first when it is paid, and the next."""

from datetime import datetime
from uuid import UUID

from circle.billing import events
from circle.billing.models import Invoice, Subscription
from circle.billing.services.locks import lock
from circle.billing.states import SUBSCRIPTION, SubscriptionStatus
from circle.circles.models import Price
from circle.circles.terms import months_of, term_end
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import GrantSource, Membership
from circle.memberships.services.access import give_access, revoke_access

_S = SubscriptionStatus
_RENEWABLE = frozenset({_S.INCOMPLETE, _S.TRIALING, _S.ACTIVE, _S.PAST_DUE})


def begin_first_term(uow: UnitOfWork, invoice: Invoice, method_id: UUID | None) -> bool:
    """Start the term that a first invoice pays for, now; False where it can't be given any more.

    That is: the last seat went to somebody else after the hold ended, or a fixed end has passed.
    """
    subscription = lock(uow, Subscription, subscription_of(invoice))
    price = uow.session.get_one(Price, subscription.price_id)
    ends_at = term_end(price, uow.now, 1, subscription.timezone)
    if subscription.status != _S.INCOMPLETE or (ends_at is not None and ends_at <= uow.now):
        return False
    if not _give_term(uow, subscription, invoice, uow.now, ends_at):
        return False
    subscription.status = SUBSCRIPTION.require(_S.INCOMPLETE, _S.ACTIVE)
    subscription.anchor_at = uow.now
    subscription.anchor_months = months_of(price)
    subscription.period_no = 1
    subscription.current_period_start = invoice.period_start = uow.now
    subscription.current_period_end = invoice.period_end = ends_at
    subscription.payment_method_id = method_id
    return True


def begin_next_term(uow: UnitOfWork, invoice: Invoice, method_id: UUID | None) -> bool:
    """Start the term that a renewal pays for; False where it can't be given any more.

    Paid in time it follows the present one without a gap, counted from the same anchor; paid after the access has
    lapsed it starts at the payment, with a new anchor.
    """
    subscription = lock(uow, Subscription, subscription_of(invoice))
    price = uow.session.get_one(Price, invoice.price_id)
    if subscription.status not in _RENEWABLE:
        return False
    in_time = invoice.covered_until is not None and uow.now <= invoice.covered_until
    if not in_time:
        invoice.period_start = max(uow.now, subscription.current_period_end or uow.now)
        invoice.period_end = term_end(price, invoice.period_start, 1, subscription.timezone)
    starts_at, ends_at = invoice.period_start, invoice.period_end
    if starts_at is None or (ends_at is not None and ends_at <= uow.now):
        return False
    if not _give_term(uow, subscription, invoice, starts_at, ends_at):
        return False
    if in_time:
        # The term itself gives access from where the last one ended.
        revoke_access(uow, source=GrantSource.GRACE, source_id=invoice.id, reason="paid")
    _count(subscription, invoice, months_of(price), starts_at, in_time=in_time)
    if subscription.status != _S.ACTIVE:
        subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.ACTIVE)
    subscription.canceled_at = subscription.ended_at = subscription.paused_at = None
    subscription.cancel_at_period_end = False
    subscription.tier_id, subscription.price_id = price.tier_id, price.id
    if subscription.next_price_id == price.id:
        subscription.next_price_id = None
    subscription.payment_method_id = subscription.payment_method_id or method_id
    subscription.renewal_open = False
    uow.session.flush()
    uow.emit(events.SubscriptionRenewed(subscription.id, invoice.id, subscription.circle_id, subscription.user_id))
    return True


def _count(subscription: Subscription, invoice: Invoice, months: int, starts_at: datetime, *, in_time: bool) -> None:
    """Move the subscription to the period of its invoice."""
    number = invoice.period_no or subscription.period_no + 1
    if in_time and subscription.anchor_at is not None:
        subscription.anchor_months += (number - subscription.period_no) * months
    else:
        subscription.anchor_at, subscription.anchor_months = starts_at, months
    subscription.period_no = number
    subscription.current_period_start, subscription.current_period_end = starts_at, invoice.period_end


def _give_term(
    uow: UnitOfWork, subscription: Subscription, invoice: Invoice, starts_at: datetime, ends_at: datetime | None
) -> bool:
    """Give access for a paid term; False where the last seat is gone."""
    membership = uow.session.get_one(Membership, subscription.membership_id)
    try:
        with uow.session.begin_nested():
            give_access(
                uow,
                membership,
                tier_id=invoice.tier_id or subscription.tier_id,
                source=GrantSource.INVOICE,
                source_id=invoice.id,
                starts_at=starts_at,
                ends_at=ends_at,
            )
    except SeatsTaken:
        return False
    return True


def subscription_of(invoice: Invoice) -> UUID:
    """Return the subscription that an invoice is a period of."""
    if invoice.subscription_id is None:
        raise ValueError(f"invoice {invoice.number} belongs to no subscription")
    return invoice.subscription_id
