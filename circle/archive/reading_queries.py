"""Reading state: how many posts are unread, where one stopped, how far one is on a reading path."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from circle.archive.errors import ColumnLocked, NotAPath
from circle.archive.policy import require_look_at_column
from circle.archive.reading_models import CircleRead
from circle.archive.resurfacing_queries import was_opened
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row, constant
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_look, standing_from, with_standing
from circle.posts.column_policy import ColumnTier, column_reading, opened
from circle.posts.filing import PATH_SEPARATOR, Column, ColumnItem, PostTag, Tag
from circle.posts.models import FINISHED, Kind, Post, PostRead
from circle.posts.policy import IS_PUBLISHED, Required, is_own, reading, unlocked
from circle.posts.queries import cards
from circle.posts.readers import cards_across

# Counting stops here: a client shows "99+".
MOST_COUNTED = 100
# Of what came since somebody last read all, so many of the newest are looked at.
WINDOW = 1_000

_STOPPED = Keyset("continue", {"last_read_at": datetime, "post_id": UUID})
_LATEST: Row = {"last_read_at": datetime(9999, 12, 31, tzinfo=UTC), "post_id": UUID(int=2**128 - 1)}


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def _since() -> Any:
    """Select since when posts count as unread: when the reader last read all, else when they joined."""
    marked = select(CircleRead.read_until).where(
        CircleRead.user_id == _param("reader_id", Uuid()), CircleRead.circle_id == _param("circle_id", Uuid())
    )
    return func.greatest(marked.scalar_subquery(), _param("joined_at", DateTime(timezone=True)))


def _select_unread() -> Select[*tuple[Any, ...]]:
    """Select how many unread posts there are: of the circle, of each open column, of each tag with all below it."""
    newest = (
        select(Post.id)
        .where(
            Post.circle_id == _param("circle_id", Uuid()),
            IS_PUBLISHED,
            Post.published_at > select(_since()).scalar_subquery(),
        )
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(literal_column(str(WINDOW)))
        .cte("newest")
    )
    unread = (
        select(Post.id)
        .join(newest, newest.c.id == Post.id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(unlocked(), ~is_own(), ~was_opened())
        .cte("unread")
    )
    capped = func.least(func.count(), literal(MOST_COUNTED, Integer())).label("unread")
    of_circle = select(literal("circle").label("kind"), _param("circle_id", Uuid()).label("id"), capped).select_from(
        unread
    )
    of_columns = (
        select(literal("column"), ColumnItem.column_id, capped)
        .select_from(unread)
        .join(ColumnItem, ColumnItem.post_id == unread.c.id)
        .join(Column, Column.id == ColumnItem.column_id)
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(Column.archived_at.is_(None), opened())
        .group_by(ColumnItem.column_id)
    )
    names = func.string_to_array(Tag.path, PATH_SEPARATOR)
    depth = func.generate_series(1, func.cardinality(names)).table_valued("depth").render_derived(name="depths")
    branch = func.array_to_string(func.trim_array(names, func.cardinality(names) - depth.c.depth), PATH_SEPARATOR)
    branches = (
        select(unread.c.id, branch.label("path"))
        .select_from(unread)
        .join(PostTag, PostTag.post_id == unread.c.id)
        .join(Tag, Tag.id == PostTag.tag_id)
        .join(depth, literal_column("true"))
        .distinct()
        .subquery("branches")
    )
    above = Tag.__table__.alias("above")
    of_tags = (
        select(literal("tag"), above.c.id, capped)
        .select_from(branches)
        .join(above, and_(above.c.circle_id == _param("circle_id", Uuid()), above.c.path == branches.c.path))
        .group_by(above.c.id)
    )
    return of_circle.union_all(of_columns, of_tags)  # type: ignore[return-value]


def _select_path() -> Select[*tuple[Any, ...]]:
    """Select a column's gate and what one reader has done of it, in one row."""
    read = PostRead.__table__.alias("read")
    stands = (
        select(
            ColumnItem.post_id,
            ColumnItem.position,
            unlocked().label("open"),
            func.coalesce(read.c.progress >= FINISHED, literal_column("false")).label("done"),
        )
        .join(Post, Post.id == ColumnItem.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .outerjoin(read, and_(read.c.post_id == Post.id, read.c.user_id == _param("reader_id", Uuid())))
        .where(ColumnItem.column_id == _param("column_id", Uuid()), IS_PUBLISHED)
        .cte("stands")
    )
    next_id = (
        select(stands.c.post_id)
        .where(stands.c.open, ~stands.c.done)
        .order_by(stands.c.position, stands.c.post_id)
        .limit(1)
    )

    def count(*conditions: Any) -> Any:
        return select(func.count()).select_from(stands).where(*conditions).scalar_subquery()

    return (
        select(
            Column.is_path,
            opened().label("opened"),
            ColumnTier.name.label("required_tier"),
            count().label("item_count"),
            count(stands.c.open).label("open_count"),
            count(stands.c.open, stands.c.done).label("done_count"),
            next_id.scalar_subquery().label("next_id"),
        )
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(Column.id == _param("column_id", Uuid()), Column.archived_at.is_(None))
    )


@cache
def _stopped(*, circle: bool) -> Query:
    return Query(lambda: _select_stopped(circle=circle))


def _select_stopped(*, circle: bool) -> Select[*tuple[Any, ...]]:
    """Select a page of articles that somebody has begun, each with what they are in its circle."""
    before = tuple_(_param("last_read_at", DateTime(timezone=True)), _param("post_id", Uuid()))
    begun = (
        select(
            PostRead.post_id,
            PostRead.circle_id.label("of_circle"),
            PostRead.user_id.label("of_user"),
            PostRead.progress,
            PostRead.position,
            PostRead.last_read_at,
        )
        .join(Post, Post.id == PostRead.post_id)
        .where(
            PostRead.user_id == _param("user_id", Uuid()),
            PostRead.progress < literal_column(str(FINISHED)),
            tuple_(PostRead.last_read_at, PostRead.post_id) < before,
            Post.kind == constant(Kind.ARTICLE),
            IS_PUBLISHED,
        )
        .order_by(PostRead.last_read_at.desc(), PostRead.post_id.desc())
        .limit(_param("limit", Integer()))
    )
    if circle:
        begun = begun.where(PostRead.circle_id == _param("circle_id", Uuid()))
    rows = begun.subquery("page")
    return with_standing(select(rows), rows.c.of_circle, rows.c.of_user).order_by(
        rows.c.last_read_at.desc(), rows.c.post_id.desc()
    )


_UNREAD, _PATH = Query(_select_unread), Query(_select_path)


def unread(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Json:
    """Return how much of a circle one has not read, up to `MOST_COUNTED` each. Errors: NotFound, Banned."""
    standing = require_look(uow, caller, circle_id)
    rows = uow.rows(
        _UNREAD,
        circle_id=circle_id,
        joined_at=standing.joined_at or standing.now,
        **{**reading(standing), **column_reading(standing)},
    )
    (whole,) = (row["unread"] for row in rows if row["kind"] == "circle")
    columns = [{"column_id": str(row["id"]), "unread": row["unread"]} for row in rows if row["kind"] == "column"]
    tags = [{"tag_id": str(row["id"]), "unread": row["unread"]} for row in rows if row["kind"] == "tag"]
    return {"unread": whole, "columns": columns, "tags": tags}


def progress(uow: UnitOfWork, caller: Caller, column_id: UUID) -> Json:
    """Return how far one is on a reading path, and what comes next.

    Errors: NotFound, Banned, ColumnLocked, NotAPath.
    """
    standing = require_look_at_column(uow, caller, column_id)
    row = uow.row(_PATH, column_id=column_id, **{**reading(standing), **column_reading(standing)})
    if row is None:
        raise NotFound
    if not row["opened"]:
        raise ColumnLocked(required_tier=row["required_tier"])
    if not row["is_path"]:
        raise NotAPath
    following = row["next_id"]
    return {
        "item_count": row["item_count"],
        "open_count": row["open_count"],
        "done_count": row["done_count"],
        "next": cards(uow, standing, [following]).get(following) if following else None,
    }


def begun(uow: UnitOfWork, caller: Caller, *, circle_id: UUID | None, cursor: str | None, limit: int) -> Json:
    """Return a page of articles that one has begun and not finished, the latest first; only what one may open still.

    Errors: BadCursor.
    """
    rows = uow.rows(
        _stopped(circle=circle_id is not None),
        user_id=caller.user_id,
        circle_id=circle_id,
        now=uow.now,
        limit=limit + 1,
        **(_STOPPED.decode(cursor) if cursor else _LATEST),
    )
    page, next_cursor = _STOPPED.page(rows, limit)
    standings = {row["of_circle"]: standing_from(row, uow.now, caller.user_id) for row in page}
    shown = cards_across(uow, standings.values(), [row["post_id"] for row in page])
    plain = ("progress", "position", "last_read_at")
    items = [
        {**{name: row[name] for name in plain}, "post": post}
        for row in page
        if (post := shown.get(row["post_id"])) is not None and not post["locked"]
    ]
    return {"items": items, "next_cursor": next_cursor}
