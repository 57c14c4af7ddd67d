"""Who reviews whom: asked as works arrive, so that everybody has the same number to give and to get.

Each arrival takes first what is still missing: members with fewer than n reviews to give review it, and it reviews
works that lack one. What it lacks then it takes out of the middle of open pairs: `a reviews b` becomes `a reviews
the new one` and `the new one reviews b`, which leaves a and b as they were. Pairs that somebody has begun stay.

Arrivals of one assignment take turns on its row: what they do while they hold it is a few statements, whatever n is.
Locks are taken in this order: one's own work, the assignment, pairs, works of others.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from circle.homework import events
from circle.homework.models import Assignment, Work
from circle.homework.review_models import PeerTask
from circle.homework.roster import is_active
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

# Open pairs that are looked at per review that is missing: some of them can't be parted.
_LOOK_AT = 6


def ask_peers(uow: UnitOfWork, assignment_id: UUID, work: Work) -> None:
    """Pair a first hand-in with others. Arrivals of one assignment do so one after the other."""
    assignment = uow.session.get_one(
        Assignment, assignment_id, with_for_update={"key_share": True}, populate_existing=True
    )
    arrival = _Arrival(uow, assignment, work)
    arrival.find_reviewers()
    arrival.find_authors()
    arrival.part_pairs()
    arrival.find_authors(even_if_full=True)
    arrival.announce()


class _Arrival:
    """A first hand-in, and who was paired with it so far: before it arrived nobody was."""

    def __init__(self, uow: UnitOfWork, assignment: Assignment, work: Work) -> None:
        self._uow, self._assignment, self._work = uow, assignment, work
        self._wanted = assignment.peer_reviewers
        self._due_at = uow.now + timedelta(days=assignment.peer_days)
        # Oneself is no partner.
        self._reviewers, self._authors = {work.user_id}, {work.user_id}
        self._asked: list[PeerTask] = []
        work.peer_due_at = self._due_at

    def find_reviewers(self) -> None:
        """Ask those who have the fewest reviews to give, and fewer than all should; not who is no member any more."""
        present = is_active(self._assignment.circle_id, Work.user_id)
        for reviewer in self._others(Work.peer_given, self._wanted, present, but=self._reviewers):
            self._ask(reviewer=reviewer, author=self._work)

    def find_authors(self, *, even_if_full: bool = False) -> None:
        """Let this member review the works that get the fewest reviews."""
        missing = self._wanted - self._work.peer_given
        for author in self._others(Work.peer_received, missing, but=self._authors, even_if_full=even_if_full):
            self._ask(reviewer=self._work, author=author)

    def part_pairs(self) -> None:
        """Put the new work in the middle of open pairs, the latest first, until it has what it should."""
        missing = self._wanted - max(self._work.peer_given, self._work.peer_received)
        parted: list[PeerTask] = []
        for task in self._movable(missing * _LOOK_AT * self._wanted) if missing > 0 else ():
            if len(parted) == missing:
                break
            if task.reviewer_id not in self._reviewers and task.author_id not in self._authors:
                self._reviewers.add(task.reviewer_id)
                self._authors.add(task.author_id)
                parted.append(task)
        former = self._works(task.work_id for task in parted)
        for task in parted:
            author = former[task.work_id]
            author.peer_received -= 1
            task.work_id, task.author_id = self._work.id, self._work.user_id
            task.assigned_at, task.due_at = self._uow.now, self._due_at
            self._work.peer_received += 1
            self._ask(reviewer=self._work, author=author)

    def announce(self) -> None:
        """Write the pairs, and tell whoever has one to review now."""
        self._uow.session.flush()
        if self._asked:
            one = self._assignment
            asked = [(task.reviewer_id, task.id) for task in self._asked]
            self._uow.emit(events.PeerReviewsAsked(one.circle_id, one.id, one.title, asked, self._due_at))

    def _others(
        self,
        count: InstrumentedAttribute[int],
        limit: int,
        *which: ColumnElement[bool],
        but: set[UUID],
        even_if_full: bool = False,
    ) -> Sequence[Work]:
        if limit <= 0:
            return ()
        found = (
            select(Work)
            .where(Work.assignment_id == self._assignment.id, Work.attempts > 0, Work.user_id.not_in(but), *which)
            .order_by(count, Work.id)
            .limit(limit)
        )
        if not even_if_full:
            found = found.where(count < self._wanted)
        return self._uow.session.scalars(found.execution_options(populate_existing=True)).all()

    def _movable(self, limit: int) -> Sequence[PeerTask]:
        nobody_began = (PeerTask.begun_at.is_(None), PeerTask.done_at.is_(None), PeerTask.lapsed_at.is_(None))
        present = is_active(self._assignment.circle_id, PeerTask.reviewer_id)
        return self._uow.session.scalars(
            select(PeerTask)
            .where(
                PeerTask.assignment_id == self._assignment.id, PeerTask.work_id != self._work.id, *nobody_began, present
            )
            .order_by(PeerTask.assigned_at.desc(), PeerTask.id.desc())
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()

    def _works(self, ids: Iterable[UUID]) -> dict[UUID, Work]:
        wanted = set(ids)
        found = select(Work).where(Work.id.in_(wanted)).execution_options(populate_existing=True)
        return {work.id: work for work in self._uow.session.scalars(found)} if wanted else {}

    def _ask(self, *, reviewer: Work, author: Work) -> None:
        task = PeerTask(
            id=new_id(),
            assignment_id=self._assignment.id,
            work_id=author.id,
            author_id=author.user_id,
            reviewer_id=reviewer.user_id,
            assigned_at=self._uow.now,
            due_at=self._due_at,
        )
        self._uow.session.add(task)
        self._asked.append(task)
        self._reviewers.add(reviewer.user_id)
        self._authors.add(author.user_id)
        reviewer.peer_given += 1
        author.peer_received += 1
        if author.peer_due_at is not None:
            author.peer_due_at = max(author.peer_due_at, task.due_at)
