"""Opening camps and changing their rules: freely before anybody relies on them, only kinder afterwards."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, exists, func, select, update

from circle.checkins.errors import RulesFrozen
from circle.checkins.kindness import unkind_changes
from circle.checkins.models import AccessLevel, Camp, CampMember, CampTheme
from circle.checkins.policy import lock_taught_camp
from circle.checkins.schedule import ScheduleKind
from circle.checkins.services.completing import complete_due
from circle.checkins.services.planning import count_days, plan_again, plan_through
from circle.checkins.services.rebuilding import rebuild_camp
from circle.checkins.windows import overlap, read_windows
from circle.circles.models import Tier
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.clock import local_day
from circle.kernel.db import Json
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_open_circle, require_permission

# A term of a camp, in days: longer ones are a habit and not a camp.
MOST_DAYS = 400

# What members rely on once the camp has begun. The rest is words.
RULES = (
    "access_level",
    "access_tier_id",
    "starts_on",
    "ends_on",
    "evergreen_days",
    "schedule_kind",
    "weekdays",
    "dates",
    "times",
    "windows",
    "requirement",
    "completion_days",
    "makeup_cards",
    "makeup_within_days",
    "makeups_count",
    "leave_days",
    "levels",
)
_MOVES_DAYS = frozenset({"starts_on", "ends_on", "evergreen_days", "schedule_kind", "weekdays", "dates", "times"})


def open_camp(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, themes: Sequence[Json] = (), **fields: Any) -> Camp:
    """Open a camp. Errors: those of `require_permission`, CircleClosed, Invalid."""
    circle = require_permission(uow, caller, circle_id, Permission.TEACH)
    require_open_circle(circle)
    timezone = fields.pop("timezone", None) or circle.timezone
    today = local_day(uow.now, _zone(timezone))
    camp = Camp(id=new_id(), circle_id=circle_id, created_by=caller.user_id, timezone=timezone, created_at=uow.now)
    _set(camp, {**fields, "starts_on": fields["starts_on"] or today})
    _check(uow, camp)
    uow.session.add(camp)
    uow.session.flush()
    if camp.ends_on is not None:
        plan_through(uow, camp, camp.ends_on)
    _check_completion(uow, camp)
    _put_themes(uow, camp, themes)
    audit.record(uow, caller, "camp.open", circle_id=circle_id, subject_kind="camp", subject_id=camp.id)
    uow.session.flush()
    return camp


def edit_camp(
    uow: UnitOfWork,
    caller: Caller,
    camp_id: UUID,
    *,
    version: int | None,
    themes: Sequence[Json] | None = None,
    **fields: Any,
) -> Camp:
    """Change a camp. Once it has begun and somebody joined, rules only become kinder.

    Errors: those of `lock_taught_camp`, StaleVersion, RulesFrozen, Invalid.
    """
    camp = lock_taught_camp(uow, caller, camp_id)
    if version is not None and version != camp.version:
        raise StaleVersion
    before = {name: getattr(camp, name) for name in RULES}
    _set(camp, fields)
    _check(uow, camp)
    changed = {name: getattr(camp, name) for name in RULES if getattr(camp, name) != before[name]}
    relied_on = _is_relied_on(uow, camp, before)
    unkind = unkind_changes(before, changed) if relied_on else []
    if unkind:
        raise RulesFrozen(fields=", ".join(unkind))
    if themes is not None:
        _put_themes(uow, camp, themes)
    if changed:
        _apply(uow, camp, changed, relied_on=relied_on)
    audit.record(
        uow,
        caller,
        "camp.edit",
        circle_id=camp.circle_id,
        subject_kind="camp",
        subject_id=camp.id,
        fields=sorted({*fields, *(["themes"] if themes is not None else [])}),
    )
    uow.session.flush()
    return camp


def _set(camp: Camp, fields: Mapping[str, Any]) -> None:
    plain = dict(fields)
    access = plain.pop("access", None)
    schedule = plain.pop("schedule", None)
    if access is not None:
        camp.access_level, camp.access_tier_id = access["level"], access.get("tier_id")
    if schedule is not None:
        camp.schedule_kind = schedule["kind"]
        camp.weekdays = sorted(set(schedule.get("weekdays") or ()))
        camp.dates = sorted(set(schedule.get("dates") or ()))
        camp.times = schedule.get("times")
    for name, value in plain.items():
        setattr(camp, name, value)


def _is_relied_on(uow: UnitOfWork, camp: Camp, before: Mapping[str, Any]) -> bool:
    """Whether somebody joined a camp that has begun; an evergreen camp begins for each when they join."""
    begun = camp.evergreen_days is not None or camp.hours.today(uow.now) >= before["starts_on"]
    return begun and bool(uow.session.scalar(select(exists().where(CampMember.camp_id == camp.id))))


def _apply(uow: UnitOfWork, camp: Camp, changed: Mapping[str, Any], *, relied_on: bool) -> None:
    """Let what changed take effect for those who joined: their term, what completes it, their figures."""
    if _MOVES_DAYS & changed.keys():
        _move_days(uow, camp, changed)
    _check_completion(uow, camp)
    _move_terms(uow, camp, relied_on=relied_on)
    rebuild_camp(uow, camp.id, today=camp.hours.today(uow.now))
    complete_due(uow, camp.id)


def _move_terms(uow: UnitOfWork, camp: Camp, *, relied_on: bool) -> None:
    """Give members a fixed camp's new end and, unless theirs is kinder, the new number of days."""
    values: dict[str, Any] = {} if camp.ends_on is None else {"ends_on": camp.ends_on}
    if not relied_on:
        days = count_days(uow, camp, camp.starts_on, camp.ends_on or camp.starts_on)
        values |= {"starts_on": camp.starts_on, "completion_days": camp.completion_days or days}
    elif camp.completion_days is not None:
        values["completion_days"] = func.least(CampMember.completion_days, camp.completion_days)
    if not values:
        return
    uow.session.execute(
        update(CampMember)
        .where(CampMember.camp_id == camp.id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _move_days(uow: UnitOfWork, camp: Camp, changed: Mapping[str, Any]) -> None:
    """Write down anew what moved: only the days after the end, or all where nothing hangs on them yet."""
    since = date.min
    if changed.keys() & _MOVES_DAYS == {"ends_on"} and camp.ends_on and camp.planned_until:
        since = min(camp.ends_on, camp.planned_until) + timedelta(days=1)
    plan_again(uow, camp, since=since, last=camp.ends_on)


def _check(uow: UnitOfWork, camp: Camp) -> None:
    """Refuse rules that contradict themselves. Errors: Invalid."""
    _zone(camp.timezone)
    _check_term(camp)
    _check_schedule(camp)
    _check_windows(camp)
    if camp.access_level == AccessLevel.TIER and camp.access_tier_id is None:
        raise Invalid.field("access.tier_id", "required", "请选择等级。", "Name the least tier.")
    if camp.access_level != AccessLevel.TIER and camp.access_tier_id is not None:
        raise Invalid.field(
            "access.tier_id", "unknown_field", "只有按等级开放时才填。", "Only where access goes by tier."
        )
    if camp.access_tier_id is not None:
        tier = uow.session.get(Tier, camp.access_tier_id)
        if tier is None or tier.circle_id != camp.circle_id:
            raise Invalid.field("access.tier_id", "unknown_tier", "没有这个等级。", "This circle has no such tier.")


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise Invalid.field("timezone", "unknown_timezone", "没有这个时区。", "There is no such time zone.") from None


def _check_term(camp: Camp) -> None:
    if (camp.ends_on is None) == (camp.evergreen_days is None):
        zh, en = "ends_on 和 evergreen_days 须填且只填一个。", "Give either ends_on or evergreen_days."
        raise Invalid.field("ends_on", "one_of", zh, en)
    if camp.ends_on is None:
        return
    if camp.ends_on < camp.starts_on:
        raise Invalid.field("ends_on", "ends_before_start", "不能早于开始日。", "The camp would end before it starts.")
    if (camp.ends_on - camp.starts_on).days >= MOST_DAYS:
        zh, en = f"最长 {MOST_DAYS} 天。", f"A camp lasts at most {MOST_DAYS} days."
        raise Invalid.field("ends_on", "too_long", zh, en)


def _check_schedule(camp: Camp) -> None:
    kind = camp.schedule_kind
    needs = {
        "weekdays": (kind == ScheduleKind.WEEKDAYS, bool(camp.weekdays)),
        "dates": (kind == ScheduleKind.DATES, bool(camp.dates)),
        "times": (kind == ScheduleKind.PER_WEEK, camp.times is not None),
    }
    for name, (needed, given) in needs.items():
        if needed and not given:
            raise Invalid.field(f"schedule.{name}", "required", "缺少必填字段。", "Missing data for required field.")
        if given and not needed:
            zh, en = f"“{kind}”不需要这个字段。", f"'{kind}' has no such field."
            raise Invalid.field(f"schedule.{name}", "unknown_field", zh, en)
    if camp.dates and not _in_term(camp, camp.dates):
        raise Invalid.field(
            "schedule.dates", "out_of_range", "有日期不在营期内。", "Some dates lie outside of the camp."
        )


def _in_term(camp: Camp, dates: Sequence[date]) -> bool:
    last = camp.ends_on or camp.starts_on + timedelta(days=MOST_DAYS)
    return camp.starts_on <= min(dates) and max(dates) <= last


def _check_windows(camp: Camp) -> None:
    try:
        windows = read_windows(camp.windows)
    except ValueError:
        raise Invalid.field("windows", "bad_time", "时段须为 HH:MM。", "Windows are from HH:MM to HH:MM.") from None
    if overlap(windows):
        raise Invalid.field("windows", "overlap", "时段不能重叠。", "Windows must not overlap.")


def _check_completion(uow: UnitOfWork, camp: Camp) -> None:
    """Refuse to ask for more days than there are. Errors: Invalid."""
    if camp.ends_on is not None:
        uow.session.flush()
        days = count_days(uow, camp, camp.starts_on, camp.ends_on)
        if days == 0:
            raise Invalid.field("schedule", "no_days", "营期内没有打卡日。", "The schedule has no day within the camp.")
    else:
        days = camp.evergreen_days or 0
    if camp.completion_days is not None and camp.completion_days > days:
        zh, en = f"营期内只有 {days} 个打卡日。", f"The camp has only {days} days."
        raise Invalid.field("completion_days", "out_of_range", zh, en)


def _put_themes(uow: UnitOfWork, camp: Camp, themes: Sequence[Json]) -> None:
    """Replace the themes. Errors: Invalid."""
    if len({one["number"] for one in themes}) < len(themes):
        raise Invalid.field("themes", "repeated", "同一天只能有一个主题。", "A day has one theme.")
    uow.session.execute(delete(CampTheme).where(CampTheme.camp_id == camp.id))
    uow.session.add_all(CampTheme(camp_id=camp.id, **one) for one in themes)
