"""Peer reviews: beginning one, writing it, and what becomes of those that nobody writes in time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select, update

from circle.homework import events
from circle.homework.errors import AlreadyReviewed, NotAPeerTask, OwnWork, PeerTaskOver
from circle.homework.models import Assignment, Submission, Work, WorkState
from circle.homework.policy import SeenSubmission, find_submission, lock_work
from circle.homework.review_models import PeerTask, Review, Verdict
from circle.homework.rubric import judge
from circle.homework.services.reviewing import require_remarks, write_review
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_member, require_open_circle

BATCH = 500


def begin_task(uow: UnitOfWork, caller: Caller, task_id: UUID) -> UUID:
    """Begin a review: from now on it is not given to somebody else; return the version to judge.

    Errors: NotFound unless it is one's own, PeerTaskOver, those of `require_member`.
    """
    task = uow.session.get(PeerTask, task_id, with_for_update=True)
    if task is None or task.reviewer_id != caller.user_id:
        raise NotFound
    work = uow.session.get_one(Work, task.work_id)
    require_member(uow, caller, work.circle_id)
    if task.lapsed_at is not None:
        raise PeerTaskOver
    task.begun_at = task.begun_at or uow.now
    uow.session.flush()
    return uow.session.scalars(select(Submission.id).where(Submission.id == work.submission_id)).one()


def review_as_peer(
    uow: UnitOfWork,
    caller: Caller,
    submission_id: UUID,
    *,
    rubric: Mapping[str, str],
    body: str = "",
    remarks: Sequence[Mapping[str, Any]] = (),
) -> Review:
    """Judge a fellow member's version by the rubric.

    Errors: NotFound, OwnWork, NotAPeerTask, PeerTaskOver, AlreadyReviewed, Invalid, those of `require_member`.
    """
    shown = find_submission(uow, caller, submission_id)
    require_open_circle(require_member(uow, caller, shown.submission.circle_id))
    if shown.is_own:
        raise OwnWork
    # The pair before the work, as an arrival does that parts it.
    task = _lock_task(uow, caller, shown.work)
    work = lock_work(uow, shown.work.id)
    judged = judge(shown.seen.assignment, verdict=Verdict.SCORED, rubric=rubric)
    require_remarks(shown.submission, remarks)
    review = write_review(uow, caller, shown, judged, body=body, remarks=remarks, peer=True)
    task.begun_at, task.done_at = task.begun_at or uow.now, uow.now
    uow.session.flush()
    _settle_by_peers(uow, shown, work)
    return review


def _lock_task(uow: UnitOfWork, caller: Caller, work: Work) -> PeerTask:
    asked = select(PeerTask).where(PeerTask.work_id == work.id, PeerTask.reviewer_id == caller.user_id)
    task = uow.session.scalar(asked.with_for_update().execution_options(populate_existing=True))
    if task is None:
        raise NotAPeerTask
    if task.done_at is not None:
        raise AlreadyReviewed
    if task.lapsed_at is not None:
        raise PeerTaskOver
    return task


def _settle_by_peers(uow: UnitOfWork, shown: SeenSubmission, work: Work) -> None:
    """Score a work by the mean of its peers, once as many as were wanted have judged it."""
    if work.state != WorkState.SUBMITTED or work.waiting_since is not None:
        return
    judged = select(func.count(), func.round(func.avg(Review.final_score))).where(
        Review.work_id == work.id, Review.peer
    )
    count, mean = uow.session.execute(judged).one()
    still_open = exists().where(PeerTask.work_id == work.id, PeerTask.done_at.is_(None), PeerTask.lapsed_at.is_(None))
    if count >= shown.seen.assignment.peer_reviewers and not uow.session.scalar(select(still_open)):
        work.state, work.score, work.peer_due_at = WorkState.SCORED, int(mean), None


def close_overdue(uow: UnitOfWork) -> int:
    """End a batch of peer reviews whose time is over; works that lack one wait for a teacher. Return how many."""
    lapsed = (
        select(PeerTask.id)
        .where(PeerTask.done_at.is_(None), PeerTask.lapsed_at.is_(None), PeerTask.due_at <= uow.now)
        .order_by(PeerTask.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = uow.session.scalars(lapsed).all()
    if ids:
        closing = update(PeerTask).where(PeerTask.id.in_(ids)).values(lapsed_at=uow.now)
        uow.session.execute(closing.execution_options(synchronize_session=False))
    return len(ids) + _hand_to_teachers(uow)


def _hand_to_teachers(uow: UnitOfWork) -> int:
    overdue = (
        select(Work)
        .where(Work.peer_due_at <= uow.now)
        .order_by(Work.peer_due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    missed: defaultdict[UUID, list[UUID]] = defaultdict(list)
    works = uow.session.scalars(overdue).all()
    for work in works:
        work.peer_due_at = None
        if work.state == WorkState.SUBMITTED and work.waiting_since is None:
            work.waiting_since = work.submitted_at
            missed[work.assignment_id].append(work.id)
    for assignment_id, work_ids in missed.items():
        one = uow.session.get_one(Assignment, assignment_id)
        uow.emit(events.PeerReviewsMissed(one.circle_id, one.id, one.title, one.author_id, work_ids))
    return len(works)
