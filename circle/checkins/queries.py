"""Reading camps: lists, one camp, one's own days, the heat map, who is at risk."""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Integer, Select, Uuid, and_, bindparam, func, select, text

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.checkins import policy
from circle.checkins.figures import DayKind
from circle.checkins.models import Camp, CampDay, CampTheme, CheckInDay
from circle.checkins.policy import SeenCamp
from circle.checkins.schedule import Schedule, ScheduleKind
from circle.checkins.services.reminding import AT_RISK, at_risk_of
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_look

_CAMPS = Keyset("camps", {"id": UUID})
_AT_RISK_KEY = Keyset("camps.at_risk", {"user_id": UUID})
_LAST_ID = UUID(int=2**128 - 1)
_FIRST_ID = UUID(int=0)
_MOST_NUMBER = 2**31 - 1

_OPEN_TO_ALL = ("id", "circle_id", "title", "starts_on", "ends_on", "evergreen_days", "version", "created_at")
_RULES = (
    "rules",
    "timezone",
    "windows",
    "requirement",
    "completion_days",
    "makeup_cards",
    "makeup_within_days",
    "makeups_count",
    "leave_days",
    "levels",
    "on_feed",
)


def _uuid(name: str) -> Any:
    return bindparam(name, type_=Uuid())


_LIST = Query(
    lambda: (
        policy.select_seen()
        .where(Camp.circle_id == _uuid("circle_id"), Camp.id < _uuid("before"))
        .order_by(Camp.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )
)
_THEMES = Query(
    lambda: (
        select(CampTheme.number, CampTheme.title, CampTheme.body)
        .where(CampTheme.camp_id == _uuid("camp_id"), CampTheme.number <= bindparam("through", type_=Integer()))
        .order_by(CampTheme.number)
    )
)


def _select_days() -> Select[*tuple[Any, ...]]:
    """Select the planned days of a term with the rows that `:user_id` has, and each day's theme."""
    number = func.row_number().over(order_by=CampDay.day).label("number")
    days = (
        select(CampDay.day, CampDay.period, CheckInDay.kind, CheckInDay.late, number)
        .outerjoin(
            CheckInDay,
            and_(
                CheckInDay.camp_id == CampDay.camp_id,
                CheckInDay.user_id == _uuid("user_id"),
                CheckInDay.day == CampDay.day,
            ),
        )
        .where(
            CampDay.camp_id == _uuid("camp_id"),
            CampDay.day.between(bindparam("first", type_=Date()), bindparam("last", type_=Date())),
        )
        .subquery("days")
    )
    theme = and_(CampTheme.camp_id == _uuid("camp_id"), CampTheme.number == days.c.number)
    return select(days, CampTheme.title.label("theme")).outerjoin(CampTheme, theme).order_by(days.c.day)


_DAYS = Query(_select_days)
_HEATMAP = Query(
    lambda: (
        select(CheckInDay.day, func.count().label("count"))
        .where(
            CheckInDay.user_id == _uuid("user_id"),
            CheckInDay.day.between(bindparam("first", type_=Date()), bindparam("last", type_=Date())),
            CheckInDay.kind != DayKind.LEAVE,
        )
        .group_by(CheckInDay.day)
        .order_by(CheckInDay.day)
    )
)
_PLANNED = Query(
    lambda: select(func.count().label("days")).where(
        CampDay.camp_id == _uuid("camp_id"),
        CampDay.day.between(bindparam("first", type_=Date()), bindparam("last", type_=Date())),
    )
)


def list_camps(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's camps, the latest first. Errors: NotFound, Banned, BadCursor."""
    circle = require_look(uow, caller, circle_id)
    rows = uow.rows(
        _LIST,
        circle_id=circle_id,
        reader_id=circle.user_id,
        before=_CAMPS.decode(cursor)["id"] if cursor else _LAST_ID,
        limit=limit + 1,
    )
    page, next_cursor = _CAMPS.page(rows, limit)
    items = [camp_card(policy.seen_from(circle, row), uow.now) for row in page]
    return {"items": items, "next_cursor": next_cursor}


def camp(uow: UnitOfWork, caller: Caller | None, camp_id: UUID) -> Json:
    """Return a camp with the themes that are open to the caller; locked, its teaser. Errors: NotFound, Banned."""
    found = policy.find_camp(uow, caller, camp_id)
    return {**camp_card(found, uow.now), "themes": _themes(uow, found) if found.unlocked else None}


def camp_card(found: SeenCamp, now: datetime) -> Json:
    """Return a camp in the shape of `CampOut`, what is locked left out."""
    row, today = found.row, found.today(now)
    tier = {"id": row["access_tier_id"], "name": row["required_name"], "rank": row["required_rank"]}
    opened = {name: row[name] for name in _RULES} | {
        "schedule": _schedule_card(row),
        "access": {"level": row["access_level"], "tier_id": row["access_tier_id"]},
        "calendar_known_until": _known_until(row),
        "today": today,
        "joined": found.joined,
    }
    return {
        **{name: row[name] for name in _OPEN_TO_ALL},
        "state": _state(row, today),
        "locked": not found.unlocked,
        "required_tier": tier if row["access_tier_id"] else None,
        **(opened if found.unlocked else dict.fromkeys(opened)),
    }


def _state(row: Row, today: date) -> str:
    if today < row["starts_on"]:
        return "upcoming"
    last = row["ends_on"] or row["term_ends_on"]
    return "over" if last is not None and today > last else "running"


def _schedule_card(row: Row) -> Json:
    given = {"weekdays": row["weekdays"] or None, "dates": row["dates"] or None, "times": row["times"]}
    return {"kind": row["schedule_kind"], **given}


def _known_until(row: Row) -> date | None:
    """Return the last day whose holidays are certain, where the schedule goes by them and some are not."""
    guessed: date | None = row["calendar_guessed_from"]
    return date(guessed.year - 1, 12, 31) if guessed else None


def _themes(uow: UnitOfWork, found: SeenCamp) -> list[Json]:
    """Return the themes up to the caller's day or level; teachers see all."""
    through = _MOST_NUMBER if found.teaches else _number_today(uow, found)
    return uow.rows(_THEMES, camp_id=found.id, through=through)


def _number_today(uow: UnitOfWork, found: SeenCamp) -> int:
    if found.row["joined_at"] is None:
        return 0
    if found.row["levels"]:
        return int(found.row["total"]) + 1
    last = min(found.today(uow.now), found.row["term_ends_on"])
    days = uow.row(_PLANNED, camp_id=found.id, first=found.row["term_starts_on"], last=last)
    return int(days["days"]) if days else 0


def me(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Json:
    """Return one's own part in a camp with all its days. Errors: those of `require_own_part`."""
    found = policy.require_own_part(uow, caller, camp_id)
    days = _days(uow, found)
    today = found.today(uow.now)
    todays = next((day for day in days if day["day"] == today), None)
    return {
        **figures_card(found.row, today),
        "joined": found.joined,
        "starts_on": found.row["term_starts_on"],
        "ends_on": found.row["term_ends_on"],
        "today": {
            "day": today,
            "state": todays["state"] if todays else "off",
            "number": todays["number"] if todays else None,
            "theme": todays["theme"] if todays else None,
            "open": found.hours.open_day(uow.now) == today,
            "closes_at": found.hours.closes(today),
        },
        "calendar": days,
    }


def figures_card(row: Row, today: date) -> Json:
    """Return figures in the shape of `CampFiguresOut`, from a row with all columns of a standing and its camp."""
    alive = row["alive_until"] is None or today <= row["alive_until"]
    counted = row["total"] - (0 if row["makeups_count"] else row["made_up"])
    return {
        "streak": row["run"] if alive else 0,
        "longest": row["longest"],
        "total": row["total"],
        "made_up": row["made_up"],
        "cards_left": max(0, row["makeup_cards"] - row["made_up"]),
        "leave_left": max(0, row["leave_days"] - row["leave_taken"]),
        "counted": counted,
        "completion_days": row["term_completion_days"],
        "completed": row["completed_at"] is not None,
        "completed_at": row["completed_at"],
        "level": row["total"] + 1 if row["levels"] else None,
    }


def calendar(uow: UnitOfWork, caller: Caller, camp_id: UUID, *, month: str) -> Json:
    """Return one's own days of a month, `YYYY-MM`. Errors: those of `require_own_part`, Invalid."""
    first, last = read_month(month)
    found = policy.require_own_part(uow, caller, camp_id)
    shown = [day for day in _days(uow, found) if first <= day["day"] <= last]
    return {"month": month, "days": shown, **figures_card(found.row, found.today(uow.now))}


def read_month(month: str) -> tuple[date, date]:
    """Return the first and the last day of a month, `YYYY-MM`. Errors: Invalid."""
    if not re.fullmatch(r"[12]\d{3}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise Invalid.field("month", "bad_time", "月份须为 YYYY-MM。", "A month is YYYY-MM.")
    first = date.fromisoformat(f"{month}-01")
    return first, first.replace(day=monthrange(first.year, first.month)[1])


def _days(uow: UnitOfWork, found: SeenCamp) -> list[Json]:
    first, last = found.row["term_starts_on"], found.row["term_ends_on"]
    rows = uow.rows(_DAYS, camp_id=found.id, user_id=found.circle.user_id, first=first, last=last)
    today = found.today(uow.now)
    weeks = kept_weeks(rows, found.row["times"])
    return [
        {
            "day": row["day"],
            "state": state_of(row, today, weeks),
            "late": bool(row["late"]),
            "number": None if found.row["levels"] else row["number"],
            "theme": row["theme"] if row["day"] <= today and not found.row["levels"] else None,
        }
        for row in rows
    ]


def kept_weeks(rows: Iterable[Row], times: int | None) -> frozenset[date]:
    """Return the weeks in which so many days were done that the others are free."""
    if times is None:
        return frozenset()
    done: dict[date, int] = {}
    for row in rows:
        done[row["period"]] = done.get(row["period"], 0) + (row["kind"] is not None)
    return frozenset(period for period, days in done.items() if days >= times)


def state_of(row: Row, today: date, kept_weeks: frozenset[date]) -> str:
    if row["kind"] is not None:
        return str(row["kind"])
    if row["day"] >= today:
        return "open" if row["day"] == today else "upcoming"
    return "free" if row["period"] in kept_weeks else "missed"


def heatmap(uow: UnitOfWork, caller: Caller, *, year: int) -> Json:
    """Return on which days of a year one checked in, and in how many camps."""
    rows = uow.rows(_HEATMAP, user_id=caller.user_id, first=date(year, 1, 1), last=date(year, 12, 31))
    return {"year": year, "total": sum(row["count"] for row in rows), "days": rows}


def at_risk(uow: UnitOfWork, caller: Caller, camp_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of members who missed two of the last three days. Errors: those of `require_taught_camp`."""
    found = policy.require_taught_camp(uow, caller, camp_id)
    today, row = found.today(uow.now), found.row
    period = Schedule(ScheduleKind(row["schedule_kind"])).period_of(today)
    after = _AT_RISK_KEY.decode(cursor)["user_id"] if cursor else _FIRST_ID
    asked = at_risk_of(camp_id, today, period, row["times"], after=after, limit=limit + 1)
    rows = [dict(one) for one in uow.session.execute(text(AT_RISK), asked).mappings()]
    page, next_cursor = _AT_RISK_KEY.page(rows, limit)
    people = _people(uow, [one["user_id"] for one in page])
    items = [{"user": people[one["user_id"]], "missed": one["missed"], "last_day": one["last_day"]} for one in page]
    return {"items": items, "next_cursor": next_cursor}


def _people(uow: UnitOfWork, ids: list[UUID]) -> Mapping[UUID, Json]:
    found = uow.session.execute(select(User.id, User.display_name, User.avatar_media_id).where(User.id.in_(ids)))
    return {user_id: user_card(user_id, name, avatar) for user_id, name, avatar in found}
