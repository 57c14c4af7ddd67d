"""Handing in: each time an immutable numbered version, with its instant and lateness."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from circle.homework import events
from circle.homework.errors import AlreadyPassed, NoAttemptsLeft, NothingChanged, TooLate
from circle.homework.models import Assignment, Submission, Work, WorkState
from circle.homework.policy import require_addressed
from circle.homework.review_models import PeerTask
from circle.homework.services.drafts import drop_draft
from circle.homework.services.peers import ask_peers
from circle.homework.services.works import files_of_work, lock_own_work
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.text import is_blank
from circle.kernel.uow import UnitOfWork
from circle.kernel.words import count_words
from circle.media.models import Purpose
from circle.media.services.attachments import attach

_PASSED = frozenset({WorkState.PASSED, WorkState.EXCELLENT})


def hand_in(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, body: str = "", attachments: Sequence[UUID] = ()
) -> Submission:
    """Hand in the next version of one's work.

    Errors: those of `require_addressed`, TooLate, NoAttemptsLeft, AlreadyPassed, NothingChanged, Invalid.
    """
    assignment = require_addressed(uow, caller, assignment_id).assignment
    words = _require_content(assignment, body, attachments)
    work = lock_own_work(uow, assignment, caller.user_id)
    redo = assignment.redo_until_passed and work.state == WorkState.REDO
    _require_attempt(uow, assignment, work, redo=redo)
    _require_changed(uow, work, body, attachments)
    late = _lateness(uow, assignment, work)
    submission_id = new_id()
    submission = Submission(
        id=submission_id,
        circle_id=assignment.circle_id,
        assignment_id=assignment_id,
        work_id=work.id,
        author_id=caller.user_id,
        number=work.attempts + 1,
        body=body,
        words=words,
        attachments=_bring_files(uow, caller, assignment, attachments, to=submission_id),
        due_at=assignment.due_of(work),
        late_seconds=int(late.total_seconds()),
        penalty_percent=assignment.penalty_for(late),
        submitted_at=uow.now,
    )
    uow.session.add(submission)
    uow.session.flush()
    _take_up(uow, assignment, work, submission)
    about = (assignment.circle_id, assignment_id, assignment.title)
    uow.emit(events.WorkHandedIn(*about, work_id=work.id, submission_id=submission.id, user_id=caller.user_id))
    if assignment.peer_reviewers and submission.number == 1:
        # Last, because arrivals of one assignment wait here for each other.
        ask_peers(uow, assignment_id, work)
    return submission


def _require_content(assignment: Assignment, body: str, attachments: Sequence[UUID]) -> int:
    """Return how many words there are. Errors: Invalid for nothing at all, or too few words."""
    if is_blank(body) and not attachments:
        raise Invalid.field("body", "blank", "不能为空白。", "Must not be blank.")
    words = count_words(body)
    if words < assignment.min_words:
        least = assignment.min_words
        zh, en = f"至少 {least} 字，现有 {words} 字。", f"At least {least} words; these are {words}."
        raise Invalid.field("body", "too_few_words", zh, en)
    return words


def _require_attempt(uow: UnitOfWork, assignment: Assignment, work: Work, *, redo: bool) -> None:
    """A teacher who asks for another version opens one more attempt, whatever the limit and the cut-off."""
    if redo:
        return
    closes_at = assignment.closes_for(work)
    if closes_at is not None and closes_at <= uow.now:
        raise TooLate
    if assignment.redo_until_passed and work.state in _PASSED:
        raise AlreadyPassed
    if assignment.max_attempts is not None and work.attempts >= assignment.max_attempts:
        raise NoAttemptsLeft


def _require_changed(uow: UnitOfWork, work: Work, body: str, attachments: Sequence[UUID]) -> None:
    """A doubled tap is no second version."""
    if work.submission_id is not None:
        before = uow.session.get_one(Submission, work.submission_id)
        if (before.body, before.attachments) == (body, list(dict.fromkeys(attachments))):
            raise NothingChanged


def _bring_files(
    uow: UnitOfWork, caller: Caller, assignment: Assignment, wanted: Sequence[UUID], *, to: UUID
) -> list[UUID]:
    """Attach what is new, such as the draft's, and name again what an earlier version brought. Errors: Invalid."""
    drop_draft(uow, assignment.id, caller.user_id)
    kept = files_of_work(uow, assignment.id, caller.user_id) if wanted else ()
    circle_id, purpose = assignment.circle_id, Purpose.SUBMISSION
    attached = attach(uow, caller, wanted, purpose=purpose, to=to, circle_id=circle_id, elsewhere=kept)
    return [one.id for one in attached]


def _lateness(uow: UnitOfWork, assignment: Assignment, work: Work) -> timedelta:
    """Return how late this version is; one that a teacher asked for is as late as the first."""
    due_at = assignment.due_of(work)
    if work.state == WorkState.REDO:
        first = select(Submission.late_seconds).where(Submission.work_id == work.id, Submission.number == 1)
        return timedelta(seconds=uow.session.scalars(first).one())
    return max(uow.now - due_at, timedelta()) if due_at is not None else timedelta()


def _take_up(uow: UnitOfWork, assignment: Assignment, work: Work, submission: Submission) -> None:
    """Let the new version wait for a teacher, unless peers are still to review: a first one is about to get them."""
    work.attempts = submission.number
    work.submission_id, work.submitted_at = submission.id, uow.now
    work.state, work.score = WorkState.SUBMITTED, None
    work.claimed_by = work.claimed_until = None
    by_peers = assignment.peer_reviewers and (submission.number == 1 or _stays_with_peers(uow, work))
    if not by_peers:
        work.waiting_since = uow.now


def _stays_with_peers(uow: UnitOfWork, work: Work) -> bool:
    """Leave a later version to peers who have not answered yet, and to a teacher when the last of them is late."""
    last_due = select(func.max(PeerTask.due_at)).where(
        PeerTask.work_id == work.id, PeerTask.done_at.is_(None), PeerTask.lapsed_at.is_(None)
    )
    due_at = uow.session.scalar(last_due)
    if due_at is not None:
        # A teacher who asked for this version had ended the wait for peers.
        work.peer_due_at = due_at
    return due_at is not None
