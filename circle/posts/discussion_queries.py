"""Reading what is said below posts. The reader's right to the post was checked before (`policy.require_post`)."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row, constant
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission
from circle.posts.cards import author_name
from circle.posts.models import Comment, CommentStatus, Post, PostStatus
from circle.posts.policy import IS_PUBLISHED, Required, SeenPost, hides_asker, reading, require_post, unlocked

# How many replies come along with the comment they stand below.
FIRST_REPLIES = 3

_POSITION = {"created_at": datetime, "id": UUID}
_OLDEST, _NEWEST = Keyset("comments", _POSITION), Keyset("comments.newest", _POSITION)
_REPLIES, _STREAM = Keyset("replies", _POSITION), Keyset("comments.stream", _POSITION)
# Before and after every comment: where a first page begins.
BEGINNING: Row = {"created_at": datetime(1, 1, 1, tzinfo=UTC), "id": UUID(int=0)}
END: Row = {"created_at": datetime(9999, 1, 1, tzinfo=UTC), "id": UUID(int=2**128 - 1)}


def shown(comment: type[Comment] = Comment) -> ColumnElement[bool]:
    """Tell in SQL which comments of a post the reader sees: the published, their own held ones, a moderator more.

    Run with `comment_reading(standing)`.
    """
    held = comment.status == constant(CommentStatus.REVIEW)
    return or_(
        comment.status == constant(CommentStatus.PUBLISHED),
        and_(held, comment.author_id == bindparam("reader_id", type_=Uuid())),
        and_(
            or_(held, comment.status == constant(CommentStatus.HIDDEN)),
            bindparam("moderates", type_=true().type),
        ),
    )


def comment_reading(standing: Standing) -> dict[str, Any]:
    """Return the parameters of `shown()`."""
    return {"reader_id": standing.user_id, "moderates": standing.may(Permission.MODERATE)}


COMMENT_COLUMNS = (
    Comment.id,
    Comment.post_id,
    Comment.parent_id,
    Comment.author_id,
    Comment.body,
    Comment.status,
    Comment.reply_count,
    Comment.created_at,
    Comment.edited_at,
    Comment.version,
    author_name().label("author_name"),
    User.avatar_media_id.label("author_avatar"),
)


def select_comments() -> Select[*tuple[Any, ...]]:
    """Select comments with their authors, in the columns of `comment_card`."""
    member = and_(Membership.circle_id == Comment.circle_id, Membership.user_id == Comment.author_id)
    return (
        select(*COMMENT_COLUMNS, shown().label("shown"))
        .join(User, User.id == Comment.author_id)
        .outerjoin(Membership, member)
    )


def _beyond(comment: type[Comment], *, newest: bool) -> ColumnElement[bool]:
    here = tuple_(comment.created_at, comment.id)
    there = tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid()))
    return here < there if newest else here > there


def _select_thread(*, newest: bool) -> Select[*tuple[Any, ...]]:
    """Select one page of a post's comments, each with its first replies, as flat rows by age."""
    order = (Comment.created_at.desc(), Comment.id.desc()) if newest else (Comment.created_at, Comment.id)
    top = (
        select(Comment.id)
        .where(
            Comment.post_id == bindparam("post_id", type_=Uuid()),
            Comment.parent_id.is_(None),
            or_(shown(), Comment.reply_count > 0),
            _beyond(Comment, newest=newest),
        )
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer()))
        .cte("top")
    )
    reply = aliased(Comment, name="reply")
    first = (
        select(reply.id)
        .where(reply.parent_id == top.c.id, shown(reply))
        .order_by(reply.created_at, reply.id)
        .limit(FIRST_REPLIES)
        .lateral("first")
    )
    picked = union_all(select(top.c.id), select(first.c.id).select_from(top.join(first, true()))).subquery("picked")
    return select_comments().join(picked, picked.c.id == Comment.id).order_by(Comment.created_at, Comment.id)


def _select_replies() -> Select[*tuple[Any, ...]]:
    return (
        select_comments()
        .where(
            Comment.parent_id == bindparam("parent_id", type_=Uuid()),
            Comment.post_id == bindparam("post_id", type_=Uuid()),
            shown(),
            _beyond(Comment, newest=False),
        )
        .order_by(Comment.created_at, Comment.id)
        .limit(bindparam("limit", type_=Integer()))
    )


_THREAD = {newest: Query(lambda newest=newest: _select_thread(newest=newest)) for newest in (False, True)}  # type: ignore[misc]
_REPLY_PAGE = Query(_select_replies)
_ONE = Query(lambda: select_comments().where(Comment.id == bindparam("comment_id", type_=Uuid())))


def comment_card(row: Row, *, hidden_author: UUID | None = None) -> Json:
    """Return a comment as answers show it; one that is gone but has replies keeps its place, without a word of it.

    `hidden_author` is the anonymous asker, whose comments carry no name either.
    """
    gone = not row["shown"]
    nameless = gone or row["author_id"] == hidden_author
    return {
        "id": str(row["id"]),
        "post_id": str(row["post_id"]),
        "parent_id": str(row["parent_id"]) if row["parent_id"] else None,
        "author": None if nameless else user_card(row["author_id"], row["author_name"], row["author_avatar"]),
        "by_asker": not gone and row["author_id"] == hidden_author,
        "body": "" if gone else row["body"],
        "status": "deleted" if gone else row["status"],
        "reply_count": row["reply_count"],
        "created_at": row["created_at"],
        "edited_at": None if gone else row["edited_at"],
        "version": row["version"],
    }


def _hidden_author(post: SeenPost) -> UUID | None:
    return post.author_id if hides_asker(post.standing, post.author_id, anonymous=post.anonymous) else None


def comments(
    uow: UnitOfWork,
    caller: Caller | None,
    post_id: UUID,
    *,
    order: str,
    parent_id: UUID | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """Return a page of a post's comments, or of the replies below one. Errors: NotFound, PostLocked, BadCursor."""
    post = require_post(uow, caller, post_id)
    newest = order == "newest"
    keyset = _REPLIES if parent_id else _NEWEST if newest else _OLDEST
    after = keyset.decode(cursor) if cursor else END if newest and not parent_id else BEGINNING
    rows = uow.rows(
        _REPLY_PAGE if parent_id else _THREAD[newest],
        post_id=post_id,
        parent_id=parent_id,
        after_at=after["created_at"],
        after_id=after["id"],
        limit=limit + 1,
        **comment_reading(post.standing),
    )
    hidden = _hidden_author(post)
    tops = [row for row in rows if row["parent_id"] == parent_id]
    page, next_cursor = keyset.page(tops[::-1] if newest and not parent_id else tops, limit)
    cards = {row["id"]: comment_card(row, hidden_author=hidden) for row in page}
    if parent_id is None:
        _put_replies(cards, rows, hidden)
    return {"items": list(cards.values()), "next_cursor": next_cursor}


def _put_replies(cards: Mapping[UUID, Json], rows: Iterable[Row], hidden: UUID | None) -> None:
    for card in cards.values():
        card["replies"] = []
    for row in rows:
        if row["parent_id"] in cards:
            cards[row["parent_id"]]["replies"].append(comment_card(row, hidden_author=hidden))


def comment(uow: UnitOfWork, post: SeenPost, comment_id: UUID) -> Json:
    """Return one comment of a post that the reader may read. Errors: NotFound."""
    row = uow.row(_ONE, comment_id=comment_id, **comment_reading(post.standing))
    if row is None:
        raise NotFound
    return comment_card(row, hidden_author=_hidden_author(post))


def stream(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    status: str | None,
    author: UUID | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """Return the circle's comments for its moderators, newest first, each with the post it stands below."""
    standing = require_permission(uow, caller, circle_id, Permission.MODERATE)
    after = _STREAM.decode(cursor) if cursor else END
    wanted = (
        select_comments()
        .add_columns(Post.title, Post.kind, Post.anonymous, Post.author_id.label("asker_id"))
        .join(Post, Post.id == Comment.post_id)
        .where(
            Comment.circle_id == circle_id,
            Comment.status == status if status else Comment.status != CommentStatus.TRASHED,
            Comment.author_id == author if author else true(),
            Post.status.in_([str(PostStatus.PUBLISHED), str(PostStatus.HIDDEN)]),
            _beyond(Comment, newest=True),
        )
        .order_by(Comment.created_at.desc(), Comment.id.desc())
        .limit(limit + 1)
    )
    parameters = {"after_at": after["created_at"], "after_id": after["id"], **comment_reading(standing)}
    rows = [row._asdict() for row in uow.session.execute(wanted, parameters)]
    page, next_cursor = _STREAM.page(rows, limit)
    return {"items": [_stream_card(row, standing) for row in page], "next_cursor": next_cursor}


def _stream_card(row: Row, standing: Standing) -> Json:
    post = {"id": row["post_id"], "title": row["title"], "kind": row["kind"]}
    return {**comment_card(row, hidden_author=_asker_hidden(row, standing)), "post": post}


def _asker_hidden(row: Row, standing: Standing) -> UUID | None:
    asker_id: UUID = row["asker_id"]
    return asker_id if hides_asker(standing, asker_id, anonymous=row["anonymous"]) else None


def _select_by_ids() -> Select[*tuple[Any, ...]]:
    """Select comments by id that the reader sees on posts that they may open; run with `reading(standing)`."""
    return (
        select_comments()
        .add_columns(Post.anonymous, Post.author_id.label("asker_id"))
        .join(Post, Post.id == Comment.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(
            Comment.circle_id == bindparam("circle_id", type_=Uuid()),
            Comment.id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
            shown(),
            IS_PUBLISHED,
            unlocked(),
        )
    )


_BY_IDS = Query(_select_by_ids)


def cards(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return comments by id as the reader may see them, in one statement; others are left out."""
    rows = uow.rows(_BY_IDS, circle_id=standing.circle_id, ids=list(ids), **reading(standing))
    return {row["id"]: comment_card(row, hidden_author=_asker_hidden(row, standing)) for row in rows}
