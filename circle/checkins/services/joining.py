"""Joining a camp, leaving it, and taking days off in advance."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from circle.checkins.errors import AlreadyInCamp, CampOver, LeaveNotAhead, NoLeaveLeft, NotACampDay
from circle.checkins.events import CampJoined
from circle.checkins.figures import DayKind
from circle.checkins.models import Camp, CampDay, CampMember, CheckInDay, Standing
from circle.checkins.policy import SeenCamp, find_camp, require_own_part, require_unlocked
from circle.checkins.services.desk import require_desk
from circle.checkins.services.planning import count_days, plan_through
from circle.checkins.services.recording import figures_of, keep_figures
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.memberships.events import MemberActivated, MemberExpired, MemberLeft, MemberRemoved
from circle.memberships.policy import require_member, require_open_circle

_DAY = timedelta(days=1)


def join_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> None:
    """Take part, or come back: the days done before still count.

    Errors: NotFound, those of `require_member`, CircleClosed, CampLocked, AlreadyInCamp, CampOver.
    """
    seen = find_camp(uow, caller, camp_id)
    require_open_circle(require_member(uow, caller, seen.circle_id))
    require_unlocked(seen)
    if seen.joined:
        raise AlreadyInCamp
    if seen.row["joined_at"] is None:
        _begin(uow, caller, uow.session.get_one(Camp, camp_id))
    else:
        _come_back(uow, caller, seen)
    uow.emit(CampJoined(camp_id, seen.circle_id, seen.title, caller.user_id))


def _begin(uow: UnitOfWork, caller: Caller, camp: Camp) -> None:
    starts_on, ends_on = _term(uow, camp)
    plan_through(uow, camp, ends_on)
    uow.session.flush()
    planned = count_days(uow, camp, starts_on, ends_on)
    if planned == 0:
        raise CampOver
    uow.session.add(
        CampMember(
            camp_id=camp.id,
            user_id=caller.user_id,
            starts_on=starts_on,
            ends_on=ends_on,
            completion_days=camp.completion_days or planned,
            joined_at=uow.now,
        )
    )
    uow.session.flush()
    uow.session.add(Standing(camp_id=camp.id, user_id=caller.user_id))
    uow.session.flush()


def _term(uow: UnitOfWork, camp: Camp) -> tuple[date, date]:
    """Return first and last day for somebody who joins now: a day whose hours are over is not held against them."""
    today = camp.hours.today(uow.now)
    first = today if camp.hours.closes(today) > uow.now else today + _DAY
    starts_on = max(camp.starts_on, first)
    ends_on = camp.ends_on or starts_on + timedelta(days=(camp.evergreen_days or 1) - 1)
    if starts_on > ends_on:
        raise CampOver
    return starts_on, ends_on


def _come_back(uow: UnitOfWork, caller: Caller, seen: SeenCamp) -> None:
    if seen.row["term_ends_on"] < seen.today(uow.now):
        raise CampOver
    _set_left(uow, caller, seen.id, left=False)


def leave_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> None:
    """Stop taking part; what was done is kept. Errors: those of `require_own_part`."""
    require_own_part(uow, caller, camp_id)
    _set_left(uow, caller, camp_id, left=True)


def _set_left(uow: UnitOfWork, caller: Caller, camp_id: UUID, *, left: bool) -> None:
    mine = (CampMember.camp_id == camp_id, CampMember.user_id == caller.user_id)
    uow.session.execute(update(CampMember).where(*mine).values(left_at=uow.now if left else None))
    standing = (Standing.camp_id == camp_id, Standing.user_id == caller.user_id)
    uow.session.execute(update(Standing).where(*standing).values(ranked=not left))


def take_leave(uow: UnitOfWork, caller: Caller, camp_id: UUID, *, days: Sequence[date]) -> None:
    """Be excused from days to come; checking in on one all the same gives it back.

    Errors: those of `require_desk`, LeaveNotAhead, NotACampDay, NoLeaveLeft.
    """
    desk = require_desk(uow, caller, camp_id)
    wanted = sorted(set(days))
    if any(day <= desk.today for day in wanted):
        raise LeaveNotAhead
    planned = uow.session.scalars(select(CampDay.day).where(CampDay.camp_id == camp_id, CampDay.day.in_(wanted))).all()
    for index, day in enumerate(days):
        if day not in planned or not desk.holds(day):
            zh, en = NotACampDay.text.say("zh-CN", day=day), NotACampDay.text.say("en", day=day)
            raise Invalid.field(f"days.{index}", NotACampDay.code, zh, en)
    taken = uow.session.scalars(
        insert(CheckInDay)
        .values([_leave(uow, desk.user_id, camp_id, day) for day in wanted])
        .on_conflict_do_nothing()
        .returning(CheckInDay.day)
    ).all()
    if desk.figures.leave_taken + len(taken) > desk.row["leave_days"]:
        raise NoLeaveLeft
    keep_figures(uow, desk, figures_of(uow, desk))


def _leave(uow: UnitOfWork, user_id: UUID, camp_id: UUID, day: date) -> dict[str, object]:
    return {
        "camp_id": camp_id,
        "user_id": user_id,
        "day": day,
        "kind": DayKind.LEAVE.value,
        "late": False,
        "recorded_at": uow.now,
    }


def on_member_gone(uow: UnitOfWork, happened: MemberLeft | MemberRemoved | MemberExpired) -> None:
    """Take somebody who is out of the circle out of its rankings; their days stay."""
    _show_in_rankings(uow, happened.circle_id, happened.user_id, ranked=False)


def on_member_activated(uow: UnitOfWork, happened: MemberActivated) -> None:
    """Put somebody who came back to the circle back into the rankings of the camps they are in."""
    _show_in_rankings(uow, happened.circle_id, happened.user_id, ranked=True)


def _show_in_rankings(uow: UnitOfWork, circle_id: UUID, user_id: UUID, *, ranked: bool) -> None:
    joined = (
        select(CampMember.camp_id)
        .join(Camp, Camp.id == CampMember.camp_id)
        .where(CampMember.user_id == user_id, Camp.circle_id == circle_id, CampMember.left_at.is_(None))
    )
    theirs = (Standing.user_id == user_id, Standing.camp_id.in_(joined))
    uow.session.execute(update(Standing).where(*theirs).values(ranked=ranked))
