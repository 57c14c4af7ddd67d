"""A deleted account: what was not published goes to the trash; what was read, and why something was reported, goes."""

from sqlalchemy import delete, update

from circle.accounts.events import UserDeleted
from circle.kernel.uow import UnitOfWork
from circle.posts.models import Post, PostRead, PostStatus, Report


def forget_person(uow: UnitOfWork, deleted: UserDeleted) -> None:
    """Throw away what somebody had not published yet, and what they read; what they published stays, without a name."""
    waiting = (PostStatus.DRAFT, PostStatus.SCHEDULED)
    uow.session.execute(
        update(Post)
        .where(Post.author_id == deleted.user_id, Post.status.in_(waiting))
        .values(
            status=PostStatus.TRASHED,
            trashed_from=Post.status,
            trashed_at=uow.now,
            trashed_by=deleted.user_id,
            publish_at=None,
        )
        .execution_options(synchronize_session=False)
    )
    uow.session.execute(delete(PostRead).where(PostRead.user_id == deleted.user_id))
    uow.session.execute(update(Report).where(Report.reporter_id == deleted.user_id).values(note=""))
