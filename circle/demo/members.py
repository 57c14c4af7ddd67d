"""Members in every state, each led there by what members and owners do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from circle.billing.errors import CheckoutClosed
from circle.billing.services.joining import join
from circle.demo.opening import new_person
from circle.demo.paying import pay
from circle.demo.stage import Stage, Step
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.memberships.services.members import ban_member, edit_member, leave_circle, remove_member

Fate: TypeAlias = Callable[[Stage, UnitOfWork, Caller], None]

# The installation's own sweep lives in the present, where a checkout of the past has long expired.
_TRIES = 5
# Who stays silent, and who applied, did so lately.
MUTED_FOR = timedelta(days=14)


@dataclass(frozen=True)
class Part:
    """A way through the circle: by which price, joined between how many days ago, and what happened in the end."""

    price: str
    joined: tuple[int, int]
    speaks: bool = False
    fate: Fate | None = None
    fate_days_ago: int = 0
    applies: bool = False


def _leave(stage: Stage, uow: UnitOfWork, person: Caller) -> None:
    leave_circle(uow, person, stage.circle_id)


def _remove(stage: Stage, uow: UnitOfWork, person: Caller) -> None:
    remove_member(uow, stage.owner, stage.circle_id, person.user_id, refund=True)


def _ban(stage: Stage, uow: UnitOfWork, person: Caller) -> None:
    ban_member(uow, stage.owner, stage.circle_id, person.user_id, refund=False)


def _mute(stage: Stage, uow: UnitOfWork, person: Caller) -> None:
    edit_member(
        uow, stage.owner, stage.circle_id, person.user_id, version=None, muted_until=uow.now + MUTED_FOR, note="刷屏"
    )


_READER = Part("reader", (2, 55))
_MONTH = Part("member month", (3, 26), speaks=True)
_YEAR = Part("member year", (28, 56), speaks=True)
# Everybody in turn, so that even a small example has all of them.
CAST = (
    _YEAR,
    _READER,
    _MONTH,
    Part("mentor year", (30, 56), speaks=True),
    Part("trial", (2, 5)),
    _READER,
    Part("member month", (36, 54)),  # not renewed: expired
    Part("member year", (30, 50), fate=_leave, fate_days_ago=12),
    _MONTH,
    Part("member year", (30, 50), fate=_remove, fate_days_ago=15),
    _READER,
    Part("member year", (30, 50), fate=_ban, fate_days_ago=9),
    Part("reader", (1, 1), applies=True),
    Part("member month", (5, 20), fate=_mute, fate_days_ago=3),
    _YEAR,
    Part("mentor month", (4, 25), speaks=True),
    Part("trial", (20, 45)),  # tried and did not stay
    _READER,
    _MONTH,
    _READER,
    _MONTH,
)
# Days and hours of joining are spread without chance, so that two runs tell the same story.
_DAY_STRIDE, _MINUTE_STRIDE = 7, 137
_MINUTES_OF_A_DAY = 1440


def members(count: int, now: datetime) -> Iterator[Step]:
    """Yield what brings `count` people into the circle, and some of them out again."""
    for number in range(count):
        part = CAST[number % len(CAST)]
        yield from _steps(part, number, now)


def _steps(part: Part, number: int, now: datetime) -> Iterator[Step]:
    first, last = part.joined
    days = first + (number // len(CAST) * _DAY_STRIDE + number) % (last - first + 1)
    joined = now - timedelta(days=days, minutes=-(number * _MINUTE_STRIDE % _MINUTES_OF_A_DAY))
    joined = min(joined, now - timedelta(hours=1))
    met: list[Caller] = []
    yield Step(joined, number, lambda stage: met.append(_arrive(stage, part, number)))
    if part.fate is not None:
        fate = part.fate
        yield Step(now - timedelta(days=part.fate_days_ago), number, lambda stage: _meet(stage, fate, met[0]))


def _arrive(stage: Stage, part: Part, number: int) -> Caller:
    with stage.units.write() as uow:
        person = new_person(uow, f"成员{number + 1:03d}")
    _join(stage, part, person, answers=["日记和随笔", "每周有人读我写的"] if part.applies else None)
    if part.speaks:
        stage.speakers.append(person)
    return person


def _join(stage: Stage, part: Part, person: Caller, *, answers: list[str] | None) -> None:
    for _ in range(_TRIES):
        with stage.units.write() as uow:
            price_id = stage.tiers.prices[part.price]
            joined = join(uow, person, stage.circle_id, price_id=price_id, collection="auto", answers=answers)
            checkout_id = None if joined.checkout is None else joined.checkout.id
        if checkout_id is None:
            return
        try:
            pay(stage, person, checkout_id)
        except CheckoutClosed:
            continue
        return


def _meet(stage: Stage, fate: Fate, person: Caller) -> None:
    with stage.units.write() as uow:
        fate(stage, uow, person)
