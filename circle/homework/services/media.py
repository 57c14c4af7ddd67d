"""Who may fetch what is attached to briefs, hand-ins and reviews."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import any_, literal, select
from sqlalchemy.orm import aliased

from circle.homework.models import Submission
from circle.homework.policy import find_submission, require_open, require_review
from circle.kernel.caller import Caller
from circle.kernel.errors import Conflict, Forbidden, NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, Purpose


def may_fetch(uow: UnitOfWork, caller: Caller, media: Media) -> bool:
    """Tell whether the caller may read what this object is attached to; a draft's files are its author's alone."""
    if media.attached_to is None:
        return False
    if media.purpose == Purpose.SUBMISSION:
        return any(_reads(find_submission, uow, caller, one) for one in _versions_with(uow, media))
    read = {Purpose.ASSIGNMENT: require_open, Purpose.REVIEW: require_review}[Purpose(media.purpose)]
    return _reads(read, uow, caller, media.attached_to)


def _reads(read: Callable[[UnitOfWork, Caller, UUID], object], uow: UnitOfWork, caller: Caller, parent: UUID) -> bool:
    try:
        read(uow, caller, parent)
    except (NotFound, Forbidden, Conflict):
        return False
    return True


def _versions_with(uow: UnitOfWork, media: Media) -> Sequence[UUID]:
    """Return the versions that show it, the latest first: that which brought it, and later ones of the same work."""
    brought = aliased(Submission)
    showing = (
        select(Submission.id)
        .join(brought, brought.work_id == Submission.work_id)
        .where(brought.id == media.attached_to, literal(media.id) == any_(Submission.attachments))
        .order_by(Submission.number.desc())
    )
    return uow.session.scalars(showing).all()
