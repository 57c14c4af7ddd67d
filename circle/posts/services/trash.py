"""Trashing, restoring and, after 30 days, forgetting posts; hiding them by moderators."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select

from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.media.services.attachments import detach_from
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.posts import events
from circle.posts.errors import RestoreTooLate
from circle.posts.models import Post, PostRevision, PostStatus
from circle.posts.policy import lock_post, require_moderated_post
from circle.posts.services.publishing import move, publish, store, withdraw

KEEP_TRASHED = timedelta(days=30)
# Posts that one transaction of the job forgets.
BATCH = 100


def trash_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Put a post into the trash, as its author or a moderator; doing so again changes nothing."""
    post, _standing = lock_post(uow, caller, post_id)
    if post.author_id != caller.user_id:
        require_permission(uow, caller, post.circle_id, Permission.MODERATE)
    if post.status == PostStatus.TRASHED:
        return
    was = PostStatus(post.status)
    withdraw(uow, post)
    move(post, PostStatus.TRASHED)
    post.trashed_from, post.trashed_at, post.trashed_by = was, uow.now, caller.user_id
    store(uow, post)
    uow.emit(
        events.PostTrashed(
            post.circle_id,
            post.id,
            post.author_id,
            post.kind,
            trashed_by=caller.user_id,
            was_published=was == PostStatus.PUBLISHED,
        )
    )
    _note(uow, caller, "post.trash", post)


def restore_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Post:
    """Bring a post back to what it was; what a moderator threw away only a moderator brings back.

    Errors: WrongState unless it is in the trash, RestoreTooLate after 30 days.
    """
    post, _standing = lock_post(uow, caller, post_id)
    if post.author_id != caller.user_id or post.trashed_by not in {None, caller.user_id}:
        require_permission(uow, caller, post.circle_id, Permission.MODERATE)
    if post.status != PostStatus.TRASHED or post.trashed_at is None or post.trashed_from is None:
        raise WrongState(state=post.status)
    if post.trashed_at <= uow.now - KEEP_TRASHED:
        raise RestoreTooLate
    was = PostStatus(post.trashed_from)
    post.trashed_from = post.trashed_at = post.trashed_by = None
    if was == PostStatus.PUBLISHED:
        publish(uow, post)
    else:
        # A time to publish at may have passed in the trash: the author decides anew.
        move(post, PostStatus.DRAFT if was == PostStatus.SCHEDULED else was)
        post.publish_at = None
        store(uow, post)
    uow.emit(events.PostRestored(post.circle_id, post.id, post.author_id, post.kind))
    _note(uow, caller, "post.restore", post)
    return post


def hide_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a post out of sight, as a moderator; its author still sees it, and that it is hidden."""
    post = require_moderated_post(uow, caller, post_id)
    if post.status == PostStatus.HIDDEN:
        return
    withdraw(uow, post)
    move(post, PostStatus.HIDDEN)
    post.hidden_at = uow.now
    store(uow, post)
    uow.emit(events.PostHidden(post.circle_id, post.id, post.author_id, post.kind))
    audit.record(uow, caller, "post.hide", circle_id=post.circle_id, subject_kind="post", subject_id=post.id)


def unhide_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Put a hidden post back in sight, as a moderator."""
    post = require_moderated_post(uow, caller, post_id)
    if post.status == PostStatus.PUBLISHED:
        return
    if post.status != PostStatus.HIDDEN:
        raise WrongState(state=post.status)
    post.hidden_at = None
    publish(uow, post)
    audit.record(uow, caller, "post.unhide", circle_id=post.circle_id, subject_kind="post", subject_id=post.id)


def purge_trash(uow: UnitOfWork) -> int:
    """Forget a batch of posts that have lain in the trash for 30 days; return how many."""
    due = (
        select(Post)
        .where(Post.status == PostStatus.TRASHED, Post.purged_at.is_(None), Post.trashed_at <= uow.now - KEEP_TRASHED)
        .order_by(Post.trashed_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    posts = uow.session.scalars(due).all()
    for post in posts:
        post.title = post.body = post.excerpt = ""
        post.attachments = []
        post.purged_at = uow.now
    ids = [post.id for post in posts]
    uow.session.execute(delete(PostRevision).where(PostRevision.post_id.in_(ids)))
    detach_from(uow, ids)
    uow.session.flush()
    for post in posts:
        uow.emit(events.PostPurged(post.circle_id, post.id, post.author_id, post.kind))
    return len(posts)


def _note(uow: UnitOfWork, caller: Caller, action: str, post: Post) -> None:
    """Moderators' acts on others' posts are on record."""
    if post.author_id != caller.user_id:
        audit.record(uow, caller, action, circle_id=post.circle_id, subject_kind="post", subject_id=post.id)
