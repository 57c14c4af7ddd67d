"""Circles and their members for tests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.memberships.models import GrantSource, Membership, Role, Status
from circle.memberships.services import circles, offers
from circle.memberships.services.access import activate, give_access, settle_status
from tests.builders.people import People, Person

# Name, rank, amount of a month in fen.
TIERS: tuple[tuple[str, int, int], ...] = (("读者", 1, 1900), ("学员", 2, 9900))
USUAL_NAME = "写作圈"


@dataclass(frozen=True)
class BuiltTier:
    id: UUID
    name: str
    rank: int
    price_id: UUID
    amount: int


@dataclass
class BuiltCircle:
    """A circle whose tiers have one monthly price each."""

    id: UUID
    slug: str
    owner: Person
    tiers: dict[str, BuiltTier]

    @property
    def path(self) -> str:
        return f"/circles/{self.id}"

    def tier(self, rank: int) -> BuiltTier:
        return next(one for one in self.tiers.values() if one.rank == rank)


def caller_of(person: Person) -> Caller:
    return Caller(user_id=person.id)


class Circles(People):
    app: Flask
    units: Units
    # Circles built before the test: see tests/builders/stock.py.
    stock: Iterator[BuiltCircle] = iter(())

    def circle(
        self,
        owner: Person | None = None,
        *,
        tiers: Sequence[tuple[str, int, int]] = TIERS,
        name: str = USUAL_NAME,
        **settings: Any,
    ) -> BuiltCircle:
        """A circle with tiers of (name, rank, amount a month); `settings` as in `POST /circles`.

        A usual one comes from the stock, as long as that lasts.
        """
        usual = owner is None and tiers is TIERS and name == USUAL_NAME and not settings
        if usual and (ready := next(self.stock, None)):
            return ready
        owner = owner or self.person("星主")
        caller = caller_of(owner)
        with self.units.write() as uow:
            made = circles.open_circle(uow, caller, name=name, **settings)
            built = BuiltCircle(made.id, made.slug, owner, {})
        for tier_name, rank, amount in tiers:
            built.tiers[tier_name] = self.tier(built, tier_name, rank, amount)
        return built

    def tier(self, circle: BuiltCircle, name: str, rank: int, amount: int, **price: Any) -> BuiltTier:
        """A tier with one price: a month unless `price` says otherwise; `seats` caps the tier."""
        caller = caller_of(circle.owner)
        seats = price.pop("seats", None)
        with self.units.write() as uow:
            tier = offers.add_tier(uow, caller, circle.id, name=name, rank=rank, seats=seats)
            uow.session.flush()
            currency = uow.session.scalars(select(Circle.currency).where(Circle.id == circle.id)).one()
            made = offers.add_price(
                uow, caller, tier.id, amount=amount, **{"currency": currency, "interval": "month", **price}
            )
            return BuiltTier(tier.id, name, rank, made.id, amount)

    def member(
        self,
        circle: BuiltCircle,
        tier: str | int | None = None,
        *,
        role: str = Role.MEMBER,
        status: str = Status.ACTIVE,
        person: Person | None = None,
        name: str = "成员",
        started: datetime | None = None,
        ended: datetime | None = None,
        days: int = 30,
    ) -> Person:
        """A member of a tier (by name or rank; the lowest by default) with access on the house.

        Access runs from `started` (now) to `ended` (`days` later). Staff get no grant unless a tier is named.
        """
        person = person or self.person(name)
        with self.units.write() as uow:
            membership = _membership(uow, circle, person)
            membership.role = role
            if tier is not None or role == Role.MEMBER:
                starts_at = started or uow.now
                built = _find_tier(circle, tier)
                give_access(
                    uow,
                    membership,
                    tier_id=built.id,
                    source=GrantSource.COMP,
                    source_id=new_id(),
                    starts_at=starts_at,
                    ends_at=ended or starts_at + timedelta(days=days),
                )
            activate(uow, membership)
            if started is not None and membership.joined_at == uow.now:
                membership.joined_at = started
            settle_status(uow, membership)
            if status != Status.ACTIVE:
                membership.status = status
        return person

    def expired_member(
        self, circle: BuiltCircle, tier: str | int | None = None, *, started: datetime, ended: datetime
    ) -> Person:
        """Somebody whose access ran from `started` to before `ended`, both in the past."""
        return self.member(circle, tier, started=started, ended=ended, name="老成员")

    def pending_member(self, circle: BuiltCircle, *, answers: Sequence[str] = ()) -> Person:
        """Somebody who has applied and waits for approval."""
        person = self.person("申请人")
        with self.units.write() as uow:
            membership = _membership(uow, circle, person)
            membership.answers = list(answers)
            membership.applied_at = uow.now
        return person

    def banned_member(self, circle: BuiltCircle) -> Person:
        """Somebody who was a member and is banned."""
        person = self.member(circle, name="被拉黑的人")
        circle.owner.api.post(f"{circle.path}/members/{person.id}/ban", {"refund": False}).ok()
        return person


def _membership(uow: UnitOfWork, circle: BuiltCircle, person: Person) -> Membership:
    found = uow.session.scalar(
        select(Membership).where(Membership.circle_id == circle.id, Membership.user_id == person.id)
    )
    if found is None:
        found = Membership(
            id=new_id(),
            circle_id=circle.id,
            user_id=person.id,
            status=Status.PENDING,
            role=Role.MEMBER,
            created_at=uow.now,
        )
        uow.session.add(found)
        uow.session.flush()
    return found


def _find_tier(circle: BuiltCircle, tier: str | int | None) -> BuiltTier:
    if isinstance(tier, str):
        return circle.tiers[tier]
    return circle.tier(min(one.rank for one in circle.tiers.values()) if tier is None else tier)
