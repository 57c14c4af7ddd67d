"""What a member has read, and how far."""

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.posts.discussion_events import EngagementChanged
from circle.posts.errors import NotPublished
from circle.posts.models import PostRead
from circle.posts.policy import require_post


def mark_read(
    uow: UnitOfWork, caller: Caller, post_id: UUID, *, progress: int = 100, position: int | None = None
) -> None:
    """Note that the caller has opened a post, up to `progress` percent, which never goes back.

    `position` is where they stopped, in characters of the body; without it, it stays.
    """
    post = require_post(uow, caller, post_id)
    if not post.is_published:
        raise NotPublished
    reading = insert(PostRead).values(
        user_id=caller.user_id,
        post_id=post_id,
        circle_id=post.circle_id,
        progress=progress,
        position=position,
        first_read_at=uow.now,
        last_read_at=uow.now,
    )
    uow.session.execute(
        reading.on_conflict_do_update(
            index_elements=["user_id", "post_id"],
            set_={
                "progress": func.greatest(PostRead.progress, reading.excluded.progress),
                "position": func.coalesce(reading.excluded.position, PostRead.position),
                "last_read_at": reading.excluded.last_read_at,
            },
        )
    )
    uow.emit(EngagementChanged(post.circle_id, post_id))
