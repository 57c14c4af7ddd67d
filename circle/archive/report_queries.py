"""The creator's view of the archive: what is read, what was never opened, and what was searched for in vain."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Date, Integer, Select, Uuid, bindparam, func, literal_column, or_, select

from circle.archive.reading_models import PostScore
from circle.archive.search.models import SearchMiss
from circle.kernel.caller import Caller
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.media.services import quotas
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission
from circle.posts.models import Post
from circle.posts.policy import IS_PUBLISHED
from circle.posts.queries import cards

# Searches of so many days count.
MISSES_OF = timedelta(days=90)
_FIGURES = ("readers", "finishers", "likers", "keepers", "repliers", "score")
_OPENED = PostScore.readers > literal_column("0")
_HERE = bindparam("circle_id", type_=Uuid())
_LIMIT = bindparam("limit", type_=Integer())


def _select_totals() -> Select[*tuple[Any, ...]]:
    return (
        select(
            func.count().label("post_count"),
            func.count().filter(_OPENED).label("opened_count"),
            func.count().filter(Post.digest_at.is_not(None)).label("digest_count"),
        )
        .select_from(Post)
        .outerjoin(PostScore, PostScore.post_id == Post.id)
        .where(Post.circle_id == _HERE, IS_PUBLISHED)
    )


def _select_most_read() -> Select[*tuple[Any, ...]]:
    return (
        select(PostScore.post_id, *(getattr(PostScore, name) for name in _FIGURES))
        .join(Post, Post.id == PostScore.post_id)
        .where(PostScore.circle_id == _HERE, _OPENED, IS_PUBLISHED)
        .order_by(PostScore.readers.desc(), PostScore.post_id.desc())
        .limit(_LIMIT)
    )


def _select_never_opened() -> Select[*tuple[Any, ...]]:
    return (
        select(Post.id.label("post_id"))
        .outerjoin(PostScore, PostScore.post_id == Post.id)
        .where(Post.circle_id == _HERE, IS_PUBLISHED, or_(PostScore.post_id.is_(None), ~_OPENED))
        .order_by(Post.published_at, Post.id)
        .limit(_LIMIT)
    )


def _select_misses() -> Select[*tuple[Any, ...]]:
    times = func.sum(SearchMiss.times)
    return (
        select(SearchMiss.query, times.label("times"), func.max(SearchMiss.day).label("last_on"))
        .where(SearchMiss.circle_id == _HERE, SearchMiss.day > bindparam("after", type_=Date()))
        .group_by(SearchMiss.query)
        .order_by(times.desc(), SearchMiss.query)
        .limit(_LIMIT)
    )


_TOTALS, _MISSES = Query(_select_totals, may_lag=True), Query(_select_misses, may_lag=True)
_MOST_READ, _NEVER_OPENED = Query(_select_most_read, may_lag=True), Query(_select_never_opened, may_lag=True)


def report(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, limit: int) -> Json:
    """Return the archive's figures, as of the last count, and the first of each list.

    Readers are others than the author. Errors: those of `require_permission`.
    """
    standing = require_permission(uow, caller, circle_id, Permission.FILE_ARCHIVE)
    (totals,) = uow.rows(_TOTALS, circle_id=circle_id)
    read = uow.rows(_MOST_READ, circle_id=circle_id, limit=limit)
    unopened = uow.rows(_NEVER_OPENED, circle_id=circle_id, limit=limit)
    shown = cards(uow, standing, [row["post_id"] for row in (*read, *unopened)])
    return {
        **totals,
        "storage": quotas.used(uow, circle_id)._asdict(),
        "most_read": [_figures(row, shown[row["post_id"]]) for row in read if row["post_id"] in shown],
        "never_opened": [shown[row["post_id"]] for row in unopened if row["post_id"] in shown],
        "searched_in_vain": uow.rows(_MISSES, circle_id=circle_id, after=_today(standing) - MISSES_OF, limit=limit),
    }


def _figures(row: Row, post: Json) -> Json:
    return {**{name: row[name] for name in _FIGURES}, "post": post}


def _today(standing: Standing) -> date:
    return standing.now.astimezone(ZoneInfo(standing.timezone)).date()
