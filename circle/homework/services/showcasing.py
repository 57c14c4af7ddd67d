"""Showing good work to the circle: the author agrees, a teacher shows it."""

from uuid import UUID

from circle.homework import events
from circle.homework.errors import AlreadyShown, NoConsent
from circle.homework.models import Work, WorkState
from circle.homework.policy import find_assignment, find_work, lock_work, require_taught_submission
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_open_circle

_SHOWN = frozenset({WorkState.PASSED, WorkState.EXCELLENT, WorkState.SCORED})


def agree(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Let one's work be shown in the circle. Errors: NotFound unless something was handed in."""
    work = _own_work(uow, caller, assignment_id)
    work.consented_at = work.consented_at or uow.now


def disagree(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Take the consent back, as long as nothing is shown. Errors: NotFound, AlreadyShown."""
    work = _own_work(uow, caller, assignment_id)
    if work.showcased_at is not None:
        raise AlreadyShown
    work.consented_at = None


def _own_work(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Work:
    find_assignment(uow, caller, assignment_id)
    found = find_work(uow, assignment_id, caller.user_id)
    if found is None or found.attempts == 0:
        raise NotFound
    return lock_work(uow, found.id)


def showcase(uow: UnitOfWork, caller: Caller, submission_id: UUID, *, column_id: UUID | None = None) -> UUID:
    """Show a version that a teacher has judged, as a post by its author, filed in a column if one is named.

    Errors: NotFound, MissingPermission, NoConsent, AlreadyShown, WrongState, those of writing and filing posts.
    """
    shown = require_taught_submission(uow, caller, submission_id)
    require_open_circle(shown.seen.standing)
    work, submission, assignment = lock_work(uow, shown.work.id), shown.submission, shown.seen.assignment
    if work.consented_at is None:
        raise NoConsent
    if work.showcased_at is not None:
        raise AlreadyShown
    if work.state not in _SHOWN:
        raise WrongState(state=work.state)
    work.showcased_at, work.showcased_id = uow.now, submission.id
    uow.session.flush()
    circle_id = submission.circle_id
    audit.record(
        uow,
        caller,
        "submission.showcase",
        circle_id=circle_id,
        subject_kind="submission",
        subject_id=submission.id,
    )
    uow.emit(
        events.WorkShowcased(
            submission.circle_id,
            assignment.id,
            assignment.title,
            submission.id,
            submission.author_id,
            caller.user_id,
            submission.body,
            submission.attachments,
            assignment.tier_id,
            column_id,
        )
    )
    return submission.id
