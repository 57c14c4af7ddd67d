"""Marking posts as worth keeping."""

from uuid import UUID

from sqlalchemy import update

from circle.archive import events
from circle.archive.policy import require_filed_post
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.posts.errors import NotPublished
from circle.posts.models import Post, PostStatus
from circle.posts.policy import SeenPost


def mark_digest(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Mark a published post; a second mark keeps the first one's who and when. Errors: NotPublished."""
    post = require_filed_post(uow, caller, post_id)
    if not post.is_published:
        raise NotPublished
    marked = uow.session.execute(
        update(Post)
        .where(Post.id == post_id, Post.status == PostStatus.PUBLISHED, Post.digest_at.is_(None))
        .values(digest_at=uow.now, digest_by=caller.user_id)
        .returning(Post.id)
    ).scalar()
    if marked is not None:
        _note(uow, caller, "post.mark_digest", post)
        uow.emit(events.PostMarkedDigest(post.circle_id, post_id, post.author_id, caller.user_id))


def unmark_digest(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take the mark away, if there is one."""
    post = require_filed_post(uow, caller, post_id)
    unmarked = uow.session.execute(
        update(Post)
        .where(Post.id == post_id, Post.digest_at.is_not(None))
        .values(digest_at=None, digest_by=None)
        .returning(Post.id)
    ).scalar()
    if unmarked is not None:
        _note(uow, caller, "post.unmark_digest", post)
        uow.emit(events.PostUnmarkedDigest(post.circle_id, post_id))


def _note(uow: UnitOfWork, caller: Caller, action: str, post: SeenPost) -> None:
    audit.record(uow, caller, action, circle_id=post.circle_id, subject_kind="post", subject_id=post.id)
    if post.is_published:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
