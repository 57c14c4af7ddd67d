"""Reading columns: what a locked one tells is its name, its intro and how much stands in it."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, any_, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.policy import require_column, require_look_at_column
from circle.circles.queries import cover_url
from circle.kernel.caller import Caller
from circle.kernel.cursor import DEFAULT_LIMIT, Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, require_look
from circle.posts.column_policy import ColumnTier, column_reading, opened
from circle.posts.filing import Column, ColumnItem, ColumnSection
from circle.posts.models import Post
from circle.posts.policy import IS_PUBLISHED
from circle.posts.queries import cards

_COLUMNS = Keyset("columns", {"position": int, "id": UUID})
_ITEMS = Keyset("column.items", {"position": int, "post_id": UUID})
_BEFORE_COLUMNS: Row = {"position": -(2**31), "id": UUID(int=0)}
_BEFORE_ITEMS: Row = {"position": -(2**31), "post_id": UUID(int=0)}


def _select_column() -> Select[*tuple[Any, ...]]:
    counted = (
        select(func.count())
        .select_from(ColumnItem)
        .join(Post, Post.id == ColumnItem.post_id)
        .where(ColumnItem.column_id == Column.id, IS_PUBLISHED)
        .scalar_subquery()
    )
    return select(
        Column.id,
        Column.circle_id,
        Column.name,
        Column.intro,
        Column.cover_media_id,
        Column.access_level,
        Column.access_tier_id,
        Column.is_path,
        Column.position,
        Column.created_at,
        Column.version,
        ColumnTier.name.label("tier_name"),
        ColumnTier.rank.label("tier_rank"),
        opened().label("opened"),
        counted.label("item_count"),
    ).outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)


def _select_columns() -> Select[*tuple[Any, ...]]:
    after = tuple_(bindparam("after_position", type_=Integer()), bindparam("after_id", type_=Uuid()))
    return (
        _select_column()
        .where(
            Column.circle_id == bindparam("circle_id", type_=Uuid()),
            Column.archived_at.is_(None),
            tuple_(Column.position, Column.id) > after,
        )
        .order_by(Column.position, Column.id)
        .limit(bindparam("limit", type_=Integer()))
    )


def _select_sections() -> Select[*tuple[Any, ...]]:
    counted = (
        select(func.count())
        .select_from(ColumnItem)
        .join(Post, Post.id == ColumnItem.post_id)
        .where(ColumnItem.section_id == ColumnSection.id, ColumnItem.column_id == ColumnSection.column_id, IS_PUBLISHED)
        .scalar_subquery()
    )
    return (
        select(ColumnSection.id, ColumnSection.name, counted.label("item_count"))
        .where(ColumnSection.column_id == bindparam("column_id", type_=Uuid()))
        .order_by(ColumnSection.position, ColumnSection.id)
    )


def _select_items() -> Select[*tuple[Any, ...]]:
    after = tuple_(bindparam("after_position", type_=Integer()), bindparam("after_post_id", type_=Uuid()))
    return (
        select(ColumnItem.post_id, ColumnItem.section_id, ColumnItem.position)
        .join(Post, Post.id == ColumnItem.post_id)
        .where(
            ColumnItem.column_id == bindparam("column_id", type_=Uuid()),
            tuple_(ColumnItem.position, ColumnItem.post_id) > after,
            IS_PUBLISHED,
        )
        .order_by(ColumnItem.position, ColumnItem.post_id)
        .limit(bindparam("limit", type_=Integer()))
    )


_COLUMN = Query(
    lambda: _select_column().where(Column.id == bindparam("column_id", type_=Uuid()), Column.archived_at.is_(None))
)
_BY_IDS = Query(
    lambda: _select_column().where(
        Column.circle_id == bindparam("circle_id", type_=Uuid()),
        Column.id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
        Column.archived_at.is_(None),
    )
)
_SECTIONS = Query(_select_sections)
_COLUMN_PAGE, _ITEM_PAGE = Query(_select_columns, may_lag=True), Query(_select_items, may_lag=True)


def columns(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of the circle's columns in their order. Errors: NotFound, Banned, BadCursor."""
    standing = require_look(uow, caller, circle_id)
    after = _COLUMNS.decode(cursor) if cursor else _BEFORE_COLUMNS
    rows = uow.rows(
        _COLUMN_PAGE,
        circle_id=circle_id,
        after_position=after["position"],
        after_id=after["id"],
        limit=limit + 1,
        **column_reading(standing),
    )
    page, next_cursor = _COLUMNS.page(rows, limit)
    return {"items": [_card(row) for row in page], "next_cursor": next_cursor}


def column(uow: UnitOfWork, caller: Caller | None, column_id: UUID) -> Json:
    """Return a column with its sections and the first page of its posts; both are empty where it is locked.

    Errors: NotFound, Banned.
    """
    standing = require_look_at_column(uow, caller, column_id)
    row = uow.row(_COLUMN, column_id=column_id, **column_reading(standing))
    if row is None:
        raise NotFound
    if not row["opened"]:
        return {**_card(row), "sections": [], "items": [], "next_cursor": None}
    sections = [
        {"id": str(one["id"]), "name": one["name"], "item_count": one["item_count"]}
        for one in uow.rows(_SECTIONS, column_id=column_id)
    ]
    return {**_card(row), "sections": sections, **_items(uow, standing, column_id, cursor=None, limit=DEFAULT_LIMIT)}


def items(uow: UnitOfWork, caller: Caller | None, column_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a column's posts in its order. Errors: NotFound, Banned, ColumnLocked, BadCursor."""
    return _items(uow, require_column(uow, caller, column_id), column_id, cursor=cursor, limit=limit)


def _items(uow: UnitOfWork, standing: Standing, column_id: UUID, *, cursor: str | None, limit: int) -> Json:
    after = _ITEMS.decode(cursor) if cursor else _BEFORE_ITEMS
    rows = uow.rows(
        _ITEM_PAGE,
        column_id=column_id,
        after_position=after["position"],
        after_post_id=after["post_id"],
        limit=limit + 1,
    )
    page, next_cursor = _ITEMS.page(rows, limit)
    shown = cards(uow, standing, [row["post_id"] for row in page])
    return {
        "items": [
            {"section_id": str(row["section_id"]) if row["section_id"] else None, "post": shown[row["post_id"]]}
            for row in page
            if row["post_id"] in shown
        ],
        "next_cursor": next_cursor,
    }


def column_cards(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return columns of the standing's circle by id, for clients that mirror it."""
    rows = uow.rows(_BY_IDS, circle_id=standing.circle_id, ids=list(ids), **column_reading(standing))
    return {row["id"]: _card(row) for row in rows}


def _card(row: Row) -> Json:
    tier = None
    if row["access_tier_id"] is not None:
        tier = {"id": str(row["access_tier_id"]), "name": row["tier_name"], "rank": row["tier_rank"]}
    return {
        "id": str(row["id"]),
        "circle_id": str(row["circle_id"]),
        "name": row["name"],
        "intro": row["intro"],
        "cover_url": cover_url(row["cover_media_id"]),
        "locked": not row["opened"],
        "required_tier": tier,
        "access": {"level": row["access_level"], "tier_id": tier["id"] if tier else None},
        "is_path": row["is_path"],
        "position": row["position"],
        "item_count": row["item_count"],
        "created_at": row["created_at"],
        "version": row["version"],
    }
