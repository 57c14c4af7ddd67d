"""What a circle sells: its tiers, and their prices, which are made and archived but never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select

from circle.circles.errors import RankTaken, SeatsInUse, TierArchived, TooManyPrices, TooManyTiers
from circle.circles.models import Circle, Interval, Price, Tier
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

# What still fits one page, so that offers are never paged.
MOST_TIERS = 50
MOST_PRICES = 20


def add_tier(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, rank: int, **fields: Any) -> Tier:
    """Add a level to a circle. Errors: RankTaken, TooManyTiers, MissingPermission."""
    require_permission(uow, caller, circle_id, Permission.EDIT_OFFERS)
    if _count(uow, Tier.circle_id == circle_id, Tier.archived_at.is_(None)) >= MOST_TIERS:
        raise TooManyTiers
    if uow.session.scalar(select(exists().where(Tier.circle_id == circle_id, Tier.rank == rank))):
        raise RankTaken
    tier = Tier(id=new_id(), circle_id=circle_id, rank=rank, created_at=uow.now, **fields)
    uow.session.add(tier)
    _note(uow, caller, "tier.add", tier)
    return tier


def edit_tier(
    uow: UnitOfWork, caller: Caller, tier_id: UUID, *, version: int | None, archived: bool | None = None, **fields: Any
) -> Tier:
    """Rename, cap or archive a tier; members keep what they have. Errors: StaleVersion, SeatsInUse."""
    tier = _require_tier(uow, caller, tier_id, lock=True)
    if version is not None and version != tier.version:
        raise StaleVersion
    seats = fields.get("seats")
    if seats is not None and seats < tier.seats_taken:
        raise SeatsInUse(taken=tier.seats_taken)
    for name, value in fields.items():
        setattr(tier, name, value)
    if archived is not None and archived != (tier.archived_at is not None):
        tier.archived_at = uow.now if archived else None
    if fields or archived is not None:
        _note(uow, caller, "tier.edit", tier, fields=sorted(fields), archived=archived)
    return tier


def add_price(
    uow: UnitOfWork,
    caller: Caller,
    tier_id: UUID,
    *,
    amount: int,
    currency: str,
    interval: str,
    fixed_end_at: datetime | None = None,
    renewal: dict[str, int] | None = None,
    **fields: Any,
) -> Price:
    """Offer a tier at a price. Errors: Invalid, TierArchived, TooManyPrices, MissingPermission."""
    tier = _require_tier(uow, caller, tier_id)
    if tier.archived_at is not None:
        raise TierArchived
    if _count(uow, Price.tier_id == tier_id, Price.archived_at.is_(None)) >= MOST_PRICES:
        raise TooManyPrices
    circle = uow.session.get_one(Circle, tier.circle_id)
    if currency != circle.currency:
        raise Invalid.field(
            "currency",
            "other_currency",
            f"须用星球的货币 {circle.currency}。",
            f"The circle charges {circle.currency}.",
        )
    _check_end(uow, interval, fixed_end_at)
    _check_list_amount(amount, fields.get("list_amount"))
    price = Price(
        id=new_id(),
        circle_id=circle.id,
        tier_id=tier.id,
        amount=amount,
        currency=currency,
        interval=interval,
        fixed_end_at=fixed_end_at,
        created_at=uow.now,
        **fields,
        **(renewal or {}),
    )
    uow.session.add(price)
    _note(uow, caller, "price.add", tier, price_id=str(price.id), amount=amount, interval=interval)
    return price


def archive_price(uow: UnitOfWork, caller: Caller, price_id: UUID) -> None:
    """Take a price off the table; whoever has it keeps it."""
    price = uow.session.get(Price, price_id)
    if price is None:
        raise NotFound
    tier = _require_tier(uow, caller, price.tier_id)
    if price.archived_at is None:
        price.archived_at = uow.now
        _note(uow, caller, "price.archive", tier, price_id=str(price.id))


def _require_tier(uow: UnitOfWork, caller: Caller, tier_id: UUID, *, lock: bool = False) -> Tier:
    tier = uow.session.get(Tier, tier_id)
    if tier is None:
        raise NotFound
    require_permission(uow, caller, tier.circle_id, Permission.EDIT_OFFERS)
    if lock:
        uow.session.refresh(tier, with_for_update=True)
    return tier


def _count(uow: UnitOfWork, *which: ColumnElement[bool]) -> int:
    return uow.session.scalar(select(func.count()).where(*which)) or 0


def _check_end(uow: UnitOfWork, interval: str, fixed_end_at: datetime | None) -> None:
    if (interval == Interval.FIXED) != (fixed_end_at is not None):
        raise Invalid.field(
            "fixed_end_at",
            "one_of",
            "仅固定截止的价格须填截止时间。",
            "An end is given for a fixed term, and for no other.",
        )
    if fixed_end_at is not None and fixed_end_at <= uow.now:
        raise Invalid.field("fixed_end_at", "in_the_past", "截止时间须在将来。", "Must lie in the future.")


def _check_list_amount(amount: int, list_amount: int | None) -> None:
    if list_amount is not None and list_amount <= amount:
        raise Invalid.field(
            "list_amount", "out_of_range", "划线价须高于售价。", "The struck-through price must be above the real one."
        )


def _note(uow: UnitOfWork, caller: Caller, action: str, tier: Tier, **data: object) -> None:
    audit.record(uow, caller, action, circle_id=tier.circle_id, subject_kind="tier", subject_id=tier.id, **data)
    changes.record(
        uow,
        circle_id=tier.circle_id,
        kind="tier",
        item_id=tier.id,
        operation="created" if action == "tier.add" else "updated",
    )
