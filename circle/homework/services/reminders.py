"""Reminders to exactly those who still owe: before it is due, once after, and by a teacher's hand.

A row per reminder says that it went out: its key makes it once, however many workers look at the same moment.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, Text, and_, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from circle.circles.models import Circle
from circle.homework import events
from circle.homework.errors import NotOpenYet
from circle.homework.models import Assignment, Reminder, Work
from circle.homework.policy import require_taught
from circle.homework.review_models import PeerTask, Review
from circle.homework.roster import due_of_member, is_active, owes, select_addressees
from circle.kernel.caller import Caller
from circle.kernel.clock import local_day
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.policy import require_open_circle

BATCH = 1000
# A worker that was away tells of what fell due meanwhile, but not of what is long over.
TELL_OVERDUE_WITHIN = timedelta(days=3)
# Peers are reminded so long before their review is due.
PEER_WARNING = timedelta(hours=24)
# How due times stand in keys.
_STAMP = 'YYYY-MM-DD"T"HH24:MI:SS.US'


class _Reminded(NamedTuple):
    assignment_id: UUID
    due_at: datetime


def remind_missing(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> int:
    """Remind everybody who still owes, each at most once a day of the circle; return how many were reminded.

    Errors: NotFound, MissingPermission, CircleClosed, NotOpenYet.
    """
    found = require_taught(uow, caller, assignment_id)
    require_open_circle(found.standing)
    assignment = found.assignment
    if assignment.opens_at > uow.now:
        raise NotOpenYet
    day = local_day(uow.now, ZoneInfo(found.standing.timezone)).isoformat()
    key = literal(f"by_hand:{day}", Text())
    owing = _owing(uow, key, Assignment.id == assignment_id, owes())
    told = [row.user_id for row in _send(uow, owing)]
    for due_at, user_ids in _by_due_time(uow, assignment, told).items():
        about = (assignment.circle_id, assignment_id, assignment.title)
        uow.emit(events.HomeworkNudged(*about, user_ids, day, due_at))
    return len(told)


def _by_due_time(
    uow: UnitOfWork, assignment: Assignment, user_ids: Sequence[UUID]
) -> Mapping[datetime | None, Sequence[UUID]]:
    """Return members by when it is due for them: an extension is their own."""
    extended = (
        select(Work.user_id, due_of_member().label("due_at"))
        .join(Assignment, Assignment.id == Work.assignment_id)
        .where(Assignment.id == assignment.id, Work.user_id.in_(user_ids), Work.due_at.is_not(None))
    )
    own = {row.user_id: row.due_at for row in uow.session.execute(extended)}
    grouped: defaultdict[datetime | None, list[UUID]] = defaultdict(list)
    for user_id in user_ids:
        grouped[own.get(user_id, assignment.due_at)].append(user_id)
    return grouped


def remind_due_soon(uow: UnitOfWork) -> int:
    """Remind a batch of members of what is due soon; return how many."""
    due_at = due_of_member()
    ahead = Assignment.remind_hours * literal(timedelta(hours=1))
    soon = and_(
        Assignment.remind_hours > 0,
        Assignment.last_due_at > uow.now,
        Assignment.opens_at <= uow.now,
        # Nobody's due time is before everybody's: said again, so that only assignments near theirs are looked into.
        Assignment.due_at - ahead <= uow.now,
        due_at > uow.now,
        due_at - ahead <= uow.now,
    )
    return _remind_by_due(uow, "due_soon", events.HomeworkDueSoon, soon, owes())


def remind_overdue(uow: UnitOfWork) -> int:
    """Tell a batch of members, once, that what they owed did not come in time; return how many.

    Whoever was asked to do it again when it was due already has just been told so.
    """
    due_at = due_of_member()
    since = uow.now - TELL_OVERDUE_WITHIN
    over = and_(Assignment.last_due_at > since, Assignment.due_at <= uow.now, due_at <= uow.now, due_at > since)
    asked_in_time = exists().where(
        Review.submission_id == Work.submission_id,
        ~Review.peer,
        func.coalesce(Review.edited_at, Review.created_at) < due_at,
    )
    owed_in_time = and_(owes(), or_(func.coalesce(Work.attempts, 0) == 0, asked_in_time))
    return _remind_by_due(uow, "overdue", events.HomeworkOverdue, over, owed_in_time)


def remind_peers(uow: UnitOfWork) -> int:
    """Remind a batch of members of reviews that fellow members wait for; return how many."""
    due = (
        select(PeerTask.assignment_id, PeerTask.reviewer_id, func.concat("peer:", PeerTask.id), literal(uow.now))
        .join(Assignment, Assignment.id == PeerTask.assignment_id)
        .join(Circle, Circle.id == Assignment.circle_id)
        .where(
            PeerTask.done_at.is_(None),
            PeerTask.lapsed_at.is_(None),
            PeerTask.due_at > uow.now,
            PeerTask.due_at <= uow.now + PEER_WARNING,
            Assignment.deleted_at.is_(None),
            Circle.closed_at.is_(None),
            is_active(Assignment.circle_id, PeerTask.reviewer_id),
            ~_sent(PeerTask.assignment_id, PeerTask.reviewer_id, func.concat("peer:", PeerTask.id)),
        )
        .order_by(PeerTask.due_at)
        .limit(BATCH)
    )
    rows = _send(uow, due)
    for row in rows:
        task = uow.session.get_one(PeerTask, UUID(row.key.removeprefix("peer:")))
        one = uow.session.get_one(Assignment, row.assignment_id)
        about = (one.circle_id, one.id, one.title)
        uow.emit(events.PeerReviewDueSoon(*about, task.reviewer_id, task.id, task.due_at))
    return len(rows)


def _remind_by_due(uow: UnitOfWork, word: str, event: type, *which: ColumnElement[bool]) -> int:
    stamp = func.to_char(func.timezone("UTC", due_of_member()), _STAMP)
    key: ColumnElement[str] = func.concat(f"{word}:", stamp)
    rows = _send(uow, _owing(uow, key, *which))
    told: defaultdict[_Reminded, list[UUID]] = defaultdict(list)
    for row in rows:
        due_at = datetime.fromisoformat(row.key.removeprefix(f"{word}:")).replace(tzinfo=UTC)
        told[_Reminded(row.assignment_id, due_at)].append(row.user_id)
    for (assignment_id, due_at), user_ids in told.items():
        one = uow.session.get_one(Assignment, assignment_id)
        uow.emit(event(one.circle_id, one.id, one.title, user_ids, due_at))
    return len(rows)


def _owing(uow: UnitOfWork, key: ColumnElement[str], *which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Select new reminders of those who are asked for an assignment, and for whom `which` holds."""
    return (
        select_addressees(uow.now, Assignment.id, Membership.user_id, key, literal(uow.now))
        .where(*which, ~_sent(Assignment.id, Membership.user_id, key))
        .order_by(Assignment.id, Membership.user_id)
        .limit(BATCH)
    )


def _sent(assignment_id: Any, user_id: Any, key: Any) -> ColumnElement[bool]:
    return exists().where(Reminder.assignment_id == assignment_id, Reminder.user_id == user_id, Reminder.key == key)


def _send(uow: UnitOfWork, rows: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Note reminders and return those that are new: of two workers at once, one gets each."""
    adding = insert(Reminder).from_select(["assignment_id", "user_id", "key", "sent_at"], rows)
    new = adding.on_conflict_do_nothing().returning(Reminder.assignment_id, Reminder.user_id, Reminder.key)
    return uow.session.execute(new).all()
