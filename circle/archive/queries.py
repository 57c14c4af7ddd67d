"""Reading the tree of tags, and imports. Columns are in `column_queries.py`."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Text, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from circle.archive.importing.faults import say_fault
from circle.archive.models import Import
from circle.archive.policy import require_import
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.text import Language
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_look
from circle.posts.filing import PATH_SEPARATOR, PostTag, Tag
from circle.posts.models import Post
from circle.posts.policy import IS_PUBLISHED

_TAGS = Keyset("tags", {"path": str})
_TAG_COLUMNS = (Tag.id, Tag.parent_id, Tag.name, Tag.path, Tag.version)


def _select_tags() -> Select[*tuple[Any, ...]]:
    """Select one page of tags, each with the number of published posts in it and below it."""
    page = (
        select(*_TAG_COLUMNS)
        .where(Tag.circle_id == bindparam("circle_id", type_=Uuid()), Tag.path > bindparam("after_path", type_=Text()))
        .order_by(Tag.path)
        .limit(bindparam("limit", type_=Integer()))
        .cte("page")
    )
    tree = select(page.c.id.label("top_id"), page.c.id).cte("tree", recursive=True)
    below = aliased(Tag)
    tree = tree.union_all(select(tree.c.top_id, below.id).join(below, below.parent_id == tree.c.id))
    counted = (
        select(tree.c.top_id, func.count(PostTag.post_id.distinct()).label("post_count"))
        .join(PostTag, PostTag.tag_id == tree.c.id)
        .join(Post, Post.id == PostTag.post_id)
        .where(IS_PUBLISHED)
        .group_by(tree.c.top_id)
        .subquery("counted")
    )
    return (
        select(page, func.coalesce(counted.c.post_count, 0).label("post_count"))
        .outerjoin(counted, counted.c.top_id == page.c.id)
        .order_by(page.c.path)
    )


def _select_tag() -> Select[*tuple[Any, ...]]:
    return select(*_TAG_COLUMNS).where(Tag.id == bindparam("tag_id", type_=Uuid()))


def _select_tags_by_id() -> Select[*tuple[Any, ...]]:
    some = Tag.id == any_(bindparam("ids", type_=ARRAY(Uuid())))
    return select(*_TAG_COLUMNS).where(Tag.circle_id == bindparam("circle_id", type_=Uuid()), some)


_TAG_PAGE, _TAG, _TAGS_BY_ID = Query(_select_tags, may_lag=True), Query(_select_tag), Query(_select_tags_by_id)


def tags(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of the circle's tags by path, parents before children. Errors: NotFound, Banned, BadCursor.

    A tag without a published post may be a word of somebody's draft: who doesn't file is not told of it, and may get a
    page that is not full.
    """
    files = require_look(uow, caller, circle_id).may(Permission.FILE_ARCHIVE)
    after = _TAGS.decode(cursor)["path"] if cursor else ""
    rows, next_cursor = _TAGS.page(uow.rows(_TAG_PAGE, circle_id=circle_id, after_path=after, limit=limit + 1), limit)
    shown = [{**_tag(row), "post_count": row["post_count"]} for row in rows if files or row["post_count"]]
    return {"items": shown, "next_cursor": next_cursor}


def tag(uow: UnitOfWork, tag_id: UUID) -> Json:
    row = uow.row(_TAG, tag_id=tag_id)
    if row is None:
        raise NotFound
    return _tag(row)


def tag_cards(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return tags of the standing's circle by id, for clients that mirror it."""
    rows = uow.rows(_TAGS_BY_ID, circle_id=standing.circle_id, ids=list(ids))
    return {row["id"]: _tag(row) for row in rows}


def _tag(row: Row) -> Json:
    return {
        "id": str(row["id"]),
        "parent_id": str(row["parent_id"]) if row["parent_id"] else None,
        "name": row["name"],
        "path": row["path"],
        "depth": row["path"].count(PATH_SEPARATOR) + 1,
        "version": row["version"],
    }


def find_import(uow: UnitOfWork, caller: Caller, import_id: UUID, language: Language) -> Json:
    """Return an import for who may import. Errors: NotFound, MissingPermission and the like."""
    return import_page(require_import(uow, caller, import_id), language)


def import_page(found: Import, language: Language) -> Json:
    """Return an import with its progress, and its report in the reader's language."""
    refusal = found.refusal
    return {
        "id": found.id,
        "circle_id": found.circle_id,
        "format": found.format,
        "status": found.status,
        "dry_run": found.is_rehearsal,
        "total": found.total,
        "counts": found.counts,
        "report": [{**one, "message": say_fault(one["code"], language, one["data"])} for one in found.report],
        "refusal": None if refusal is None else refusal["en" if language == "en" else "zh"],
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
    }
