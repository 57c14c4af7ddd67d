"""Reading a circle's posts from the oldest on, for whoever takes along what they may read."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, Uuid, and_, any_, bindparam, func, literal_column, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from circle.kernel.db import Json, Query, constant
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing
from circle.posts.cards import select_cards, select_page
from circle.posts.column_policy import ColumnTier, column_reading, opened
from circle.posts.discussion_queries import comment_reading, select_comments, shown
from circle.posts.filing import Column, ColumnItem
from circle.posts.models import Comment, Post, PostStatus
from circle.posts.policy import IS_PUBLISHED, Required, is_own, reading, unlocked

# One's own that others don't see (yet): they are taken along too.
_OWN_UNSEEN = tuple(
    constant(status) for status in (PostStatus.DRAFT, PostStatus.SCHEDULED, PostStatus.REVIEW, PostStatus.HIDDEN)
)
# Characters that name a post without a title.
FIRST_WORDS = 40
_FIRST_WORDS: Any = literal_column(str(FIRST_WORDS))
_LIMIT = bindparam("limit", type_=Integer())
_CIRCLE_ID = bindparam("circle_id", type_=Uuid())


def _among(column: Any) -> Any:
    return column == any_(bindparam("ids", type_=ARRAY(Uuid())))


def _select_contents() -> Select[*tuple[Any, ...]]:
    words = func.coalesce(func.nullif(Post.title, ""), func.left(Post.body, _FIRST_WORDS))
    return (
        select(Post.id, words.label("words"), Post.published_at, Post.created_at, Post.comment_count)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(Post.circle_id == _CIRCLE_ID, unlocked())
        .limit(_LIMIT)
    )


_PUBLISHED = Query(
    lambda: (
        _select_contents()
        .where(
            IS_PUBLISHED,
            tuple_(Post.published_at, Post.id)
            > tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid())),
        )
        .order_by(Post.published_at, Post.id)
    )
)
_UNSEEN = Query(
    lambda: (
        _select_contents()
        .where(is_own(), Post.status.in_(_OWN_UNSEEN), Post.id > bindparam("after_id", type_=Uuid()))
        .order_by(Post.id)
    )
)


_NAMED = Query(
    lambda: _select_contents().where(_among(Post.id), or_(IS_PUBLISHED, and_(is_own(), Post.status.in_(_OWN_UNSEEN))))
)


def named_posts(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> Sequence[Json]:
    """Return posts by id in the shape of `contents`; what the reader may not open is left out."""
    return uow.rows(_NAMED, circle_id=standing.circle_id, ids=list(ids), limit=len(ids), **reading(standing))


def contents(uow: UnitOfWork, standing: Standing, *, after_at: datetime, after_id: UUID, limit: int) -> Sequence[Json]:
    """Return which published posts the reader may open, after a place in time: what each begins with, and when."""
    after = {"after_at": after_at, "after_id": after_id}
    return uow.rows(_PUBLISHED, circle_id=standing.circle_id, limit=limit, **after, **reading(standing))


def own_unseen(uow: UnitOfWork, standing: Standing, *, after_id: UUID, limit: int) -> Sequence[Json]:
    """Return the reader's own drafts and the like, in the same shape."""
    return uow.rows(_UNSEEN, circle_id=standing.circle_id, after_id=after_id, limit=limit, **reading(standing))


def _select_whole() -> Select[*tuple[Any, ...]]:
    mine = and_(is_own(), Post.status.in_(_OWN_UNSEEN))
    some = select_page().where(Post.circle_id == _CIRCLE_ID, _among(Post.id), or_(IS_PUBLISHED, mine), unlocked())
    return select_cards(some, whole=True)


_WHOLE = Query(_select_whole)


def whole_posts(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return posts in full by id, in the columns of `post_card`; what the reader may not open is left out."""
    rows = uow.rows(_WHOLE, circle_id=standing.circle_id, ids=list(ids), **reading(standing))
    return {row["id"]: row for row in rows}


_BELOW = Query(
    lambda: (
        select_comments()
        .where(_among(Comment.post_id), shown())
        .order_by(Comment.post_id, Comment.created_at, Comment.id)
    )
)


def comments_below(uow: UnitOfWork, standing: Standing, post_ids: Collection[UUID]) -> Sequence[Json]:
    """Return what the reader sees below posts that they may read, by post and age, in the columns of `comment_card`."""
    return uow.rows(_BELOW, ids=list(post_ids), **comment_reading(standing))


_OWN_COMMENTS = Query(
    lambda: (
        select(Comment.id, Comment.post_id, Comment.body, Comment.created_at)
        .where(
            Comment.circle_id == _CIRCLE_ID,
            Comment.author_id == bindparam("reader_id", type_=Uuid()),
            Comment.trashed_at.is_(None),
            tuple_(Comment.created_at, Comment.id)
            > tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid())),
        )
        .order_by(Comment.created_at, Comment.id)
        .limit(_LIMIT)
    )
)


def own_comments(
    uow: UnitOfWork, standing: Standing, *, after_at: datetime, after_id: UUID, limit: int
) -> Sequence[Json]:
    """Return what the reader wrote below posts, whether they may still read these or not, by age."""
    at = {"circle_id": standing.circle_id, "reader_id": standing.user_id, "after_at": after_at, "after_id": after_id}
    return uow.rows(_OWN_COMMENTS, limit=limit, **at)


_COLUMNS = Query(
    lambda: (
        select(ColumnItem.post_id, Column.name)
        .join(Column, Column.id == ColumnItem.column_id)
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(_among(ColumnItem.post_id), Column.archived_at.is_(None), opened())
        .order_by(ColumnItem.post_id, Column.position, Column.id)
    )
)


def columns_of(uow: UnitOfWork, standing: Standing, post_ids: Collection[UUID]) -> Sequence[Json]:
    """Return in which columns, of those that the reader may look into, posts stand: post_id and name, by post."""
    return uow.rows(_COLUMNS, ids=list(post_ids), **column_reading(standing))
