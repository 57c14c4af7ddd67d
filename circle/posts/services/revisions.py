"""What posts said before they were edited."""

from sqlalchemy import func, select

from circle.kernel.caller import Caller
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.posts.models import Post, PostRevision


def keep_revision(uow: UnitOfWork, caller: Caller, post: Post) -> None:
    """Keep the present text of a locked post, which `caller` is about to replace."""
    last = select(func.coalesce(func.max(PostRevision.number), 0)).where(PostRevision.post_id == post.id)
    uow.session.add(
        PostRevision(
            id=new_id(),
            post_id=post.id,
            number=uow.session.scalars(last).one() + 1,
            editor_id=caller.user_id,
            title=post.title,
            body=post.body,
            created_at=uow.now,
        )
    )
