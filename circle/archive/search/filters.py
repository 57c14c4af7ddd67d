"""What a search can be narrowed by. All but time, author and place speak of the post: homework has none of it."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from circle.archive.reading_models import CircleRead
from circle.archive.search.readers import in_each
from circle.archive.shelf_models import Bookmark
from circle.kernel.db import constant
from circle.posts.column_policy import ColumnTier, opened
from circle.posts.filing import PATH_SEPARATOR, Column, ColumnItem, PostTag, Tag
from circle.posts.models import Kind, Post, PostRead


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def is_there(rows: "Select[Any]") -> ColumnElement[bool]:
    """Tell whether a select finds a row, looked up for each document: EXISTS may be planned as a read of all."""
    found = rows.limit(literal_column("1")).scalar_subquery()
    return cast("ColumnElement[bool]", found.is_not(None))


def _is_mine(column: Any) -> Any:
    return column == _param("reader_id", Uuid())


def _by_author(document: Any, each: FromClause) -> ColumnElement[bool]:
    """What somebody wrote, unless it would tell who an anonymous asker is: on their question their name is hidden."""
    author: Any = _param("author", Uuid())
    is_asker = and_(Post.id.is_not(None), Post.anonymous, Post.author_id == author)
    knows = or_(_is_mine(Post.author_id), each.c.knows_askers)
    return and_(document.author_id == author, or_(not_(is_asker), knows).is_not(false()))


def _in_subtree(_document: Any, _each: FromClause) -> ColumnElement[bool]:
    path: Any = _param("tag", Text())
    below = or_(Tag.path == path, func.starts_with(Tag.path, func.concat(path, PATH_SEPARATOR)))
    tagged = select(PostTag.post_id).join(Tag, Tag.id == PostTag.tag_id)
    return is_there(tagged.where(PostTag.post_id == Post.id, below).correlate(Post))


def _in_column(_document: Any, each: FromClause) -> ColumnElement[bool]:
    """Posts of a column that the reader may look into; a locked column is an empty list."""
    filed = (
        select(ColumnItem.post_id)
        .join(Column, Column.id == ColumnItem.column_id)
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(
            ColumnItem.post_id == Post.id,
            Column.id == _param("column", Uuid()),
            Column.archived_at.is_(None),
            in_each(opened(), each),
        )
    )
    return is_there(filed.correlate_except(ColumnItem, Column, ColumnTier))


def _was_opened() -> ColumnElement[bool]:
    opened_by_me = select(PostRead.post_id).where(PostRead.post_id == Post.id, _is_mine(PostRead.user_id))
    return is_there(opened_by_me.correlate_except(PostRead))


def _is_unread(_document: Any, each: FromClause) -> ColumnElement[bool]:
    """Others' posts since one joined, or said to have read all, that one has not opened."""
    read_until = select(CircleRead.read_until).where(
        CircleRead.circle_id == each.c.circle_id, _is_mine(CircleRead.user_id)
    )
    since = func.greatest(read_until.correlate_except(CircleRead).scalar_subquery(), each.c.joined_at)
    return and_(Post.published_at > since, not_(_is_mine(Post.author_id)), not_(_was_opened()))


def _is_bookmarked(_document: Any, _each: FromClause) -> ColumnElement[bool]:
    kept_by_me = select(Bookmark.post_id).where(Bookmark.post_id == Post.id, _is_mine(Bookmark.user_id))
    return is_there(kept_by_me.correlate_except(Bookmark))


def _has_attachment(_document: Any, _each: FromClause) -> ColumnElement[bool]:
    return func.jsonb_array_length(Post.attachments) > 0


# Rules of (a document, the circle's row of `readers`); `no_…` is what `false` asks for.
FILTERS: Mapping[str, Any] = {
    "author": _by_author,
    "tag": _in_subtree,
    "column": _in_column,
    "since": lambda document, _each: document.shown_at >= _param("since", DateTime(timezone=True)),
    "until": lambda document, _each: document.shown_at < _param("until", DateTime(timezone=True)),
    "place": lambda document, _each: document.kind == _param("place", Text()),
    "digest": lambda _document, _each: Post.digest_at.is_not(None),
    "no_digest": lambda _document, _each: Post.digest_at.is_(None) & Post.id.is_not(None),
    "has_attachment": _has_attachment,
    "no_has_attachment": lambda document, each: not_(_has_attachment(document, each)),
    "unread": _is_unread,
    "no_unread": lambda document, each: and_(Post.id.is_not(None), not_(_is_unread(document, each))),
    "bookmarked": _is_bookmarked,
    "no_bookmarked": lambda document, each: and_(Post.id.is_not(None), not_(_is_bookmarked(document, each))),
    **{kind.value: lambda _document, _each, kind=kind: Post.kind == constant(kind) for kind in Kind},
}
