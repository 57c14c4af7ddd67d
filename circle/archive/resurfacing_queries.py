"""What the archive brings back: unread gems, this day in other years, what is related to a post.

Only what the reader may open is brought back: the rule stands in each statement, and the cards ask again.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Uuid,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.reading_models import PostScore
from circle.archive.services.scoring import GEM
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, require_look
from circle.posts.column_policy import ColumnTier, column_reading, opened
from circle.posts.filing import Column, ColumnItem, PostTag
from circle.posts.models import Post, PostRead
from circle.posts.policy import IS_PUBLISHED, Required, is_own, reading, require_post, unlocked
from circle.posts.queries import cards

# An import may bring posts from so far back.
YEARS_BACK = 50

# What is looked at for related posts, so that a large tag or column costs no more than a small one.
_NEWEST_OF_A_TAG = 200
_BEST_OF_THE_CIRCLE = 300
_NEIGHBOURS = 25
# What a shared tag, and standing near each other in a column, count for beside a post's value.
_A_TAG, _A_COLUMN = 30, 20

_GEMS = Keyset("gems", {"score": int, "post_id": UUID})
_BEST: Row = {"score": 2**31 - 1, "post_id": UUID(int=2**128 - 1)}
_DAY = Keyset("on_this_day", {"published_at": datetime, "post_id": UUID})
_LATEST: Row = {"published_at": datetime(9999, 12, 31, tzinfo=UTC), "post_id": UUID(int=2**128 - 1)}


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def was_opened() -> ColumnElement[bool]:
    """Tell in SQL whether the reader has opened a post."""
    return exists(
        select(PostRead.post_id).where(PostRead.post_id == Post.id, PostRead.user_id == _param("reader_id", Uuid()))
    )


@cache
def _gem_page(limit: int) -> Query:
    return Query(lambda: _select_gems(limit), may_lag=True)


def _select_gems(limit: int) -> Select[*tuple[Any, ...]]:
    return (
        select(PostScore.post_id, PostScore.score)
        .join(Post, Post.id == PostScore.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(
            PostScore.circle_id == _param("circle_id", Uuid()),
            PostScore.score >= GEM,
            tuple_(PostScore.score, PostScore.post_id) < tuple_(_param("score", Integer()), _param("post_id", Uuid())),
            IS_PUBLISHED,
            unlocked(),
            ~is_own(),
            ~was_opened(),
        )
        .order_by(PostScore.score.desc(), PostScore.post_id.desc())
        # The planner must know that few are wanted, or it reads and sorts all gems.
        .limit(literal_column(str(limit)))
    )


def _select_on_this_day() -> Select[*tuple[Any, ...]]:
    moment = DateTime(timezone=True)
    days = (
        func.unnest(
            _param("starts", ARRAY(moment)), _param("ends", ARRAY(moment)), _param("years_ago", ARRAY(Integer()))
        )
        .table_valued("starts_at", "ends_at", "years_ago")
        .render_derived(name="day")
    )
    before = tuple_(_param("published_at", moment), _param("post_id", Uuid()))
    # Day by day, so that each is a short range of the feed's index.
    of_day = (
        select(Post.id, Post.published_at)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(
            Post.circle_id == _param("circle_id", Uuid()),
            IS_PUBLISHED,
            Post.published_at >= days.c.starts_at,
            Post.published_at < days.c.ends_at,
            tuple_(Post.published_at, Post.id) < before,
            unlocked(),
        )
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(_param("limit", Integer()))
        .lateral("of_day")
    )
    return (
        select(of_day.c.id.label("post_id"), of_day.c.published_at, days.c.years_ago)
        .select_from(days)
        .join(of_day, true())
        .order_by(of_day.c.published_at.desc(), of_day.c.id.desc())
        .limit(_param("limit", Integer()))
    )


def _select_related() -> Select[*tuple[Any, ...]]:
    """Select the best of what shares tags or columns with a post, and of the circle where that is too little."""
    this = _param("post_id", Uuid())
    best = (
        select(PostScore.post_id)
        .where(PostScore.circle_id == _param("circle_id", Uuid()))
        .order_by(PostScore.score.desc(), PostScore.post_id.desc())
        .limit(_BEST_OF_THE_CIRCLE)
        .cte("best")
    )
    tags = select(PostTag.tag_id).where(PostTag.post_id == this).cte("tags")
    newest = (
        select(PostTag.post_id)
        .where(PostTag.tag_id == tags.c.tag_id)
        .order_by(PostTag.post_id.desc())
        .limit(_NEWEST_OF_A_TAG)
        .lateral("newest")
    )
    by_tag = (
        select(tags.c.tag_id, newest.c.post_id)
        .select_from(tags)
        .join(newest, true())
        .union(
            select(PostTag.tag_id, PostTag.post_id)
            .join(best, best.c.post_id == PostTag.post_id)
            .join(tags, tags.c.tag_id == PostTag.tag_id)
        )
        .subquery("by_tag")
    )
    filed = ColumnItem.__table__.alias("filed")
    columns = (
        select(filed.c.column_id, filed.c.position)
        .join(Column, Column.id == filed.c.column_id)
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(filed.c.post_id == this, Column.archived_at.is_(None), opened())
        .cte("columns")
    )
    near = (
        select(ColumnItem.post_id)
        .where(
            ColumnItem.column_id == columns.c.column_id,
            ColumnItem.position.between(columns.c.position - _NEIGHBOURS, columns.c.position + _NEIGHBOURS),
        )
        .lateral("near")
    )
    shared = (
        select(by_tag.c.post_id, literal(_A_TAG, Integer()).label("weight"))
        .union_all(
            select(near.c.post_id, literal(_A_COLUMN, Integer())).select_from(columns).join(near, true()),
            select(best.c.post_id, literal(0, Integer())),
        )
        .subquery("shared")
    )
    weighed = (
        select(shared.c.post_id, func.sum(shared.c.weight).label("weight"))
        .group_by(shared.c.post_id)
        .subquery("weighed")
    )
    value = weighed.c.weight + func.coalesce(PostScore.score, literal_column("0"))
    return (
        select(Post.id.label("post_id"))
        .select_from(weighed)
        .join(Post, Post.id == weighed.c.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .outerjoin(PostScore, PostScore.post_id == Post.id)
        .where(Post.circle_id == _param("circle_id", Uuid()), Post.id != this, IS_PUBLISHED, unlocked(), value > 0)
        .order_by(value.desc(), Post.id.desc())
        .limit(_param("limit", Integer()))
    )


_DAY_PAGE, _RELATED = Query(_select_on_this_day, may_lag=True), Query(_select_related, may_lag=True)


def gems(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of what is worth reading and was not opened yet, the best first.

    Errors: NotFound, Banned, BadCursor.
    """
    standing = require_look(uow, caller, circle_id)
    after = _GEMS.decode(cursor) if cursor else _BEST
    rows = uow.rows(_gem_page(limit + 1), circle_id=circle_id, **after, **reading(standing))
    page, next_cursor = _GEMS.page(rows, limit)
    return {"items": _with_posts(uow, standing, page, "score"), "next_cursor": next_cursor}


def on_this_day(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of what was published on today's date of other years, the latest first, by the circle's time zone.

    Errors: NotFound, Banned, BadCursor.
    """
    standing = require_look(uow, caller, circle_id)
    after = _DAY.decode(cursor) if cursor else _LATEST
    days = _same_days(standing)
    rows = uow.rows(_DAY_PAGE, circle_id=circle_id, limit=limit + 1, **days, **after, **reading(standing))
    page, next_cursor = _DAY.page(rows, limit)
    return {"items": _with_posts(uow, standing, page, "years_ago"), "next_cursor": next_cursor}


def related(uow: UnitOfWork, caller: Caller | None, post_id: UUID, *, limit: int) -> Json:
    """Return what to read after a post that one may read, the closest first. Errors: NotFound, Banned, PostLocked."""
    standing = require_post(uow, caller, post_id).standing
    rows = uow.rows(
        _RELATED,
        circle_id=standing.circle_id,
        post_id=post_id,
        limit=limit,
        **{**reading(standing), **column_reading(standing)},
    )
    shown = cards(uow, standing, [row["post_id"] for row in rows])
    return {"items": [shown[row["post_id"]] for row in rows if row["post_id"] in shown], "next_cursor": None}


def _with_posts(uow: UnitOfWork, standing: Standing, page: Sequence[Row], name: str) -> list[Json]:
    shown = cards(uow, standing, [row["post_id"] for row in page])
    return [{name: row[name], "post": shown[row["post_id"]]} for row in page if row["post_id"] in shown]


def _same_days(standing: Standing) -> dict[str, list[Any]]:
    """Return where the same day of each year before began and ended; the 29th of February has fewer."""
    zone = ZoneInfo(standing.timezone)
    today = standing.now.astimezone(zone).date()
    found = [(ago, _day_before(today, ago)) for ago in range(1, min(YEARS_BACK, today.year - 1) + 1)]
    days = [(ago, day) for ago, day in found if day is not None]
    return {
        "starts": [_midnight(day, zone) for _, day in days],
        "ends": [_midnight(day + timedelta(days=1), zone) for _, day in days],
        "years_ago": [ago for ago, _ in days],
    }


def _day_before(day: date, years: int) -> date | None:
    leap_day = (day.month, day.day) == (2, 29)
    year = day.year - years
    return day.replace(year=year) if not leap_day or _is_leap(year) else None


def _is_leap(year: int) -> bool:
    return date(year, 3, 1) - date(year, 2, 28) == timedelta(days=2)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=zone).astimezone(UTC)
