"""Coupons: made by a circle's owner or partners, used once a subscription, given back where nobody paid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from circle.billing.errors import UnknownCoupon
from circle.billing.events import CheckoutExpired
from circle.billing.models import InvoiceKind, Subscription
from circle.billing.offer_errors import CouponCodeTaken, CouponExpired, CouponNotForPrice, CouponUsedUp
from circle.billing.offer_models import Coupon, Discount, Duration
from circle.billing.services.locks import lock
from circle.circles.models import Circle, Price
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_code, new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

_CODE_LETTERS = 8


def create_coupon(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    code: str | None,
    percent: int | None,
    amount: int | None,
    currency: str | None,
    duration: str,
    periods: int | None,
    price_ids: Sequence[UUID] | None,
    **limits: Any,
) -> Coupon:
    """Make a coupon; `limits` are max_uses, max_uses_per_user, valid_from, valid_until, and a note.

    Errors: MissingPermission, Invalid, CouponCodeTaken.
    """
    require_permission(uow, caller, circle_id, Permission.GIVE_DISCOUNTS)
    _check_off(uow, circle_id, percent, amount, currency)
    _check_periods(duration, periods)
    _check_days(uow, limits["valid_from"], limits["valid_until"])
    _check_prices(uow, circle_id, price_ids)
    code = (code or new_code(_CODE_LETTERS)).upper()
    if find_live(uow, circle_id, code) is not None:
        raise CouponCodeTaken
    coupon = Coupon(
        id=new_id(),
        circle_id=circle_id,
        code=code,
        percent=percent,
        amount=amount,
        currency=currency,
        duration=duration,
        periods=periods,
        price_ids=list(dict.fromkeys(price_ids)) if price_ids else None,
        uses=0,
        created_by=caller.user_id,
        created_at=uow.now,
        **limits,
    )
    uow.session.add(coupon)
    _note(uow, caller, "coupon.create", coupon, percent=percent, amount=amount, duration=duration)
    return coupon


def archive_coupon(uow: UnitOfWork, caller: Caller, coupon_id: UUID) -> None:
    """Take a coupon off the table; subscriptions that have it keep it. Errors: NotFound, MissingPermission."""
    coupon = uow.session.get(Coupon, coupon_id)
    if coupon is None:
        raise NotFound
    require_permission(uow, caller, coupon.circle_id, Permission.GIVE_DISCOUNTS)
    if coupon.archived_at is None:
        coupon.archived_at = uow.now
        _note(uow, caller, "coupon.archive", coupon)


def require_coupon(uow: UnitOfWork, code: str, price: Price) -> Coupon:
    """Return the coupon of a price's circle by its code. Errors: UnknownCoupon, CouponExpired, CouponNotForPrice."""
    coupon = find_live(uow, price.circle_id, code.upper())
    if coupon is None:
        raise UnknownCoupon
    if not is_valid_now(uow, coupon):
        raise CouponExpired
    if price.is_free or not coupon.is_for(price.id):
        raise CouponNotForPrice
    return coupon


def find_live(uow: UnitOfWork, circle_id: UUID, code: str) -> Coupon | None:
    return uow.session.scalar(
        select(Coupon).where(Coupon.circle_id == circle_id, Coupon.code == code, Coupon.archived_at.is_(None))
    )


def is_valid_now(uow: UnitOfWork, coupon: Coupon) -> bool:
    begun = coupon.valid_from is None or coupon.valid_from <= uow.now
    return begun and (coupon.valid_until is None or coupon.valid_until > uow.now)


def wait_for(uow: UnitOfWork, coupon: Coupon) -> None:
    """Be alone with the count of a limited coupon. Before any seat is: whoever gives both back has this order too."""
    if coupon.max_uses is not None:
        lock(uow, Coupon, coupon.id)


def redeem(uow: UnitOfWork, coupon: Coupon, subscription: Subscription) -> Discount:
    """Use a coupon for a subscription, whose membership is locked. Errors: CouponUsedUp."""
    if coupon.max_uses is not None:
        _count_use(uow, coupon)
    discount = Discount(
        id=new_id(),
        coupon_id=coupon.id,
        user_id=subscription.user_id,
        subscription_id=subscription.id,
        use_no=_free_use(uow, coupon, subscription.user_id),
        percent=coupon.percent,
        amount=coupon.amount,
        price_ids=coupon.price_ids,
        until_period=coupon.until_period,
        created_at=uow.now,
    )
    uow.session.add(discount)
    uow.session.flush()
    return discount


def discount_of(uow: UnitOfWork, subscription_id: UUID) -> Discount | None:
    """Return what a coupon takes off a subscription; None where nothing does."""
    return uow.session.scalar(
        select(Discount).where(Discount.subscription_id == subscription_id, Discount.released_at.is_(None))
    )


def amount_for(uow: UnitOfWork, subscription: Subscription, price: Price, period_no: int) -> int:
    """Return what a period costs a subscriber on a price, in minor units: the price less their discount."""
    discount = discount_of(uow, subscription.id)
    return price.amount - (discount.off(price.id, period_no, price.amount) if discount else 0)


def on_checkout_expired(uow: UnitOfWork, event: CheckoutExpired) -> None:
    """Give the use of a coupon back whose subscription was never paid."""
    if event.kind != InvoiceKind.JOIN:
        return
    released = uow.session.scalar(
        update(Discount)
        .where(Discount.subscription_id == event.subject_id, Discount.released_at.is_(None))
        .values(released_at=uow.now)
        .returning(Discount.coupon_id)
    )
    if released is not None:
        counted = update(Coupon).where(Coupon.id == released, Coupon.max_uses.is_not(None))
        uow.session.execute(counted.values(uses=Coupon.uses - 1))


def _count_use(uow: UnitOfWork, coupon: Coupon) -> None:
    left = update(Coupon).where(Coupon.id == coupon.id, Coupon.uses < Coupon.max_uses)
    if uow.session.scalar(left.values(uses=Coupon.uses + 1).returning(Coupon.id)) is None:
        raise CouponUsedUp


def _free_use(uow: UnitOfWork, coupon: Coupon, user_id: UUID) -> int:
    taken = uow.session.scalars(
        select(Discount.use_no).where(
            Discount.coupon_id == coupon.id, Discount.user_id == user_id, Discount.released_at.is_(None)
        )
    ).all()
    free = (number for number in range(1, coupon.max_uses_per_user + 1) if number not in taken)
    number = next(free, None)
    if number is None:
        raise CouponUsedUp
    return number


def _check_off(uow: UnitOfWork, circle_id: UUID, percent: int | None, amount: int | None, currency: str | None) -> None:
    if (percent is None) == (amount is None):
        raise Invalid.field("percent", "one_of", "折扣比例与金额须二选一。", "Give either a percentage or an amount.")
    if (amount is None) != (currency is None):
        raise Invalid.field(
            "currency", "one_of", "金额须带货币。", "A currency is given with an amount, and only then."
        )
    own = uow.session.get_one(Circle, circle_id).currency
    if currency is not None and currency != own:
        raise Invalid.field("currency", "other_currency", f"须用星球的货币 {own}。", f"The circle charges {own}.")


def _check_periods(duration: str, periods: int | None) -> None:
    if (duration == Duration.PERIODS) != (periods is not None):
        raise Invalid.field(
            "periods", "one_of", "仅“若干期”的优惠须填期数。", "A number of periods is given for `periods` alone."
        )


def _check_days(uow: UnitOfWork, valid_from: datetime | None, valid_until: datetime | None) -> None:
    if valid_until is not None and valid_until <= max(uow.now, valid_from or uow.now):
        raise Invalid.field(
            "valid_until",
            "in_the_past",
            "截止时间须在将来，且晚于开始。",
            "Must lie in the future, and after the start.",
        )


def _check_prices(uow: UnitOfWork, circle_id: UUID, price_ids: Sequence[UUID] | None) -> None:
    if not price_ids:
        return
    wanted = set(price_ids)
    own = select(func.count()).where(Price.circle_id == circle_id, Price.id.in_(wanted), Price.amount > 0)
    if uow.session.scalar(own) != len(wanted):
        raise Invalid.field(
            "price_ids", "unknown_price", "须是本星球的收费方案。", "Only prices of this circle that cost something."
        )


def _note(uow: UnitOfWork, caller: Caller, action: str, coupon: Coupon, **data: object) -> None:
    audit.record(
        uow,
        caller,
        action,
        circle_id=coupon.circle_id,
        subject_kind="coupon",
        subject_id=coupon.id,
        code=coupon.code,
        **data,
    )
