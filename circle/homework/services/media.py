"""Who may fetch what is attached to briefs, hand-ins and reviews."""

from uuid import UUID

from circle.homework.policy import find_submission, require_open
from circle.homework.review_models import Review
from circle.homework.told import tells_author
from circle.kernel.caller import Caller
from circle.kernel.errors import Conflict, Forbidden, NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, Purpose


def may_fetch(uow: UnitOfWork, caller: Caller, media: Media) -> bool:
    """Tell whether the caller may read what this object is attached to; a draft's files are its author's alone."""
    if media.attached_to is None:
        return False
    read = {
        Purpose.ASSIGNMENT: require_open,
        Purpose.SUBMISSION: find_submission,
        Purpose.REVIEW: _require_review,
    }[Purpose(media.purpose)]
    try:
        read(uow, caller, media.attached_to)
    except (NotFound, Forbidden, Conflict):
        return False
    return True


def _require_review(uow: UnitOfWork, caller: Caller, review_id: UUID) -> None:
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound
    shown = find_submission(uow, caller, review.submission_id)
    told = shown.is_own and tells_author(shown.seen.assignment, review.verdict)
    if not (told or shown.seen.teaches or review.reviewer_id == caller.user_id):
        raise NotFound
