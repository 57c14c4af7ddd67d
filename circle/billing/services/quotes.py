"""Quotes: what a change of plan costs, to the cent, before anybody agrees to it.

An upgrade takes effect when it is paid. For the rest of the paid terms it costs the new price's share, less the same
share of what was paid for them. Each share is `amount × time left / length of the term`, rounded half up to whole minor
units; where more was paid than the new price costs, nothing is due and nothing goes back. The anchor stays. Every other
change takes effect at the end of the paid term and costs nothing before.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from circle.billing.models import Invoice, Subscription
from circle.billing.offer_errors import ChangeNotPossible
from circle.billing.offer_models import Discount, Gift, Quote
from circle.billing.policy import require_own_subscription
from circle.billing.services.coupons import discount_of
from circle.billing.services.joining import require_offer
from circle.billing.services.pricing import renewal_amount as price_of_renewal
from circle.billing.states import EARNING, SubscriptionStatus
from circle.circles.models import Interval, Price, Tier
from circle.circles.terms import term_end
from circle.kernel.caller import Caller
from circle.kernel.ids import new_id
from circle.kernel.money import share
from circle.kernel.uow import UnitOfWork

QUOTE_LIFE = timedelta(minutes=30)
_RENEWING = (Interval.MONTH, Interval.YEAR)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a change means; amounts in minor units, `due` is paid now."""

    at_once: bool
    cost: int
    credit: int
    due: int
    effective_at: datetime
    renewal_amount: int
    renews_at: datetime


@dataclass(frozen=True, slots=True)
class Term:
    """A paid stretch of time; `no` is its period, None where it is an upgrade of one."""

    no: int | None
    starts_at: datetime
    ends_at: datetime
    kept: int  # what was paid and not given back

    def share_of(self, amount: int, at: datetime, *, length: timedelta | None = None) -> int:
        """Return the part of an amount for `length` (the term's own by default) that is for the time after `at`."""
        left = self.ends_at - max(at, self.starts_at)
        return share(amount, left // _INSTANT, (length or self.ends_at - self.starts_at) // _INSTANT)


def make_quote(uow: UnitOfWork, caller: Caller, subscription_id: UUID, *, price_id: UUID) -> Quote:
    """Reckon a change of one's subscription to another price. Errors: NotFound, UnknownPrice, ChangeNotPossible."""
    subscription = require_own_subscription(uow, caller, subscription_id)
    price = require_offer(uow, subscription.circle_id, price_id, paid=True)
    figures = reckon(uow, subscription, price, uow.now)
    quote = Quote(
        id=new_id(),
        subscription_id=subscription.id,
        user_id=subscription.user_id,
        from_price_id=subscription.price_id,
        to_price_id=price.id,
        currency=price.currency,
        expires_at=min(uow.now + QUOTE_LIFE, figures.renews_at),
        created_at=uow.now,
        **asdict(figures),
    )
    uow.session.add(quote)
    uow.session.flush()
    return quote


def figures_of(quote: Quote) -> Figures:
    return Figures(**{name: getattr(quote, name) for name in Figures.__dataclass_fields__})


def reckon(uow: UnitOfWork, subscription: Subscription, price: Price, at: datetime) -> Figures:
    """Return what a change to a price means, as of `at`: the same figures as long as nothing else has happened.

    Errors: ChangeNotPossible.
    """
    present = uow.session.get_one(Price, subscription.price_id)
    ends_at = _require_changeable(subscription, present, price, at)
    # Paid before the term ends, as every automatic charge is; what is paid later has a percentage of its own.
    renewal_amount = price_of_renewal(
        uow, subscription, price, subscription.period_no + 1, percent=price.advance_percent
    )
    if _rank(uow, price) <= _rank(uow, present):
        return Figures(
            at_once=False,
            cost=0,
            credit=0,
            due=0,
            effective_at=ends_at,
            renewal_amount=renewal_amount,
            renews_at=ends_at,
        )
    terms = _paid_terms(uow, subscription, at)
    discount = discount_of(uow, subscription.id)
    same_length = _interval(present) == _interval(price)
    cost = sum(_cost(term, price, discount, at, same_length=same_length, zone=subscription.timezone) for term in terms)
    credit = sum(term.share_of(term.kept, at) for term in terms)
    return Figures(
        at_once=True,
        cost=cost,
        credit=credit,
        due=max(cost - credit, 0),
        effective_at=at,
        renewal_amount=renewal_amount,
        renews_at=ends_at,
    )


def _require_changeable(subscription: Subscription, present: Price, price: Price, at: datetime) -> datetime:
    """Return when the paid term ends of a subscription that goes on, between prices that renew."""
    ends_at = subscription.current_period_end
    goes_on = subscription.status == SubscriptionStatus.ACTIVE and not subscription.cancel_at_period_end
    if not goes_on or ends_at is None or ends_at <= at:
        raise ChangeNotPossible
    if present.interval not in _RENEWING or price.interval not in _RENEWING or present.currency != price.currency:
        raise ChangeNotPossible
    if price.id == present.id and subscription.next_price_id is None:
        raise ChangeNotPossible
    return ends_at


def _cost(term: Term, price: Price, discount: Discount | None, at: datetime, *, same_length: bool, zone: str) -> int:
    """Return what the rest of a term costs on a price; upgrades lie within terms and cost nothing of their own."""
    if term.no is None:
        return 0
    amount = price.amount - (discount.off(price.id, term.no, price.amount) if discount else 0)
    if same_length:
        return term.share_of(amount, at)
    full = term_end(price, term.starts_at, 1, zone)
    return 0 if full is None else term.share_of(amount, at, length=full - term.starts_at)


def _paid_terms(uow: UnitOfWork, subscription: Subscription, at: datetime) -> list[Term]:
    """Return what was paid for time after `at`: by the subscriber, and as gifts that put their renewal off."""
    paid = (
        select(Invoice)
        .where(
            Invoice.subscription_id == subscription.id,
            Invoice.status.in_(EARNING),
            Invoice.period_start.is_not(None),
            Invoice.period_end > at,
        )
        .order_by(Invoice.period_start, Invoice.id)
    )
    given = (
        select(Gift.starts_at, Gift.ends_at, Invoice)
        .join(Invoice, Invoice.id == Gift.invoice_id)
        .where(Gift.subscription_id == subscription.id, Invoice.status.in_(EARNING), Gift.ends_at > at)
    )
    return [
        *(
            Term(one.period_no, one.period_start, one.period_end, one.refundable)
            for one in uow.session.scalars(paid).all()
            if one.period_start is not None and one.period_end is not None
        ),
        *(
            Term(subscription.period_no, row.starts_at, row.ends_at, row.Invoice.refundable)
            for row in uow.session.execute(given)
        ),
    ]


def _rank(uow: UnitOfWork, price: Price) -> int:
    return uow.session.get_one(Tier, price.tier_id).rank


def _interval(price: Price) -> tuple[str, int]:
    return price.interval, price.interval_count
