"""The class calendar: the days of a month of everybody in a camp, for teachers."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Integer, Select, Uuid, bindparam, case, func, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by, array

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.checkins import policy
from circle.checkins.models import Camp, CampDay, CampMember, CheckInDay, Standing
from circle.checkins.queries import kept_weeks, read_month, state_of
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

_KEY = Keyset("camps.class", {"user_id": UUID})
_FIRST_ID = UUID(int=0)
# Days beyond the month that share a week with some of it: they tell whether the week was kept.
_WEEK = timedelta(days=6)


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def _select_class() -> Select[*tuple[Any, ...]]:
    """Select members with the days they have, and in each row the days that the camp meets on."""
    span = (_param("first", Date()), _param("last", Date()))
    met = select(func.array_agg(aggregate_order_by(array([CampDay.day, CampDay.period]), CampDay.day)))
    met = met.where(CampDay.camp_id == _param("camp_id", Uuid()), CampDay.day.between(*span))
    kept = (
        select(
            func.array_agg(CheckInDay.day).label("days"),
            func.array_agg(CheckInDay.kind).label("kinds"),
            func.array_agg(CheckInDay.late).label("late"),
        )
        .where(
            CheckInDay.camp_id == CampMember.camp_id,
            CheckInDay.user_id == CampMember.user_id,
            CheckInDay.day.between(*span),
        )
        .lateral("kept")
    )
    alias = case((User.deleted_at.is_(None), func.nullif(Membership.alias, "")))
    in_circle = (Membership.circle_id == Camp.circle_id) & (Membership.user_id == CampMember.user_id)
    same = (Standing.camp_id == CampMember.camp_id) & (Standing.user_id == CampMember.user_id)
    return (
        select(
            CampMember.user_id,
            CampMember.starts_on,
            CampMember.ends_on,
            Standing.run,
            Standing.alive_until,
            Standing.total,
            func.coalesce(alias, User.display_name).label("name"),
            User.avatar_media_id,
            met.scalar_subquery().label("met"),
            kept.c.days,
            kept.c.kinds,
            kept.c.late,
        )
        .select_from(CampMember)
        .join(Standing, same)
        .join(Camp, Camp.id == CampMember.camp_id)
        .join(User, User.id == CampMember.user_id)
        .outerjoin(Membership, in_circle)
        .join(kept, true())
        .where(
            CampMember.camp_id == _param("camp_id", Uuid()),
            Standing.ranked,
            CampMember.user_id > _param("after", Uuid()),
        )
        .order_by(CampMember.user_id)
        .limit(_param("limit", Integer()))
    )


_CLASS = Query(_select_class)


def class_calendar(
    uow: UnitOfWork, caller: Caller, camp_id: UUID, *, month: str, cursor: str | None, limit: int
) -> Json:
    """Return a page of those who take part, each with their days of a month, `YYYY-MM`.

    Errors: those of `require_taught_camp`, Invalid, BadCursor.
    """
    first, last = read_month(month)
    found = policy.require_taught_camp(uow, caller, camp_id)
    rows = uow.rows(
        _CLASS,
        camp_id=camp_id,
        first=first - _WEEK,
        last=last + _WEEK,
        after=_KEY.decode(cursor)["user_id"] if cursor else _FIRST_ID,
        limit=limit + 1,
    )
    page, next_cursor = _KEY.page(rows, limit)
    today, times = found.today(uow.now), found.row["times"]
    items = [_item(row, _days_of(row), first, last, today, times) for row in page]
    return {"month": month, "today": today, "items": items, "next_cursor": next_cursor}


def _item(row: Row, days: list[Row], first: date, last: date, today: date, times: int | None) -> Json:
    weeks = kept_weeks(days, times)
    alive = row["alive_until"] is None or today <= row["alive_until"]
    return {
        "user": user_card(row["user_id"], row["name"], row["avatar_media_id"]),
        "streak": row["run"] if alive else 0,
        "total": row["total"],
        "days": [
            {"day": one["day"], "state": state_of(one, today, weeks), "late": bool(one["late"])}
            for one in days
            if first <= one["day"] <= last
        ],
    }


def _days_of(row: Row) -> list[Row]:
    """Return the days of somebody's own term on which the camp meets, with what they did."""
    kinds = dict(zip(row["days"] or (), zip(row["kinds"] or (), row["late"] or (), strict=True), strict=True))
    days: list[Row] = []
    for day, period in row["met"] or ():
        if row["starts_on"] <= day <= row["ends_on"]:
            kind, late = kinds.get(day, (None, False))
            days.append({"day": day, "period": period, "kind": kind, "late": late})
    return days
