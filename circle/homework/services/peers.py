"""Who reviews whom: asked as works arrive, so that everybody has the same number to give and to get.

Each arrival takes first what is still missing: members with fewer than n reviews to give review it, and it reviews
works that lack one. What it lacks then it takes out of the middle of open pairs: `a reviews b` becomes `a reviews
the new one` and `the new one reviews b`, which leaves a and b as they were. Pairs that somebody has begun stay.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from circle.homework import events
from circle.homework.models import Assignment, Work
from circle.homework.review_models import PeerTask
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

# Open pairs that are looked at per review that is missing: some of them can't be parted.
_LOOK_AT = 6


def ask_peers(uow: UnitOfWork, assignment_id: UUID, work: Work) -> None:
    """Pair a first hand-in with others. Arrivals of one assignment do so one after the other."""
    assignment = uow.session.get_one(
        Assignment, assignment_id, with_for_update={"key_share": True}, populate_existing=True
    )
    wanted = assignment.peer_reviewers
    work.peer_due_at = _due(uow, assignment)
    # The row counts as handed in from here on.
    uow.session.flush()
    for reviewer in _least_given(uow, work, wanted):
        _ask(uow, assignment, reviewer=reviewer, author=work)
    for author in _least_received(uow, work, wanted - work.peer_given):
        _ask(uow, assignment, reviewer=work, author=author)
    _part_pairs(uow, assignment, work)
    for author in _least_received(uow, work, wanted - work.peer_given, even_if_full=True):
        _ask(uow, assignment, reviewer=work, author=author)


def _least_given(uow: UnitOfWork, work: Work, limit: int) -> Sequence[Work]:
    """Return whose members have the fewest reviews to give, and fewer than all should."""
    return _others(uow, work, Work.peer_given, limit, PeerTask.reviewer_id, PeerTask.work_id == work.id)


def _least_received(uow: UnitOfWork, work: Work, limit: int, *, even_if_full: bool = False) -> Sequence[Work]:
    """Return works that get the fewest reviews and not one by this member yet."""
    asked = PeerTask.reviewer_id == work.user_id
    return _others(uow, work, Work.peer_received, limit, PeerTask.author_id, asked, even_if_full=even_if_full)


def _others(
    uow: UnitOfWork,
    work: Work,
    count: InstrumentedAttribute[int],
    limit: int,
    side: InstrumentedAttribute[UUID],
    paired: ColumnElement[bool],
    *,
    even_if_full: bool = False,
) -> Sequence[Work]:
    if limit <= 0:
        return ()
    already = select(side).where(PeerTask.assignment_id == work.assignment_id, paired)
    found = (
        select(Work)
        .where(
            Work.assignment_id == work.assignment_id,
            Work.attempts > 0,
            Work.id != work.id,
            Work.user_id.not_in(already),
        )
        .order_by(count, Work.id)
        .limit(limit)
    )
    if not even_if_full:
        n = select(Assignment.peer_reviewers).where(Assignment.id == work.assignment_id).scalar_subquery()
        found = found.where(count < n)
    return uow.session.scalars(found.execution_options(populate_existing=True)).all()


def _part_pairs(uow: UnitOfWork, assignment: Assignment, work: Work) -> None:
    """Put the new work in the middle of open pairs, the latest first, until it has what it should."""
    missing = min(assignment.peer_reviewers - work.peer_given, assignment.peer_reviewers - work.peer_received)
    if missing <= 0:
        return
    reviewers, authors = _partners(uow, work)
    for task in _movable(uow, work, missing * _LOOK_AT * assignment.peer_reviewers):
        if missing == 0:
            return
        if task.reviewer_id in reviewers or task.author_id in authors:
            continue
        reviewers.add(task.reviewer_id)
        authors.add(task.author_id)
        former = uow.session.get_one(Work, task.work_id)
        former.peer_received -= 1
        _move(uow, assignment, task, work)
        _ask(uow, assignment, reviewer=work, author=former)
        missing -= 1


def _partners(uow: UnitOfWork, work: Work) -> tuple[set[UUID], set[UUID]]:
    """Return who reviews this work and whose works this member reviews; oneself is no partner."""
    reviewers = select(PeerTask.reviewer_id).where(PeerTask.work_id == work.id)
    authors = select(PeerTask.author_id).where(
        PeerTask.assignment_id == work.assignment_id, PeerTask.reviewer_id == work.user_id
    )
    own = {work.user_id}
    return own | set(uow.session.scalars(reviewers)), own | set(uow.session.scalars(authors))


def _movable(uow: UnitOfWork, work: Work, limit: int) -> Sequence[PeerTask]:
    nobody_began = (PeerTask.begun_at.is_(None), PeerTask.done_at.is_(None), PeerTask.lapsed_at.is_(None))
    return uow.session.scalars(
        select(PeerTask)
        .where(PeerTask.assignment_id == work.assignment_id, PeerTask.work_id != work.id, *nobody_began)
        .order_by(PeerTask.assigned_at.desc(), PeerTask.id.desc())
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()


def _move(uow: UnitOfWork, assignment: Assignment, task: PeerTask, work: Work) -> None:
    task.work_id, task.author_id = work.id, work.user_id
    task.assigned_at, task.due_at = uow.now, _due(uow, assignment)
    work.peer_received += 1
    uow.session.flush()


def _ask(uow: UnitOfWork, assignment: Assignment, *, reviewer: Work, author: Work) -> None:
    task = PeerTask(
        id=new_id(),
        assignment_id=assignment.id,
        work_id=author.id,
        author_id=author.user_id,
        reviewer_id=reviewer.user_id,
        assigned_at=uow.now,
        due_at=_due(uow, assignment),
    )
    uow.session.add(task)
    reviewer.peer_given += 1
    author.peer_received += 1
    if author.peer_due_at is not None:
        author.peer_due_at = max(author.peer_due_at, task.due_at)
    uow.session.flush()
    about = (assignment.circle_id, assignment.id, assignment.title)
    uow.emit(events.PeerReviewAsked(*about, reviewer.user_id, task.id, task.due_at))


def _due(uow: UnitOfWork, assignment: Assignment) -> datetime:
    return uow.now + timedelta(days=assignment.peer_days)
