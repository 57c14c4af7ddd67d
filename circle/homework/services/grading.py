"""The grading queue: claiming what waits longest, letting go of it, releasing scores that were held back."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, select, update

from circle.homework import events
from circle.homework.errors import NothingHeld, OwnWork
from circle.homework.models import Assignment, Work, WorkState
from circle.homework.policy import lock_assignment, require_taught, require_taught_submission
from circle.homework.services.works import require_unclaimed
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Conflict
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_open_circle

# How long a claimed work is kept from other teachers.
LEASE = timedelta(minutes=30)


class NotWaiting(Conflict):
    code = "not_waiting"
    text = Text("这份作业不在待批改之列。", "This work does not wait to be graded.")


def claim_next(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, submission_id: UUID | None = None
) -> Work | None:
    """Claim what waits longest, or one work by its latest version; what one holds already is held on to.

    Returns None where nothing is left. Errors: NotFound, MissingPermission, CircleClosed, those of a named one:
    OwnWork, ClaimedByAnother, NotWaiting.
    """
    require_open_circle(require_taught(uow, caller, assignment_id).standing)
    if submission_id is not None:
        work: Work | None = _claim_named(uow, caller, assignment_id, submission_id)
    else:
        work = uow.session.scalar(_held(caller, assignment_id, uow)) or uow.session.scalar(
            _oldest(caller, assignment_id, uow)
        )
    if work is not None:
        work.claimed_by, work.claimed_until = caller.user_id, uow.now + LEASE
    return work


def _waiting(assignment_id: UUID) -> Select[Work]:
    return (
        select(Work)
        .where(Work.assignment_id == assignment_id, Work.waiting_since.is_not(None))
        .order_by(Work.waiting_since, Work.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )


def _held(caller: Caller, assignment_id: UUID, uow: UnitOfWork) -> Select[Work]:
    held = _waiting(assignment_id).where(Work.claimed_by == caller.user_id, Work.claimed_until > uow.now)
    return held.with_for_update()


def _oldest(caller: Caller, assignment_id: UUID, uow: UnitOfWork) -> Select[Work]:
    free = Work.claimed_until.is_(None) | (Work.claimed_until <= uow.now)
    return _waiting(assignment_id).where(free, Work.user_id != caller.user_id).with_for_update(skip_locked=True)


def _claim_named(uow: UnitOfWork, caller: Caller, assignment_id: UUID, submission_id: UUID) -> Work:
    shown = require_taught_submission(uow, caller, submission_id)
    work = uow.session.get_one(Work, shown.work.id, with_for_update=True, populate_existing=True)
    if shown.is_own:
        raise OwnWork
    if work.assignment_id != assignment_id or work.waiting_since is None or work.submission_id != submission_id:
        raise NotWaiting
    require_unclaimed(uow, caller, work)
    return work


def let_go(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> None:
    """Give back what one has claimed. Errors: NotFound, MissingPermission."""
    require_taught(uow, caller, assignment_id)
    uow.session.execute(
        update(Work)
        .where(Work.assignment_id == assignment_id, Work.claimed_by == caller.user_id)
        .values(claimed_by=None, claimed_until=None)
        .execution_options(synchronize_session=False)
    )


def release_scores(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Assignment:
    """Let everybody see their score at once, and later ones as they come. Errors: MissingPermission, NothingHeld."""
    assignment = lock_assignment(uow, caller, assignment_id)
    if assignment.tells_scores:
        raise NothingHeld
    assignment.scores_released_at = uow.now
    judged = (WorkState.PASSED, WorkState.EXCELLENT, WorkState.SCORED)
    scored = select(Work.user_id).where(Work.assignment_id == assignment_id, Work.state.in_(judged))
    told = uow.session.scalars(scored).all()
    uow.emit(events.ScoresReleased(assignment.circle_id, assignment.id, assignment.title, told))
    circle_id, action = assignment.circle_id, "assignment.release_scores"
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="assignment", subject_id=assignment_id)
    return assignment
