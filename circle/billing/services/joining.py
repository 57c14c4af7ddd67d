"""Joining a circle by a price: at once where it is free or a trial, through a checkout where it costs."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import PaymentUnderWay, UnknownPrice
from circle.billing.models import Checkout, Collection, Invoice, InvoiceKind, JoinRequest, Subscription
from circle.billing.offer_errors import CouponUsedUp
from circle.billing.offer_models import Coupon
from circle.billing.services.checkouts import (
    APPROVED_LIFE,
    CHECKOUT_LIFE,
    has_payment_under_way,
    open_checkout,
    void_unpaid,
)
from circle.billing.services.coupons import (
    amount_for,
    discount_of,
    is_valid_now,
    redeem,
    require_coupon,
    wait_for,
)
from circle.billing.services.invoicing import invoice_period
from circle.billing.services.locks import lock_invoice
from circle.billing.services.methods import latest_method
from circle.billing.services.outcomes import settle_free
from circle.billing.services.subscriptions import end_if_over, has_begun
from circle.billing.states import InvoiceStatus, SubscriptionStatus
from circle.circles.models import Circle, Price, Tier
from circle.circles.terms import term_end
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import AlreadyAMember, SeatsTaken
from circle.memberships.events import MemberApproved
from circle.memberships.models import Membership, Status, Trial
from circle.memberships.policy import Standing, find_standing
from circle.memberships.services.access import hold_seat
from circle.memberships.services.joining import admit_free, prepare_join, start_trial


@dataclass(frozen=True, slots=True)
class Joined:
    """How far somebody got: `checkout` is what is left to pay; no subscription where none is needed (yet)."""

    membership: Membership
    subscription: Subscription | None = None
    checkout: Checkout | None = None


def join(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    price_id: UUID | None,
    collection: str,
    coupon: str | None = None,
    invitation: str | None = None,
    answers: list[str] | None = None,
) -> Joined:
    """Join, or apply where the circle's owner decides; doing it again while unpaid returns the same checkout.

    Who is let in by the door itself, by an invitation with a role or days on the house, need not name a price.
    Errors: Invalid (a price is missing), UnknownPrice, AlreadyAMember, PaymentUnderWay, SeatsTaken, CouponUsedUp, and
    those of `prepare_join` and `require_coupon`.
    """
    before = find_standing(uow, caller, circle_id)
    membership = prepare_join(uow, caller, circle_id, invitation=invitation, answers=answers)
    if price_id is None:
        return _came_in_free(membership, before)
    price = require_offer(uow, circle_id, price_id)
    cheaper = None if coupon is None else require_coupon(uow, coupon, price)
    _require_new(uow, before, price)
    if membership.approved_at is None:
        _remember(uow, membership, price, collection, cheaper)
        return Joined(membership)
    if membership.status == Status.ACTIVE and before.status != Status.ACTIVE:
        # The door itself let them in: an invitation's days on the house, or a paid term that still runs.
        return Joined(membership)
    return _go_on(uow, membership, price, collection, cheaper)


def _came_in_free(membership: Membership, before: Standing) -> Joined:
    if before.status == Status.ACTIVE:
        raise AlreadyAMember
    if membership.status != Status.ACTIVE:
        raise Invalid.field("price_id", "required", "缺少必填字段。", "Missing data for required field.")
    return Joined(membership)


def on_member_approved(uow: UnitOfWork, event: MemberApproved) -> None:
    """Go on with what an applicant asked for; where it can't be had any more, they choose again themselves."""
    wish = uow.session.execute(
        delete(JoinRequest)
        .where(JoinRequest.membership_id == event.membership_id)
        .returning(JoinRequest.price_id, JoinRequest.collection, JoinRequest.coupon_id)
    ).first()
    if wish is None:
        return
    price = uow.session.get_one(Price, wish.price_id)
    tier = uow.session.get_one(Tier, price.tier_id)
    coupon = uow.session.get(Coupon, wish.coupon_id) if wish.coupon_id else None
    if not price.is_offered(uow.now) or tier.archived_at is not None:
        return
    if coupon is not None and (coupon.archived_at is not None or not is_valid_now(uow, coupon)):
        return
    membership = uow.session.get_one(Membership, event.membership_id)
    with suppress(SeatsTaken, CouponUsedUp), uow.session.begin_nested():
        _go_on(uow, membership, price, wish.collection, coupon, approved=True)


def require_offer(uow: UnitOfWork, circle_id: UUID, price_id: UUID, *, paid: bool = False) -> Price:
    """Return a price that the circle offers; with `paid` only one that costs something. Errors: UnknownPrice."""
    price = uow.session.get(Price, price_id)
    if price is None or price.circle_id != circle_id or not price.is_offered(uow.now) or (paid and price.is_free):
        raise UnknownPrice
    if uow.session.get_one(Tier, price.tier_id).archived_at is not None:
        raise UnknownPrice
    return price


def _require_new(uow: UnitOfWork, standing: Standing, price: Price) -> None:
    """Refuse a member who has the tier already; one with a lesser tier on the house may buy a better one."""
    if standing.status != Status.ACTIVE or standing.membership_id is None:
        return
    end_if_over(uow, standing.membership_id)
    wanted = uow.session.get_one(Tier, price.tier_id).rank
    has_it = standing.rank is not None and standing.rank >= wanted
    if has_it or has_begun(uow, standing.membership_id):
        raise AlreadyAMember


def _remember(uow: UnitOfWork, membership: Membership, price: Price, collection: str, coupon: Coupon | None) -> None:
    wish = {
        "price_id": price.id,
        "collection": collection,
        "coupon_id": coupon.id if coupon else None,
        "created_at": uow.now,
    }
    uow.session.execute(
        insert(JoinRequest)
        .values(membership_id=membership.id, **wish)
        .on_conflict_do_update(index_elements=["membership_id"], set_=wish)
    )


def _go_on(
    uow: UnitOfWork,
    membership: Membership,
    price: Price,
    collection: str,
    coupon: Coupon | None,
    *,
    approved: bool = False,
) -> Joined:
    end_if_over(uow, membership.id)
    if price.is_free:
        admit_free(uow, membership, price)
        return Joined(membership)
    if coupon is not None:
        wait_for(uow, coupon)
    earlier = _unfinished(uow, membership, price, collection, coupon)
    if earlier is not None:
        return earlier
    if price.trial_days and not _has_had_trial(uow, membership):
        return _begin_trial(uow, membership, price, collection, coupon)
    hold_seat(uow, membership, price.tier_id)
    subscription = _new_subscription(uow, membership, price, collection, coupon, SubscriptionStatus.INCOMPLETE)
    invoice = invoice_period(
        uow,
        InvoiceKind.JOIN,
        subscription,
        price,
        amount=amount_for(uow, subscription, price, 1),
        ends_at=term_end(price, uow.now, 1, subscription.timezone),
        period_no=1,
    )
    if invoice.amount == 0:
        if not settle_free(uow, invoice):
            raise SeatsTaken
        return Joined(membership, subscription)
    expires_at = uow.now + (APPROVED_LIFE if approved else CHECKOUT_LIFE)
    if price.fixed_end_at is not None:
        expires_at = min(expires_at, price.fixed_end_at)
    return Joined(membership, subscription, open_checkout(uow, invoice, expires_at=expires_at))


def _unfinished(
    uow: UnitOfWork, membership: Membership, price: Price, collection: str, coupon: Coupon | None
) -> Joined | None:
    """Return the checkout that is still open for the same wish; one for another wish is given up."""
    subscription = uow.session.scalar(
        select(Subscription).where(
            Subscription.membership_id == membership.id, Subscription.status == SubscriptionStatus.INCOMPLETE
        )
    )
    if subscription is None:
        return None
    invoice_id, checkout = uow.session.execute(
        select(Invoice.id, Checkout)
        .join(Checkout, Checkout.invoice_id == Invoice.id)
        .where(Invoice.subscription_id == subscription.id, Invoice.status == InvoiceStatus.OPEN)
    ).one()
    discount = discount_of(uow, subscription.id)
    wish = (subscription.price_id, subscription.collection, discount.coupon_id if discount else None)
    same = wish == (price.id, collection, coupon.id if coupon else None)
    if same and checkout.is_open(uow.now):
        return Joined(membership, subscription, checkout)
    invoice = lock_invoice(uow, invoice_id)
    if has_payment_under_way(uow, invoice.id):
        raise PaymentUnderWay
    void_unpaid(uow, invoice)
    return None


def _has_had_trial(uow: UnitOfWork, membership: Membership) -> bool:
    return uow.session.get(Trial, (membership.circle_id, membership.user_id)) is not None


def _begin_trial(
    uow: UnitOfWork, membership: Membership, price: Price, collection: str, coupon: Coupon | None
) -> Joined:
    ends_at = start_trial(uow, membership, price.tier_id, price.trial_days)
    subscription = _new_subscription(uow, membership, price, collection, coupon, SubscriptionStatus.TRIALING)
    subscription.trial_ends_at = subscription.current_period_end = ends_at
    subscription.current_period_start = uow.now
    if collection == Collection.AUTO:
        subscription.payment_method_id = latest_method(uow, membership.user_id)
    return Joined(membership, subscription)


def _new_subscription(
    uow: UnitOfWork,
    membership: Membership,
    price: Price,
    collection: str,
    coupon: Coupon | None,
    status: SubscriptionStatus,
) -> Subscription:
    circle = uow.session.get_one(Circle, membership.circle_id)
    subscription = Subscription(
        id=new_id(),
        circle_id=membership.circle_id,
        user_id=membership.user_id,
        membership_id=membership.id,
        tier_id=price.tier_id,
        price_id=price.id,
        status=status,
        collection=Collection(collection),
        timezone=circle.timezone,
        period_no=0,
        cancel_at_period_end=False,
        created_at=uow.now,
    )
    uow.session.add(subscription)
    uow.session.flush()
    if coupon is not None:
        redeem(uow, coupon, subscription)
    return subscription
