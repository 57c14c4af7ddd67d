"""Batch work: tags, a column and the digest mark for many posts in one request, each step one statement.

Doing it again changes nothing. A request takes up to `MAX_BATCH` posts; `next_cursor` goes on where there are more.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    and_,
    any_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from circle.archive import events
from circle.archive.policy import require_filed_column
from circle.archive.services.appending import append_to_column
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.changes import Change
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text as Sentence
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission
from circle.posts.filing import PATH_SEPARATOR, ColumnItem, PostTag, Tag
from circle.posts.models import Post, PostStatus
from circle.posts.services.tagging import MAX_TAGS, keep_tags_in_place, read_paths, require_tags

MAX_BATCH = 1_000

_BATCH = Keyset("batch", {"published_at": datetime, "id": UUID})
_UNKNOWN_POST = Sentence("星球中没有这篇内容。", "There is no such post in this circle.")
_QUIET = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Taken:
    """A post of the batch, locked until the commit."""

    id: UUID
    author_id: UUID


def work_batch(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    where: Mapping[str, Any] | None = None,
    post_ids: Sequence[UUID] | None = None,
    add_tags: Sequence[str] = (),
    remove_tags: Sequence[str] = (),
    column_id: UUID | None = None,
    section_id: UUID | None = None,
    digest: bool | None = None,
    cursor: str | None = None,
) -> Json:
    """Tag, file and mark the published posts that are named or that the filter finds; tell how many changed.

    Errors: MissingPermission, NotFound (column), Invalid (both or neither of filter and ids, unknown posts, bad tags,
    unknown section, nothing to do), BadCursor.
    """
    standing = require_permission(uow, caller, circle_id, Permission.FILE_ARCHIVE)
    added, removed = read_paths(add_tags, field="add_tags"), read_paths(remove_tags, field="remove_tags")
    _require_one_choice(where, post_ids)
    if not added and not removed and column_id is None and digest is None:
        raise Invalid.field("add_tags", "nothing_to_do", "没有要做的事。", "There is nothing to do.")
    if column_id is not None:
        column, _standing = require_filed_column(uow, caller, column_id)
        _require_same_circle(column.circle_id, circle_id)
    taken, next_cursor = _take(uow, standing, where, post_ids, cursor)
    ids = [one.id for one in taken]
    tagged, full = _add_tags(uow, circle_id, ids, added)
    untagged = _remove_tags(uow, circle_id, ids, removed)
    marked = set() if digest is None else _mark(uow, caller, circle_id, taken, digest=digest)
    filed = set() if column_id is None else append_to_column(uow, caller, column, ids, section_id=section_id)
    _note(uow, circle_id, tagged | untagged | marked)
    changed = {"tagged": len(tagged), "untagged": len(untagged), "filed": len(filed), "digest": len(marked)}
    if any(changed.values()):
        audit.record(
            uow,
            caller,
            "archive.batch",
            circle_id=circle_id,
            subject_kind="circle",
            subject_id=circle_id,
            add_tags=added,
            remove_tags=removed,
            changed=changed,
        )
    return {
        "matched": len(taken),
        "changed": len(tagged | untagged | marked | filed),
        "by_step": changed,
        "skipped": [{"post_id": one, "code": "too_many_tags"} for one in ids if one in full],
        "next_cursor": next_cursor,
    }


def _require_one_choice(where: Mapping[str, Any] | None, post_ids: Sequence[UUID] | None) -> None:
    if (where is None) == (post_ids is None):
        zh, en = "filter 和 post_ids 须填且只填一个。", "Give either filter or post_ids."
        raise Invalid.field("filter", "one_of", zh, en)


def _require_same_circle(of_column: UUID, circle_id: UUID) -> None:
    if of_column != circle_id:
        raise Invalid.field("column_id", "unknown_column", "没有这个专栏。", "There is no such column here.")


def _take(
    uow: UnitOfWork,
    standing: Standing,
    where: Mapping[str, Any] | None,
    post_ids: Sequence[UUID] | None,
    cursor: str | None,
) -> tuple[list[Taken], str | None]:
    """Lock the posts of this batch, in the order that they were published, and tell where the next begins."""
    posts = select(Post.id, Post.published_at).where(
        Post.circle_id == standing.circle_id, Post.status == PostStatus.PUBLISHED
    )
    if post_ids is not None:
        posts = posts.where(Post.id == any_(literal(list(post_ids), ARRAY(Uuid()))))
    else:
        posts = posts.where(*_conditions(standing, where or {}))
    if cursor is not None:
        after = _BATCH.decode(cursor)
        posts = posts.where(tuple_(Post.published_at, Post.id) > (after["published_at"], after["id"]))
    ordered = posts.order_by(Post.published_at, Post.id).limit(MAX_BATCH + 1)
    found = [row._asdict() for row in uow.session.execute(ordered)]
    page, next_cursor = _BATCH.page(found, MAX_BATCH)
    if post_ids is not None:
        _require_all(post_ids, {row["id"] for row in found})
    # All who lock many do it in this order, so that two at once can't wait for each other.
    locking = (
        select(Post.id, Post.author_id)
        .where(Post.id.in_([row["id"] for row in page]), Post.status == PostStatus.PUBLISHED)
        .order_by(Post.id)
        .with_for_update(key_share=True)
    )
    locked = {row.id: Taken(*row) for row in uow.session.execute(locking)}
    order = [row["id"] for row in page] if post_ids is None else post_ids
    return [locked[one] for one in dict.fromkeys(order) if one in locked], next_cursor


def _require_all(post_ids: Sequence[UUID], found: Collection[UUID]) -> None:
    errors = [
        FieldError(f"post_ids.{at}", "unknown_post", _UNKNOWN_POST)
        for at, one in enumerate(post_ids)
        if one not in found
    ]
    if errors:
        raise Invalid(*errors[:100])


def _conditions(standing: Standing, where: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return what a filter says, as the feed reads it; `until` and `untagged` besides."""
    path, digest, untagged = where.get("tag"), where.get("digest"), where.get("untagged")
    subtree = select(Tag.id).where(
        Tag.circle_id == standing.circle_id,
        or_(Tag.path == path, func.starts_with(Tag.path, f"{path}{PATH_SEPARATOR}")),
    )
    tagged = select(PostTag.post_id).where(PostTag.post_id == Post.id).exists()
    # Who asked anonymously is not to be found out by what a batch changes.
    known = or_(~Post.anonymous, Post.author_id == standing.user_id, literal(standing.role == Role.OWNER))
    conditions: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
        "kind": lambda kind: Post.kind == kind,
        "author": lambda author: and_(Post.author_id == author, known),
        "tag": lambda _path: Post.id.in_(select(PostTag.post_id).where(PostTag.tag_id.in_(subtree))),
        "column": lambda column: Post.id.in_(select(ColumnItem.post_id).where(ColumnItem.column_id == column)),
        "since": lambda since: Post.published_at >= since,
        "until": lambda until: Post.published_at < until,
        "digest": lambda _digest: Post.digest_at.is_not(None) if digest else Post.digest_at.is_(None),
        "untagged": lambda _untagged: ~tagged if untagged else tagged,
    }
    return [conditions[name](value) for name, value in where.items() if value is not None]


def _add_tags(
    uow: UnitOfWork, circle_id: UUID, ids: Sequence[UUID], paths: Sequence[str]
) -> tuple[set[UUID], set[UUID]]:
    """File posts under tags; return those that got one, and those that would have too many and are left alone."""
    if not paths or not ids:
        return set(), set()
    tag_ids = require_tags(uow, circle_id, paths)
    present = (
        select(PostTag.post_id)
        .where(PostTag.post_id.in_(ids))
        .group_by(PostTag.post_id)
        .having(func.count() + len(tag_ids) - func.count().filter(PostTag.tag_id.in_(tag_ids)) > MAX_TAGS)
    )
    full = set(uow.session.scalars(present)) if len(tag_ids) <= MAX_TAGS else set(ids)
    room = [one for one in ids if one not in full]
    posts = select(func.unnest(literal(room, ARRAY(Uuid()))).label("post_id")).subquery("posts")
    tags = select(func.unnest(literal(tag_ids, ARRAY(Uuid()))).label("tag_id")).subquery("tags")
    rows = select(posts.c.post_id, tags.c.tag_id, literal(circle_id, Uuid()), literal(uow.now)).join_from(
        posts, tags, true()
    )
    adding = (
        upsert(PostTag)
        .from_select(["post_id", "tag_id", "circle_id", "created_at"], rows)
        .on_conflict_do_nothing()
        .returning(PostTag.post_id)
    )
    return set(uow.session.scalars(adding)), full


def _remove_tags(uow: UnitOfWork, circle_id: UUID, ids: Sequence[UUID], paths: Sequence[str]) -> set[UUID]:
    if not paths or not ids:
        return set()
    keep_tags_in_place(uow, circle_id)
    tags = select(Tag.id).where(Tag.circle_id == circle_id, Tag.path.in_(paths))
    removing = delete(PostTag).where(PostTag.post_id.in_(ids), PostTag.tag_id.in_(tags)).returning(PostTag.post_id)
    return set(uow.session.scalars(removing.execution_options(**_QUIET)))


def _mark(uow: UnitOfWork, caller: Caller, circle_id: UUID, taken: Sequence[Taken], *, digest: bool) -> set[UUID]:
    """Set or take the digest mark; who has it keeps its who and when."""
    ids = [one.id for one in taken]
    marking = update(Post).where(Post.id.in_(ids))
    if digest:
        marking = marking.where(Post.digest_at.is_(None)).values(digest_at=uow.now, digest_by=caller.user_id)
    else:
        marking = marking.where(Post.digest_at.is_not(None)).values(digest_at=None, digest_by=None)
    marked = set(uow.session.scalars(marking.returning(Post.id).execution_options(**_QUIET)))
    for one in taken:
        if one.id not in marked:
            continue
        if digest:
            uow.emit(events.PostMarkedDigest(circle_id, one.id, one.author_id, caller.user_id))
        else:
            uow.emit(events.PostUnmarkedDigest(circle_id, one.id))
    return marked


def _note(uow: UnitOfWork, circle_id: UUID, shown: Collection[UUID]) -> None:
    """Have clients load anew what is shown differently now. Search and feeds read tags and marks as they stand."""
    if not shown:
        return
    rows = select(
        literal(circle_id, Uuid()),
        literal("post", Text()),
        func.unnest(literal(list(shown), ARRAY(Uuid()))),
        literal("updated", Text()),
        literal(uow.now),
    )
    uow.session.execute(insert(Change).from_select(["circle_id", "kind", "item_id", "operation", "changed_at"], rows))
