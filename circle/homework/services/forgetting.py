"""A deleted account: drafts go, and what was noted about its extensions; what was handed in stays, without a name."""

from sqlalchemy import select, update

from circle.accounts.events import UserDeleted
from circle.homework.models import Draft, Extension
from circle.kernel.uow import UnitOfWork
from circle.media.services.attachments import detach_from


def forget_person(uow: UnitOfWork, deleted: UserDeleted) -> None:
    """Drop the drafts of a deleted account, and why it was given more time."""
    drafts = uow.session.scalars(select(Draft).where(Draft.user_id == deleted.user_id)).all()
    detach_from(uow, [draft.id for draft in drafts])
    for draft in drafts:
        uow.session.delete(draft)
    uow.session.execute(update(Extension).where(Extension.user_id == deleted.user_id).values(note=""))
