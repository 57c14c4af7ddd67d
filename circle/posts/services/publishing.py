"""Bringing posts before readers: at once, at a set time, or after a moderator's look.

Each of `put_out`, `schedule`, `keep_draft` stores a new post with its first status, or moves one that is stored.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import inspect, select

from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Forbidden, Invalid, NotFound
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import CircleClosed
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_voice
from circle.posts import events
from circle.posts.models import STATUS, Post, PostStatus
from circle.posts.policy import require_moderated_post
from circle.posts.services.mentions import tell_mentioned
from circle.posts.services.tagging import file_under_tags
from circle.posts.services.words import check_words, held_by_words

# Posts that one transaction of the job takes; it goes on while there are more.
BATCH = 100


def put_out(uow: UnitOfWork, standing: Standing, post: Post, *, tags: Sequence[str] = ()) -> None:
    """Publish a post of somebody who may speak, or hold it for a moderator. Errors: Invalid for a blocked word."""
    if words_hold(uow, standing, post):
        hold(uow, post, tags=tags)
    else:
        publish(uow, post, tags=tags)


def words_hold(uow: UnitOfWork, standing: Standing, post: Post) -> bool:
    """Tell whether a word holds the post back. Errors: Invalid for one that is not allowed at all."""
    return held_by_words(uow, standing, title=post.title, body=post.body, excerpt=post.excerpt)


def publish(uow: UnitOfWork, post: Post, *, tags: Sequence[str] = (), was_scheduled: bool = False) -> None:
    """Show a post to members; one that they had seen before keeps its place and is not announced again."""
    move(post, PostStatus.PUBLISHED)
    post.publish_at = None
    seen_before = post.published_at is not None
    post.published_at = post.published_at or uow.now
    store(uow, post, tags)
    changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="created")
    about = (post.circle_id, post.id, post.author_id, post.kind)
    uow.emit(events.PostReturned(*about) if seen_before else events.PostPublished(*about, was_scheduled))
    tell_mentioned_in(uow, post)


def hold(uow: UnitOfWork, post: Post, *, tags: Sequence[str] = ()) -> None:
    """Keep a post back until a moderator lets it pass."""
    withdraw(uow, post)
    move(post, PostStatus.REVIEW)
    post.publish_at = None
    store(uow, post, tags)
    uow.emit(events.PostHeld(post.circle_id, post.id, post.author_id, post.kind))


def schedule(
    uow: UnitOfWork, standing: Standing, post: Post, publish_at: datetime, *, tags: Sequence[str] = ()
) -> None:
    """Have a post published later; a word that holds it back does so then. Errors: Invalid."""
    if publish_at <= uow.now:
        raise Invalid.field("publish_at", "in_the_past", "发布时间须在将来。", "Must lie in the future.")
    words_hold(uow, standing, post)
    move(post, PostStatus.SCHEDULED)
    post.publish_at = publish_at
    store(uow, post, tags)


def keep_draft(uow: UnitOfWork, post: Post, *, tags: Sequence[str] = ()) -> None:
    """Keep a post among its author's drafts, or take it back there."""
    move(post, PostStatus.DRAFT)
    post.publish_at = None
    store(uow, post, tags)


def store(uow: UnitOfWork, post: Post, tags: Sequence[str] = ()) -> None:
    """Write the row; `tags` are those of a new post."""
    if inspect(post).transient:
        uow.insert(post)
    file_under_tags(uow, post.circle_id, post.id, tags)


def move(post: Post, status: PostStatus) -> None:
    """Give a post another status. Errors: WrongState."""
    if post.status != status:
        post.status = STATUS.require(PostStatus(post.status), status)


def withdraw(uow: UnitOfWork, post: Post) -> None:
    """Have clients that mirror the circle drop a post that they have."""
    if post.status == PostStatus.PUBLISHED:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="deleted")


def tell_mentioned_in(uow: UnitOfWork, post: Post) -> None:
    """Announce to members that a post names them, once for good."""
    tell_mentioned(
        uow,
        text=post.body,
        subject_kind="post",
        subject_id=post.id,
        circle_id=post.circle_id,
        post_id=post.id,
        author_id=post.author_id,
        anonymous=post.anonymous,
    )


def approve_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Post:
    """Let a held post pass. Errors: WrongState unless it is held."""
    post = require_moderated_post(uow, caller, post_id)
    if post.status != PostStatus.REVIEW:
        raise WrongState(state=post.status)
    publish(uow, post)
    audit.record(uow, caller, "post.approve", circle_id=post.circle_id, subject_kind="post", subject_id=post.id)
    return post


def publish_due(uow: UnitOfWork) -> int:
    """Publish a batch of scheduled posts whose time has come; return how many were taken.

    Two workers at once take different rows. Who may not speak any more finds the post among their drafts.
    """
    due = (
        select(Post)
        .where(Post.status == PostStatus.SCHEDULED, Post.publish_at <= uow.now)
        .order_by(Post.publish_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    posts = uow.session.scalars(due).all()
    for post in posts:
        _publish_scheduled(uow, post)
    return len(posts)


def _publish_scheduled(uow: UnitOfWork, post: Post) -> None:
    standing = _voice_of_author(uow, post)
    if standing is None:
        keep_draft(uow, post)
    elif _wait_for_moderator(uow, standing, post):
        hold(uow, post)
    else:
        publish(uow, post, was_scheduled=True)


def _voice_of_author(uow: UnitOfWork, post: Post) -> Standing | None:
    try:
        return require_voice(uow, Caller(user_id=post.author_id), post.circle_id)
    except (Forbidden, NotFound, CircleClosed):
        return None


def _wait_for_moderator(uow: UnitOfWork, standing: Standing, post: Post) -> bool:
    """Tell whether the circle's words, as they are by now, keep a post back; nobody is there to be refused."""
    if standing.may(Permission.MODERATE):
        return False
    return check_words(uow, post.circle_id, f"{post.title}\n{post.excerpt}\n{post.body}") != "pass"
