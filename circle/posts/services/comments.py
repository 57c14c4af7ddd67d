"""Comments: two levels below a post. Counts are kept by the statement that shows or takes away, never by a query."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import Row, select, update

from circle.config import Settings
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.posts.discussion_errors import EditTooLate
from circle.posts.discussion_events import (
    CommentChanged,
    CommentHeld,
    CommentPosted,
    CommentTrashed,
    EngagementChanged,
)
from circle.posts.errors import NotTheAuthor
from circle.posts.models import COMMENT_STATUS, Comment, CommentStatus, Post
from circle.posts.policy import SeenPost, require_discussion, require_post
from circle.posts.services.mentions import plain, settle_mentions, tell_mentioned
from circle.posts.services.words import held_by_words

# Later, an edit would put other words under the answers it got.
EDIT_WINDOW = timedelta(hours=24)
# A trashed comment's words are kept this long, for whoever must look into a complaint.
KEEP_TRASHED = timedelta(days=30)
_PURGE_BATCH = 500

Act = Literal["approve", "hide", "unhide", "delete"]
_ACTS: Mapping[Act, tuple[frozenset[CommentStatus], CommentStatus]] = {
    "approve": (frozenset({CommentStatus.REVIEW}), CommentStatus.PUBLISHED),
    "hide": (frozenset({CommentStatus.PUBLISHED, CommentStatus.REVIEW}), CommentStatus.HIDDEN),
    "unhide": (frozenset({CommentStatus.HIDDEN}), CommentStatus.PUBLISHED),
    "delete": (
        frozenset({CommentStatus.PUBLISHED, CommentStatus.REVIEW, CommentStatus.HIDDEN}),
        CommentStatus.TRASHED,
    ),
}


def post_comment(
    uow: UnitOfWork, caller: Caller, post_id: UUID, *, body: str, parent_id: UUID | None = None
) -> tuple[SeenPost, Comment]:
    """Comment on a post, or reply to a comment on it. Errors: those of `require_discussion`, Invalid."""
    post = require_discussion(uow, caller, post_id)
    if parent_id is not None:
        _check_parent(uow, post, parent_id)
    body = _check_body(uow, post.circle_id, body)
    comment = Comment(
        id=new_id(),
        post_id=post.id,
        circle_id=post.circle_id,
        author_id=caller.user_id,
        parent_id=parent_id,
        body=body,
        status=CommentStatus.REVIEW if held_by_words(uow, post.standing, body=body) else CommentStatus.PUBLISHED,
        created_at=uow.now,
    )
    uow.session.add(comment)
    uow.session.flush()
    if comment.status == CommentStatus.PUBLISHED:
        _appear(uow, comment)
    else:
        uow.emit(CommentHeld(comment.circle_id, comment.post_id, comment.id))
    return post, comment


def _check_parent(uow: UnitOfWork, post: SeenPost, parent_id: UUID) -> None:
    parent = uow.session.get(Comment, parent_id)
    if parent is None or parent.post_id != post.id or parent.status != CommentStatus.PUBLISHED:
        raise Invalid.field("parent_id", "unknown_comment", "没有这条评论。", "There is no such comment on this post.")
    if parent.parent_id is not None:
        raise Invalid.field("parent_id", "too_deep", "只能回复第一层评论。", "A reply can't be replied to.")


def _check_body(uow: UnitOfWork, circle_id: UUID, body: str) -> str:
    most = uow.use(Settings).comment_max_length
    if len(plain(body)) > most:
        raise Invalid.field("body", "too_long", f"长度不能超过 {most}。", f"Longer than maximum length {most}.")
    return settle_mentions(uow, circle_id, body)


def edit_comment(
    uow: UnitOfWork, caller: Caller, comment_id: UUID, *, version: int | None, body: str
) -> tuple[SeenPost, Comment]:
    """Reword one's own comment within a day. Errors: StaleVersion, NotTheAuthor, EditTooLate, WrongState, Invalid."""
    post, comment = require_seen_comment(uow, caller, comment_id)
    if comment.author_id != caller.user_id:
        raise NotTheAuthor
    require_discussion(uow, caller, comment.post_id)
    if version is not None and version != comment.version:
        raise StaleVersion
    if uow.now >= comment.created_at + EDIT_WINDOW:
        raise EditTooLate
    if comment.status == CommentStatus.HIDDEN:
        raise WrongState(state=comment.status)
    comment.body = _check_body(uow, comment.circle_id, body)
    comment.edited_at = uow.now
    held = held_by_words(uow, post.standing, body=comment.body)
    before = comment.status
    _move(uow, comment, CommentStatus.REVIEW if held else CommentStatus.PUBLISHED)
    if before == comment.status == CommentStatus.PUBLISHED:
        uow.session.flush()
        _record(uow, comment, "updated")
        uow.emit(CommentChanged(comment.circle_id, comment.post_id, comment.id))
        _tell_mentioned(uow, comment, anonymous=post.anonymous and post.is_own)
    return post, comment


def delete_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Take one's own comment back, at any time, or as a moderator anybody's. Errors: NotFound, MissingPermission."""
    comment = _lock_comment(uow, comment_id)
    if comment.author_id == caller.user_id:
        _move(uow, comment, CommentStatus.TRASHED)
    else:
        moderate_comment(uow, caller, comment_id, "delete")


def moderate_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID, act: Act) -> tuple[SeenPost, Comment]:
    """Let a held comment pass, hide one, put it back, or delete it; hiding again changes nothing.

    Errors: NotFound, MissingPermission, WrongState.
    """
    post, comment = require_seen_comment(uow, caller, comment_id)
    require_permission(uow, caller, comment.circle_id, Permission.MODERATE)
    sources, target = _ACTS[act]
    if comment.status == target and act in {"hide", "unhide"}:
        return post, comment
    if comment.status not in sources:
        raise WrongState(state=comment.status)
    _move(uow, comment, target)
    # Without the author's name: they may be an anonymous asker, and partners read this log.
    audit.record(
        uow, caller, f"comment.{act}", circle_id=comment.circle_id, subject_kind="comment", subject_id=comment.id
    )
    return post, comment


def require_seen_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> tuple[SeenPost, Comment]:
    """Return a comment that the caller sees, locked, and its post. Errors: NotFound, Banned, PostLocked."""
    comment = _lock_comment(uow, comment_id)
    post = require_post(uow, caller, comment.post_id)
    if not _is_seen(comment, post):
        raise NotFound
    return post, comment


def _lock_comment(uow: UnitOfWork, comment_id: UUID) -> Comment:
    comment = uow.session.get(Comment, comment_id, with_for_update=True, populate_existing=True)
    if comment is None or comment.status == CommentStatus.TRASHED:
        raise NotFound
    return comment


def _is_seen(comment: Comment, post: SeenPost) -> bool:
    """The rule of `discussion_queries.shown`, for one that is loaded."""
    return (
        comment.status == CommentStatus.PUBLISHED
        or (comment.status == CommentStatus.REVIEW and comment.author_id == post.standing.user_id)
        or post.standing.may(Permission.MODERATE)
    )


def _move(uow: UnitOfWork, comment: Comment, target: CommentStatus) -> None:
    """Bring a locked comment into a state, with the counts and the change log in step."""
    before = CommentStatus(comment.status)
    if before == target:
        return
    comment.status = COMMENT_STATUS.require(before, target)
    comment.trashed_at = uow.now if target == CommentStatus.TRASHED else None
    uow.session.flush()
    if target == CommentStatus.PUBLISHED:
        _appear(uow, comment, first=before == CommentStatus.REVIEW)
    elif before == CommentStatus.PUBLISHED:
        _count(uow, comment, -1)
        _record(uow, comment, "deleted")
    if target == CommentStatus.TRASHED:
        uow.emit(CommentTrashed(comment.circle_id, comment.post_id, comment.id))


def _appear(uow: UnitOfWork, comment: Comment, *, first: bool = True) -> None:
    """Count a comment that members see from now on; the first time, tell those it is for."""
    post = _count(uow, comment, +1)
    if post.purged_at is not None:
        # Taken out for good while this one waited for its row.
        raise NotFound
    _record(uow, comment, "created")
    if not first:
        uow.emit(CommentChanged(comment.circle_id, comment.post_id, comment.id))
        return
    anonymous = post.anonymous and post.author_id == comment.author_id
    told = _answered(uow, comment, post.author_id)
    by = None if anonymous else comment.author_id
    uow.emit(CommentPosted(comment.circle_id, comment.post_id, comment.id, by, told))
    _tell_mentioned(uow, comment, anonymous=anonymous)


def _count(uow: UnitOfWork, comment: Comment, by: int) -> Row[UUID, bool, datetime | None]:
    """Add to the counts of parent and post, in this order and without touching their versions."""
    if comment.parent_id is not None:
        uow.session.execute(
            update(Comment)
            .where(Comment.id == comment.parent_id)
            .values(reply_count=Comment.reply_count + by)
            .execution_options(synchronize_session=False)
        )
    uow.emit(EngagementChanged(comment.circle_id, comment.post_id))
    return uow.session.execute(
        update(Post)
        .where(Post.id == comment.post_id)
        .values(comment_count=Post.comment_count + by)
        .returning(Post.author_id, Post.anonymous, Post.purged_at)
        .execution_options(synchronize_session=False)
    ).one()


def _answered(uow: UnitOfWork, comment: Comment, post_author_id: UUID) -> tuple[UUID, ...]:
    """Return whom a comment answers, without its own author."""
    answered = {post_author_id}
    if comment.parent_id is not None:
        answered.add(uow.session.scalars(select(Comment.author_id).where(Comment.id == comment.parent_id)).one())
    return tuple(sorted(answered - {comment.author_id}))


def _tell_mentioned(uow: UnitOfWork, comment: Comment, *, anonymous: bool) -> None:
    tell_mentioned(
        uow,
        text=comment.body,
        subject_kind="comment",
        subject_id=comment.id,
        circle_id=comment.circle_id,
        post_id=comment.post_id,
        author_id=comment.author_id,
        anonymous=anonymous,
    )


def _record(uow: UnitOfWork, comment: Comment, operation: changes.Operation) -> None:
    changes.record(uow, circle_id=comment.circle_id, kind="comment", item_id=comment.id, operation=operation)


def forget_trashed(uow: UnitOfWork) -> int:
    """Blank comments that were deleted long ago; their rows hold the place of their replies. Return how many."""
    old = (
        select(Comment.id)
        .where(
            Comment.status == CommentStatus.TRASHED, Comment.body != "", Comment.trashed_at <= uow.now - KEEP_TRASHED
        )
        .limit(_PURGE_BATCH)
    )
    blanked = update(Comment).where(Comment.id.in_(old)).values(body="").returning(Comment.id)
    return len(uow.session.execute(blanked.execution_options(synchronize_session=False)).all())
