"""Attachments of posts and answers: who may fetch them, and their cards once a worker has processed them."""

from uuid import UUID

from sqlalchemy import select, update

from circle.kernel import changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Forbidden, NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.events import MediaReady, MediaRejected
from circle.media.models import Media, Purpose
from circle.media.queries import attachments
from circle.posts.models import Answer, Post, PostStatus
from circle.posts.policy import require_post


def may_fetch(uow: UnitOfWork, caller: Caller, media: Media) -> bool:
    """Tell whether the caller may read the post that shows this object, itself or in its answer."""
    if media.attached_to is None:
        return False
    post_id = uow.session.scalar(select(Answer.post_id).where(Answer.id == media.attached_to))
    try:
        require_post(uow, caller, post_id or media.attached_to)
    except (NotFound, Forbidden):
        return False
    return True


def on_media_settled(uow: UnitOfWork, settled: MediaReady | MediaRejected) -> None:
    """Show an object as what it turned out to be; versions stay, because nobody edited anything."""
    if settled.purpose != Purpose.POST or settled.attached_to is None:
        return
    cards = attachments(uow, [settled.attached_to]).get(settled.attached_to, [])
    for shown in (Post, Answer):
        changed = (
            update(shown)
            .where(shown.id == settled.attached_to)
            .values(attachments=cards)
            .execution_options(synchronize_session=False)
        )
        uow.session.execute(changed)
    _record(uow, settled.attached_to)


def _record(uow: UnitOfWork, parent_id: UUID) -> None:
    of_answer = select(Answer.post_id).where(Answer.id == parent_id).scalar_subquery()
    post = uow.session.execute(
        select(Post.id, Post.circle_id).where(Post.id.in_([parent_id, of_answer]), Post.status == PostStatus.PUBLISHED)
    ).first()
    if post is not None:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
