"""The desk where a check-in is taken: who it is, by which rules, and which day it counts for.

One statement reads the rules, the member's term and their figures. The gate asks it along with who is asking, so that
an ordinary check-in asks nothing else: what is written then names the figures that it goes by, and where another
request was faster the database refuses it (`Overtaken`). Then, and for all that is not the next day in a row, these
figures are read again and locked until the commit, so that of a hundred check-ins of one member each sees what the one
before left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Date, DateTime, Select, Uuid, and_, bindparam, func, literal_column, select

from circle.accounts.models import User
from circle.checkins.errors import (
    BeforeJoining,
    CampNotStarted,
    CampOver,
    NotInCamp,
    TooLateToMakeUp,
    TooLateToUpload,
    WindowClosed,
)
from circle.checkins.figures import DayKind, Figures
from circle.checkins.models import Camp, CampDay, CampMember, Standing
from circle.checkins.policy import TERM, Required, find_camp, require_unlocked, seen_from
from circle.checkins.windows import Hours, read_windows
from circle.kernel.caller import Caller
from circle.kernel.db import Query, Row
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import Muted, TooNew
from circle.memberships.gates import gate_along
from circle.memberships.models import Membership
from circle.memberships.policy import require_member, require_open_circle, require_voice, with_standing

# What was written offline counts for its day if it arrives within this time.
LATE_UPLOAD = timedelta(hours=48)
# How far a client's clock may be ahead of ours.
CLOCK_SKEW = timedelta(minutes=2)

# What a check-in has to know of the rules and of the figures; every column costs on the way.
_RULES = (
    Camp.id,
    Camp.circle_id,
    Camp.title,
    Camp.access_level,
    Camp.timezone,
    Camp.starts_on,
    Camp.times,
    Camp.windows,
    Camp.requirement,
    Camp.makeup_cards,
    Camp.makeup_within_days,
    Camp.makeups_count,
    Camp.leave_days,
    Camp.levels,
    Camp.on_feed,
)
# New figures are derived from these; `ranked` tells who left or was removed.
FIGURES = (
    Standing.run,
    Standing.alive_until,
    Standing.longest,
    Standing.total,
    Standing.made_up,
    Standing.leave_taken,
    Standing.last_day,
    Standing.completed_at,
    Standing.ranked,
)
_PARTS = (
    *_RULES,
    *TERM,
    *FIGURES,
    User.display_name,
    User.avatar_media_id,
    Membership.alias,
)


def _planned() -> Any:
    """Select the camp's next two days of meeting, from its local day on."""
    local_day = func.timezone(Camp.timezone, bindparam("now", type_=DateTime(timezone=True))).cast(Date)
    days = select(CampDay.day).where(CampDay.camp_id == Camp.id, CampDay.day >= local_day)
    return func.array(days.order_by(CampDay.day).limit(literal_column("2")).scalar_subquery()).label("planned")


def _select_desk() -> Select[*tuple[Any, ...]]:
    return (
        select(*_PARTS, _planned())
        .select_from(Standing)
        .join(CampMember, and_(CampMember.camp_id == Standing.camp_id, CampMember.user_id == Standing.user_id))
        .join(Camp, Camp.id == Standing.camp_id)
        .join(User, User.id == Standing.user_id)
        .outerjoin(Membership, and_(Membership.circle_id == Camp.circle_id, Membership.user_id == Standing.user_id))
        .outerjoin(Required, Required.id == Camp.access_tier_id)
        .where(
            Standing.camp_id == bindparam("camp_id", type_=Uuid()),
            Standing.user_id == bindparam("user_id", type_=Uuid()),
        )
        .with_for_update(of=Standing, key_share=True)
    )


_DESK = Query(_select_desk)


# Columns of the desk that the gate asks for anyway.
_SHARED = frozenset({"circle_id", "display_name", "avatar_media_id", "alias"})
# The others come along under names of their own.
_ALONG = {part.key: part.key if part.key in _SHARED else f"desk_{part.key}" for part in (*_PARTS, _planned())}
_NAMES = tuple(_ALONG.items())


def _with_desk(credential: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Have the gate's statement bring the same row along, unlocked.

    Each table is found by the key itself: by the camp's row, which may be missing, the planner would read all camps of
    the person.
    """
    camp_id = bindparam("key", type_=Uuid())
    parts = (part.label(_ALONG[part.key]) for part in (*_PARTS, _planned()) if part.key not in _SHARED)
    statement = (
        credential.add_columns(*parts)
        .outerjoin(Camp, Camp.id == camp_id)
        .outerjoin(Standing, and_(Standing.camp_id == camp_id, Standing.user_id == User.id))
        .outerjoin(CampMember, and_(CampMember.camp_id == camp_id, CampMember.user_id == User.id))
        .outerjoin(Required, Required.id == Camp.access_tier_id)
    )
    return with_standing(statement, Camp.circle_id, User.id)


def _remember(caller: Caller, row: Row) -> None:
    """Keep the desk of somebody who takes part."""
    if row["desk_total"] is not None and row["desk_joined_at"] is not None:
        found = {name: row[along] for name, along in _NAMES}
        caller.known[Desk, found["id"]] = found


desk_gate = gate_along("camp_id", _with_desk, _remember)


@dataclass(frozen=True, slots=True)
class Placed:
    """Which camp day an entry is for, and how it counts if that day has none yet."""

    day: date
    kind: DayKind
    late: bool
    made_at: datetime


@dataclass(frozen=True)
class Desk:
    """A member before their camp, now; `speaks`: whether they may be heard by others."""

    row: Row
    user_id: UUID
    speaks: bool
    now: datetime

    @property
    def camp_id(self) -> UUID:
        found: UUID = self.row["id"]
        return found

    @property
    def circle_id(self) -> UUID:
        found: UUID = self.row["circle_id"]
        return found

    @property
    def title(self) -> str:
        return str(self.row["title"])

    @cached_property
    def hours(self) -> Hours:
        return Hours(ZoneInfo(self.row["timezone"]), read_windows(self.row["windows"]))

    @cached_property
    def open_day(self) -> date | None:
        """The camp day whose window is open now."""
        return self.hours.open_day(self.now)

    @cached_property
    def today(self) -> date:
        """The camp's day now, open or not."""
        return self.open_day or self.hours.today(self.now)

    @cached_property
    def figures(self) -> Figures:
        row = self.row
        return Figures(
            row["run"],
            row["alive_until"],
            row["longest"],
            row["total"],
            row["made_up"],
            row["leave_taken"],
            row["last_day"],
        )

    @property
    def name(self) -> str:
        return str(self.row["alias"] or self.row["display_name"])

    @property
    def planned(self) -> Sequence[date]:
        """The two days on which the camp meets from its local day on, or what is left of them."""
        found: Sequence[date] = self.row["planned"]
        return found

    def holds(self, day: date) -> bool:
        """Tell whether a day lies in the member's own term."""
        return bool(self.row["term_starts_on"] <= day <= self.row["term_ends_on"])

    def counted(self, figures: Figures) -> int:
        """Return the days that count towards completion."""
        return figures.total - (0 if self.row["makeups_count"] else figures.made_up)

    def completes(self, figures: Figures) -> bool:
        return self.counted(figures) >= int(self.row["term_completion_days"])


def require_desk(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Desk:
    """Return a member who may check in, their figures locked.

    Errors: NotFound, those of `require_member`, CircleClosed, CampLocked, NotInCamp.
    """
    row = uow.row(_DESK, camp_id=camp_id, user_id=caller.user_id, now=uow.now)
    if row is None or row["left_at"] is not None:
        require_unlocked(find_camp(uow, caller, camp_id))
        raise NotInCamp
    return _desk(uow, caller, row)


def admitted_desk(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Desk | None:
    """Return the same as `desk_gate` read it, nothing locked; None where it did not or they are not in the camp.

    Errors: those of `require_desk`.
    """
    row = caller.known.get((Desk, camp_id))
    return None if row is None or row["left_at"] is not None else _desk(uow, caller, row)


def _desk(uow: UnitOfWork, caller: Caller, row: Row) -> Desk:
    try:
        circle, speaks = require_voice(uow, caller, row["circle_id"]), True
    except (Muted, TooNew):
        # They keep their streak; what they write is shown to teachers alone.
        circle, speaks = require_member(uow, caller, row["circle_id"]), False
        require_open_circle(circle)
    require_unlocked(seen_from(circle, row))
    return Desk(row, caller.user_id, speaks, uow.now)


def find_day(desk: Desk, *, day: date | None, made_at: datetime | None) -> date:
    """Return the day that an entry is about, whether or not it may count.

    Errors: Invalid, TooLateToUpload, WindowClosed.
    """
    if made_at is not None:
        _require_plausible(made_at, desk.now)
        found = desk.hours.open_day(made_at)
        if found is None:
            raise WindowClosed(opens_at=_instant(desk.hours.opens_after(desk.now)))
        if day is not None and day != found:
            zh, en = f"made_at 是 {found} 写的。", f"made_at lies on {found}."
            raise Invalid.field("day", "wrong_day", zh, en)
        return found
    today = desk.today
    if day is not None and day > today:
        zh, en = (
            f"营地今天是 {today}，不能为以后的日子打卡。",
            f"It is {today} in the camp; later days can't be done yet.",
        )
        raise Invalid.field("day", "future_day", zh, en)
    return day or today


def place(desk: Desk, day: date, *, made_at: datetime | None) -> Placed:
    """Return how a first entry for `day` counts, if it may.

    Errors: CampNotStarted, CampOver, BeforeJoining, WindowClosed, TooLateToMakeUp, Invalid.
    """
    open_day, today, now = desk.open_day, desk.today, desk.now
    _require_in_term(desk, day, today, explicit=made_at is not None or day != today)
    if made_at is not None:
        if made_at + CLOCK_SKEW < desk.row["joined_at"]:
            raise BeforeJoining
        return Placed(day, DayKind.DONE, late=day != open_day, made_at=made_at)
    if day == today:
        if open_day is None:
            raise WindowClosed(opens_at=_instant(desk.hours.opens_after(now)))
        return Placed(day, DayKind.DONE, late=False, made_at=now)
    within = int(desk.row["makeup_within_days"])
    if (today - day).days > within:
        raise TooLateToMakeUp(days=within)
    return Placed(day, DayKind.MADE_UP, late=False, made_at=now)


def _require_in_term(desk: Desk, day: date, today: date, *, explicit: bool) -> None:
    if desk.holds(day):
        return
    if day > desk.row["term_ends_on"]:
        raise CampOver
    if explicit and day < desk.row["starts_on"]:
        raise Invalid.field("day", "before_camp", "这一天在打卡营开始之前。", "This day is before the camp.")
    if day < today:
        raise BeforeJoining
    raise CampNotStarted(starts_on=desk.row["term_starts_on"].isoformat())


def _require_plausible(made_at: datetime, now: datetime) -> None:
    if made_at > now + CLOCK_SKEW:
        raise Invalid.field(
            "made_at", "implausible_clock", "时间在未来，请检查手机时钟。", "This is in the future; check the clock."
        )
    if now - made_at > LATE_UPLOAD:
        raise TooLateToUpload(hours=int(LATE_UPLOAD.total_seconds() // 3600))


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes").replace("+00:00", "Z")
