"""Putting the tree of tags in order: renaming, moving, merging.

Each holds a lock against the others and against filing, so that at every commit a path is its ancestors' names, and no
post is filed under a tag that is just going.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, and_, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from circle.archive.errors import TagExists, TagInside
from circle.archive.policy import require_tag
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.changes import Change, Operation
from circle.kernel.errors import Invalid, NotFound, StaleVersion
from circle.kernel.uow import UnitOfWork
from circle.posts.filing import PATH_SEPARATOR, PostTag, Tag
from circle.posts.models import Post, PostStatus
from circle.posts.services.tagging import MAX_DEPTH, reorder_tags_alone


def edit_tag(
    uow: UnitOfWork,
    caller: Caller,
    tag_id: UUID,
    *,
    version: int | None,
    merge_into: UUID | None = None,
    **changed: Any,
) -> UUID:
    """Rename or move a tag with all below it (`name`, `parent_id`), or merge it into another; return what it is now.

    Errors: StaleVersion, TagExists, TagInside, Invalid (too deep, unknown parent, merging and moving at once).
    """
    circle_id = require_tag(uow, caller, tag_id).circle_id
    reorder_tags_alone(uow, circle_id)
    tag = uow.session.get(Tag, tag_id, populate_existing=True)
    if tag is None:
        raise NotFound
    if version is not None and version != tag.version:
        raise StaleVersion
    if merge_into is None:
        _place(uow, caller, tag, **changed)
        return tag.id
    if changed:
        zh, en = "合并时不能同时改名或移动。", "Merging goes without renaming and moving."
        raise Invalid.field("merge_into", "one_of", zh, en)
    return _merge(uow, caller, tag, _other(uow, tag, merge_into, field="merge_into"))


def _place(uow: UnitOfWork, caller: Caller, tag: Tag, **changed: Any) -> None:
    """Give a tag its name and parent, and everything below it the path that follows."""
    name = _name(changed.get("name", tag.name))
    parent_id = changed.get("parent_id", tag.parent_id)
    parent = None if parent_id is None else _other(uow, tag, parent_id, field="parent_id")
    if parent is not None and _is_below(parent, tag):
        raise TagInside
    old, new = tag.path, f"{parent.path}{PATH_SEPARATOR}{name}" if parent else name
    if new == old:
        return
    taken = uow.session.scalar(select(Tag.id).where(Tag.circle_id == tag.circle_id, Tag.path == new))
    if taken is not None:
        raise TagExists(tag_id=taken)
    subtree = _subtree(tag)
    paths = uow.session.execute(select(Tag.id, Tag.path).where(subtree)).all()
    _require_depth(path.replace(old, new, 1) for _id, path in paths)
    uow.session.execute(
        update(Tag)
        .where(subtree)
        .values(path=literal(new, Text()) + func.substr(Tag.path, len(old) + 1), version=Tag.version + 1)
        .execution_options(synchronize_session=False)
    )
    uow.session.execute(
        update(Tag)
        .where(Tag.id == tag.id)
        .values(name=name, parent_id=parent_id)
        .execution_options(synchronize_session=False)
    )
    _note(uow, caller, "tag.move", tag, [tag_id for tag_id, _path in paths], old=old, new=new)


def _merge(uow: UnitOfWork, caller: Caller, tag: Tag, target: Tag) -> UUID:
    """Let another tag have a tag's posts and all below it; children of one name become one. Errors: TagInside."""
    if _is_below(target, tag):
        raise TagInside
    subtree = uow.session.execute(select(Tag.id, Tag.path).where(_subtree(tag))).all()
    becomes = {tag_id: f"{target.path}{path[len(tag.path) :]}" for tag_id, path in subtree}
    _require_depth(becomes.values())
    others = select(Tag.path, Tag.id).where(
        Tag.circle_id == tag.circle_id, Tag.path.in_(becomes.values()), Tag.id.not_in(becomes)
    )
    standing = {path: tag_id for path, tag_id in uow.session.execute(others)}  # noqa: C416 - rows, not pairs
    merged = {tag_id: standing[path] for tag_id, path in becomes.items() if path in standing}
    moved = {tag_id: path for tag_id, path in becomes.items() if path not in standing}
    touched = list(becomes)
    _note_posts(uow, tag.circle_id, touched)
    _refile(uow, merged)
    places = {**{path: tag_id for tag_id, path in moved.items()}, **standing}
    _set_aside(uow, {tag_id: places[path.rpartition(PATH_SEPARATOR)[0]] for tag_id, path in moved.items()})
    uow.session.execute(delete(Tag).where(Tag.id.in_(merged)).execution_options(synchronize_session=False))
    _settle(uow, moved)
    _note_tags(uow, tag.circle_id, list(merged), "deleted")
    _note_tags(uow, tag.circle_id, list(moved), "updated")
    _audit(uow, caller, "tag.merge", tag, into=target.path)
    return target.id


def _refile(uow: UnitOfWork, merged: dict[UUID, UUID]) -> None:
    """Hand post by post from each tag to the one that it becomes."""
    pair = _pairs(merged, Uuid())
    double = aliased(PostTag)
    uow.session.execute(
        delete(PostTag)
        .where(PostTag.tag_id == pair.c.id)
        .where(select(double).where(double.post_id == PostTag.post_id, double.tag_id == pair.c.value).exists())
        .execution_options(synchronize_session=False)
    )
    # Only the tag changes, so nothing waits here for whoever edits the post.
    uow.session.execute(
        update(PostTag)
        .where(PostTag.tag_id == pair.c.id)
        .values(tag_id=pair.c.value)
        .execution_options(synchronize_session=False)
    )


def _set_aside(uow: UnitOfWork, parents: dict[UUID, UUID]) -> None:
    """Hang tags below their new parents, under paths that nobody can have, until the old owners of theirs are gone."""
    pair = _pairs(parents, Uuid())
    uow.session.execute(
        update(Tag)
        .where(Tag.id == pair.c.id)
        .values(parent_id=pair.c.value, path=literal(PATH_SEPARATOR) + func.cast(Tag.id, Text()))
        .execution_options(synchronize_session=False)
    )


def _settle(uow: UnitOfWork, paths: dict[UUID, str]) -> None:
    pair = _pairs(paths, Text())
    uow.session.execute(
        update(Tag)
        .where(Tag.id == pair.c.id)
        .values(path=pair.c.value, version=Tag.version + 1)
        .execution_options(synchronize_session=False)
    )


def _pairs(values: dict[UUID, Any], kind: Any) -> Any:
    """Return rows of (id, value) for one statement over many tags."""
    ids = literal(list(values), ARRAY(Uuid()))
    return func.unnest(ids, literal(list(values.values()), ARRAY(kind))).table_valued("id", "value").render_derived()


def _other(uow: UnitOfWork, tag: Tag, other_id: UUID, *, field: str) -> Tag:
    other = uow.session.get(Tag, other_id, populate_existing=True)
    if other is None or other.circle_id != tag.circle_id:
        raise Invalid.field(field, "unknown_tag", "没有这个标签。", "There is no such tag here.")
    return other


def _name(name: str) -> str:
    if PATH_SEPARATOR in name:
        raise Invalid.field("name", "bad_tag", "名称中不能有“/”。", "A name has no slash.")
    return name


def _is_below(tag: Tag, top: Tag) -> bool:
    return f"{tag.path}{PATH_SEPARATOR}".startswith(f"{top.path}{PATH_SEPARATOR}")


def _subtree(tag: Tag) -> ColumnElement[bool]:
    below = func.starts_with(Tag.path, f"{tag.path}{PATH_SEPARATOR}")
    return and_(Tag.circle_id == tag.circle_id, or_(Tag.path == tag.path, below))


def _require_depth(paths: Any) -> None:
    if any(path.count(PATH_SEPARATOR) >= MAX_DEPTH for path in paths):
        zh, en = f"标签最多 {MAX_DEPTH} 级。", f"Tags have at most {MAX_DEPTH} levels."
        raise Invalid.field("parent_id", "too_deep", zh, en)


def _note(uow: UnitOfWork, caller: Caller, action: str, tag: Tag, ids: Sequence[UUID], **data: str) -> None:
    _note_tags(uow, tag.circle_id, ids, "updated")
    _note_posts(uow, tag.circle_id, ids)
    _audit(uow, caller, action, tag, **data)


def _audit(uow: UnitOfWork, caller: Caller, action: str, tag: Tag, **data: str) -> None:
    audit.record(uow, caller, action, circle_id=tag.circle_id, subject_kind="tag", subject_id=tag.id, **data)


def _note_tags(uow: UnitOfWork, circle_id: UUID, ids: Sequence[UUID], operation: Operation) -> None:
    at = {"circle_id": circle_id, "kind": "tag", "operation": operation, "changed_at": uow.now}
    if ids:
        uow.session.execute(insert(Change), [{**at, "item_id": one} for one in ids])


def _note_posts(uow: UnitOfWork, circle_id: UUID, tag_ids: Sequence[UUID]) -> None:
    """Have clients load posts again that show a tag's old path: in one statement, however many there are."""
    posts = (
        select(
            literal(circle_id, Uuid()),
            literal("post", Text()),
            PostTag.post_id,
            literal("updated", Text()),
            literal(uow.now),
        )
        .join(Post, Post.id == PostTag.post_id)
        .where(PostTag.tag_id.in_(tag_ids), Post.status == PostStatus.PUBLISHED)
        .distinct()
    )
    uow.session.execute(insert(Change).from_select(["circle_id", "kind", "item_id", "operation", "changed_at"], posts))
