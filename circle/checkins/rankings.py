"""Rankings by streak and by total, with one's own rank: read from an index, exact at every moment."""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.checkins.models import Standing, Tally
from circle.checkins.policy import SeenCamp, require_camp
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

_KEY = Keyset("rankings", {"value": int, "user_id": UUID, "rank": int, "position": int})
_START = {"value": 2**31 - 1, "user_id": UUID(int=2**128 - 1), "rank": 0, "position": 0}
# One's own rank is counted up to so many times the page's length; beyond, it is told from the worker's tally.
_COUNTED_PER_ROW = 10
_UUID = Uuid()


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


@cache
def _page(by: str, *, swept: bool) -> Query:
    """Return the statement of one ranking; not swept, streaks that broke at the day's end are told one by one."""
    return Query(lambda: _select_page(by, swept=swept))


def _select_page(by: str, *, swept: bool) -> Select[*tuple[Any, ...]]:
    value = Standing.__table__.c[by] if swept or by == "total" else _streak_today()
    here = and_(Standing.camp_id == _param("camp_id", _UUID), Standing.ranked)
    after = tuple_(_param("value", Integer()), _param("user_id", _UUID))
    page = (
        select(Standing.user_id, value.label("value"))
        .where(here, tuple_(value, Standing.user_id) < after)
        .order_by(value.desc(), Standing.user_id.desc())
        .limit(_param("limit", Integer()))
        .subquery("page")
    )
    above = (
        select(literal_column("1"))
        .where(here, value > _param("mine", Integer()))
        .order_by(value.desc())
        .limit(_param("counted", Integer()))
        .subquery("above")
    )
    alias = func.nullif(Membership.alias, "")
    return (
        select(
            page.c.user_id,
            page.c.value,
            func.coalesce(case((User.deleted_at.is_(None), alias)), User.display_name).label("name"),
            User.avatar_media_id,
            select(func.count()).select_from(above).scalar_subquery().label("above"),
            _tallied_above(by).label("tallied_above"),
        )
        .join(User, User.id == page.c.user_id)
        .outerjoin(
            Membership,
            and_(Membership.circle_id == _param("circle_id", _UUID), Membership.user_id == page.c.user_id),
        )
        .order_by(page.c.value.desc(), page.c.user_id.desc())
    )


def _tallied_above(by: str) -> Any:
    counts = select(func.sum(Tally.members)).where(
        Tally.camp_id == _param("camp_id", _UUID), Tally.by == by, Tally.value > _param("mine", Integer())
    )
    return counts.scalar_subquery()


def _streak_today() -> ColumnElement[int]:
    alive = or_(Standing.alive_until.is_(None), Standing.alive_until >= _param("today", Date()))
    return case((alive, Standing.run), else_=0)


def ranking(uow: UnitOfWork, caller: Caller, camp_id: UUID, *, by: str, cursor: str | None, limit: int) -> Json:
    """Return a page of a camp's members, the best first, and one's own place.

    Equal figures share a rank and always stand in the same order. Errors: those of `require_camp`, BadCursor.
    """
    camp = require_camp(uow, caller, camp_id)
    after = _KEY.decode(cursor) if cursor else _START
    today = camp.today(uow.now)
    mine = _own_value(camp, by)
    counted = limit * _COUNTED_PER_ROW
    rows = uow.rows(
        _page(by, swept=_is_swept(camp, uow)),
        camp_id=camp_id,
        circle_id=camp.circle_id,
        value=after["value"],
        user_id=after["user_id"],
        today=today,
        mine=2**31 - 1 if mine is None else mine,
        counted=counted,
        limit=limit + 1,
    )
    placed = _placed(rows, after)
    page, next_cursor = _KEY.page(placed, limit)
    own = None
    if mine is not None and rows:
        own = {"rank": 1 + _above(rows[0], counted), "value": mine}
    return {"by": by, "me": own, "items": [_item(row) for row in page], "next_cursor": next_cursor}


def _own_value(camp: SeenCamp, by: str) -> int | None:
    """Return the caller's own figure; None for who is not ranked."""
    row = camp.row
    if row["joined_at"] is None or not row["ranked"]:
        return None
    if by == "total":
        return int(row["total"])
    today = camp.today(camp.circle.now)
    return int(row["run"]) if row["alive_until"] is None or today <= row["alive_until"] else 0


def _is_swept(camp: SeenCamp, uow: UnitOfWork) -> bool:
    swept = camp.row["swept_at"]
    return swept is not None and swept >= camp.hours.begins(camp.today(uow.now))


def _above(row: Row, counted: int) -> int:
    """Return how many are above; far down as of the last tally, at most half a minute ago."""
    above = int(row["above"])
    return above if above < counted else max(above, int(row["tallied_above"] or 0))


def _placed(rows: Sequence[Row], after: Row) -> list[Row]:
    """Add to each row its position and its rank, which equals share."""
    placed: list[Row] = []
    before = after
    for row in rows:
        position = before["position"] + 1
        rank = before["rank"] if before["position"] and row["value"] == before["value"] else position
        before = {**row, "position": position, "rank": rank}
        placed.append(before)
    return placed


def _item(row: Row) -> Json:
    user = user_card(row["user_id"], row["name"], row["avatar_media_id"])
    return {"rank": row["rank"], "value": row["value"], "user": user}
