"""Changing the plan of a subscription, for what a quote says: a better tier now, anything else at the term's end."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from circle.billing.models import Checkout, InvoiceKind, Subscription
from circle.billing.offer_errors import ChangeNotPossible, QuoteExpired, QuoteStale, QuoteUsed
from circle.billing.offer_models import Quote
from circle.billing.policy import require_own_subscription
from circle.billing.rules import PAST_DUE_FOR
from circle.billing.services.checkouts import CHECKOUT_LIFE, open_checkout
from circle.billing.services.invoicing import invoice_period
from circle.billing.services.joining import require_offer
from circle.billing.services.locks import lock
from circle.billing.services.outcomes import settle_free
from circle.billing.services.quotes import figures_of, reckon
from circle.billing.services.unpaid import give_up_unpaid
from circle.billing.services.upgrading import drop_plan
from circle.circles.models import Price
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.services.access import hold_seat


@dataclass(frozen=True, slots=True)
class Changed:
    """How far a change got: `checkout` is what is left to pay for an upgrade."""

    subscription: Subscription
    checkout: Checkout | None = None


def change_plan(uow: UnitOfWork, caller: Caller, subscription_id: UUID, *, price_id: UUID, quote_id: UUID) -> Changed:
    """Do what a quote says, once, as long as it is true.

    Errors: NotFound, UnknownPrice, QuoteExpired, QuoteUsed, QuoteStale, PaymentUnderWay, SeatsTaken.
    """
    require_own_subscription(uow, caller, subscription_id)
    if _quote_of(uow, subscription_id, quote_id) is None:
        raise NotFound
    subscription = _lock_free_of_payments(uow, subscription_id)
    quote = lock(uow, Quote, quote_id)
    if quote.used_at is not None:
        raise QuoteUsed
    if quote.expires_at <= uow.now:
        raise QuoteExpired
    price = require_offer(uow, subscription.circle_id, price_id, paid=True)
    _require_true(uow, quote, subscription, price)
    quote.used_at = uow.now
    if quote.at_once:
        return _upgrade(uow, subscription, quote, price)
    _plan(uow, subscription, price)
    return Changed(subscription)


def _quote_of(uow: UnitOfWork, subscription_id: UUID, quote_id: UUID) -> UUID | None:
    return uow.session.scalar(select(Quote.id).where(Quote.id == quote_id, Quote.subscription_id == subscription_id))


def _lock_free_of_payments(uow: UnitOfWork, subscription_id: UUID) -> Subscription:
    """Return the subscription, locked, with nothing open: what was to be paid on the present plan is given up."""
    lock(uow, Membership, uow.session.get_one(Subscription, subscription_id).membership_id)
    give_up_unpaid(uow, subscription_id)
    return lock(uow, Subscription, subscription_id)


def _require_true(uow: UnitOfWork, quote: Quote, subscription: Subscription, price: Price) -> None:
    """The same figures again, or the quote is stale: a renewal, a refund, another change came between."""
    if (quote.from_price_id, quote.to_price_id) != (subscription.price_id, price.id):
        raise QuoteStale
    try:
        again = reckon(uow, subscription, price, quote.created_at)
    except ChangeNotPossible:
        raise QuoteStale from None
    if again != figures_of(quote):
        raise QuoteStale


def _upgrade(uow: UnitOfWork, subscription: Subscription, quote: Quote, price: Price) -> Changed:
    hold_seat(uow, uow.session.get_one(Membership, subscription.membership_id), price.tier_id)
    invoice = invoice_period(
        uow, InvoiceKind.UPGRADE, subscription, price, amount=quote.due, ends_at=quote.renews_at, subject_id=quote.id
    )
    if quote.due:
        expires_at = min(uow.now + CHECKOUT_LIFE, quote.renews_at)
        return Changed(subscription, open_checkout(uow, invoice, expires_at=expires_at))
    if not settle_free(uow, invoice):
        raise QuoteStale
    return Changed(subscription)


def _plan(uow: UnitOfWork, subscription: Subscription, price: Price) -> None:
    """Renew on another price at the end of the term; a seat of its tier waits until that has been paid."""
    drop_plan(uow, subscription)
    if price.id == subscription.price_id or subscription.current_period_end is None:
        return
    subscription.next_price_id = price.id
    membership = uow.session.get_one(Membership, subscription.membership_id)
    hold_seat(uow, membership, price.tier_id, until=subscription.current_period_end + PAST_DUE_FOR)
