"""Check-in camps of the example: one of 21 days that is in its 12th, and a short one that was completed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from circle.checkins.services import camps, checking_in, discussion, joining, reminding
from circle.demo import words
from circle.demo.stage import Stage, Step
from circle.kernel.caller import Caller
from circle.kernel.clock import local_day
from circle.kernel.db import Json

_ZONE = ZoneInfo("Asia/Shanghai")
_DAY = timedelta(days=1)
_DAYS, _DAY_OF_CAMP, _COMPLETION_DAYS = 21, 12, 18
_WARM_UP_DAYS, _WARM_UP_BEGAN = 3, 30  # the second: days ago
# When people write, but for the day that is not over.
_EVENING = time(21)
# Of the same instant, joining the circle comes first.
_ORDER = 20_000

# What each did, a letter a day: d done, - missed, m made up the day after, l leave, o written offline and uploaded the
# day after, j joined on that day, x left. Whoever there is takes part, in this order.
_LIVES = (
    "dddddddddddd",
    "ddddd-------",
    "ddd-ddmdddd-",
    "dddddlddoddd",
    "------------",
    "dddd-dddd-d-",
    "    jddddddd",
    "ddddddx     ",
    "ddddddddddd-",
    "d-d-d-d-d-d-",
)
_AT_ONCE = "dmolj-"


@dataclass
class _Class:
    """A camp and who is in it."""

    days: int
    camp_id: UUID | None = None
    people: list[Caller] = field(default_factory=list)

    def part(self, number: int) -> str:
        return _LIVES[number % len(_LIVES)]


def camp(now: datetime) -> Iterator[Step]:
    """Yield the days of both camps."""
    today = local_day(now, _ZONE)
    first = today - (_DAY_OF_CAMP - 1) * _DAY
    found = _Class(_DAYS)
    for number in range(_DAY_OF_CAMP):
        day = first + number * _DAY
        at = min(now, datetime.combine(day, _EVENING, _ZONE))
        yield Step(at, _ORDER, partial(_live, found=found, first=first, number=number))
    yield Step(now - 2 * _DAY, _ORDER + 1, partial(_nudge, found=found))
    warm_up, began = _Class(_WARM_UP_DAYS), today - _WARM_UP_BEGAN * _DAY
    for number in range(_WARM_UP_DAYS):
        at = datetime.combine(began + number * _DAY, _EVENING, _ZONE)
        yield Step(at, _ORDER, partial(_warm_up, found=warm_up, first=began, number=number))


def _open(stage: Stage, found: _Class, title: str, first: date, **rules: Any) -> None:
    with stage.units.write() as uow:
        last = first + (found.days - 1) * _DAY
        made = camps.open_camp(
            uow, stage.owner, stage.circle_id, title=title, starts_on=first, ends_on=last, **_RULES, **rules
        )
        found.camp_id = made.id


_RULES: Json = {
    "rules": "每天写一段，五个字以上就算。",
    "requirement": {"min_words": 5},
    "schedule": {"kind": "daily"},
    "windows": [],
    "makeup_within_days": 7,
    "access": {"level": "members"},
}


def _live(stage: Stage, *, found: _Class, first: date, number: int) -> None:
    """Let everybody do one day of the long camp."""
    if found.camp_id is None:
        themes = [{"number": n, "title": title} for n, title in enumerate(words.THEMES, 1)]
        rules: Json = {"completion_days": _COMPLETION_DAYS, "makeup_cards": 2, "leave_days": 2, "themes": themes}
        _open(stage, found, "21 天晨间写作营", first, **rules)
        found.people = stage.speakers[: len(_LIVES)]
    for index, person in enumerate(found.people):
        _do(stage, found, person, found.part(index), first=first, number=number)
    if number == 1:
        _talk(stage, found)


def _do(stage: Stage, found: _Class, person: Caller, part: str, *, first: date, number: int) -> None:
    """Do what a member's letters say: of the day before, of this day, and of the next one."""
    before, letter, following = (part[n] if 0 <= n < len(part) else " " for n in (number - 1, number, number + 1))
    day = first + number * _DAY
    with stage.units.write() as uow:
        if letter == "j" or (number == 0 and letter in _AT_ONCE):
            joining.join_camp(uow, person, _id(found))
    body = words.CHECK_INS[(number + ord(person.display_name[-1])) % len(words.CHECK_INS)]
    write = partial(checking_in.check_in, caller=person, camp_id=_id(found), body=body)
    with stage.units.write() as uow:
        if before == "m":
            write(uow, day=day - _DAY)
        if before == "o":
            write(uow, made_at=stage.clock.now() - _DAY)
        if letter in "dj":
            write(uow)
        if following == "l":
            joining.take_leave(uow, person, _id(found), days=[day + _DAY])
        if letter == "x":
            joining.leave_camp(uow, person, _id(found))


def _id(found: _Class) -> UUID:
    if found.camp_id is None:
        raise RuntimeError("the camp opens before anybody acts in it")
    return found.camp_id


def _talk(stage: Stage, found: _Class) -> None:
    """Let the owner note, pin and like an entry, and somebody say something about it."""
    author, other = found.people[0], found.people[1 % len(found.people)]
    with stage.units.write() as uow:
        entry = checking_in.check_in(uow, author, _id(found), body=words.CHECK_INS[0]).check_in_id
        discussion.put_note(uow, stage.owner, entry, body="画面具体，继续保持。")
        discussion.pin(uow, stage.owner, entry, pinned=True)
        discussion.like(uow, other, entry)
        discussion.comment(uow, other, entry, body="向你学习！")


def _nudge(stage: Stage, *, found: _Class) -> None:
    with stage.units.write() as uow:
        reminding.nudge(uow, stage.owner, _id(found))


def _warm_up(stage: Stage, *, found: _Class, first: date, number: int) -> None:
    """Let the first to come complete the short camp; its certificates are printed by the workers."""
    if found.camp_id is None:
        _open(stage, found, "三天热身营", first, makeup_cards=0, leave_days=0)
        found.people = stage.speakers[:_WARM_UP_DAYS]
    for person in found.people:
        with stage.units.write() as uow:
            if number == 0:
                joining.join_camp(uow, person, _id(found))
            checking_in.check_in(uow, person, _id(found), body=words.CHECK_INS[number])
