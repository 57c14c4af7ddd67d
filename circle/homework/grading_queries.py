"""What teachers read: the queue, who still owes, the gradebook."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.homework.models import Assignment, Reminder, Submission, Work, WorkState
from circle.homework.policy import require_taught, require_taught_submission
from circle.homework.roster import due_of_member, owes, select_addressees
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership, Role, Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

_QUEUE = Keyset("homework_queue", {"waiting_since": datetime, "id": UUID})
_MISSING = Keyset("homework_missing", {"membership_id": UUID})
_GRADES = Keyset("gradebook", {"membership_id": UUID})
_FIRST = {"waiting_since": datetime(1, 1, 1, tzinfo=UTC), "id": UUID(int=0)}
_NOBODY = UUID(int=0)
# Columns of one gradebook: the latest assignments.
MOST_COLUMNS = 100


def queue(uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return what waits to be graded, oldest first, and how many works are in each state.

    Errors: NotFound, MissingPermission.
    """
    require_taught(uow, caller, assignment_id)
    after = _QUEUE.decode(cursor) if cursor else _FIRST
    waiting = (
        select(Work, Submission.number, User.display_name, User.avatar_media_id)
        .join(Submission, Submission.id == Work.submission_id)
        .join(User, User.id == Work.user_id)
        .where(
            Work.assignment_id == assignment_id,
            Work.waiting_since.is_not(None),
            tuple_(Work.waiting_since, Work.id) > tuple_(after["waiting_since"], after["id"]),
        )
        .order_by(Work.waiting_since, Work.id)
        .limit(limit + 1)
    )
    rows = [
        {
            "id": work.id,
            "submission_id": work.submission_id,
            "number": number,
            "author": user_card(work.user_id, name, avatar),
            "waiting_since": work.waiting_since,
            **_claim(work, uow.now),
        }
        for work, number, name, avatar in uow.session.execute(waiting)
    ]
    page, next_cursor = _QUEUE.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor, "counts": _counts(uow, assignment_id)}


def _claim(work: Work, now: datetime) -> Json:
    live = work.claimed_until is not None and work.claimed_until > now
    return {"claimed_by": work.claimed_by if live else None, "claimed_until": work.claimed_until if live else None}


def _counts(uow: UnitOfWork, assignment_id: UUID) -> Json:
    counted = (
        select(Work.state, func.count(), func.count(Work.waiting_since))
        .where(Work.assignment_id == assignment_id, Work.attempts > 0)
        .group_by(Work.state)
    )
    counts: Json = {state.value: 0 for state in WorkState if state != WorkState.OWED}
    waiting = 0
    for state, count, in_queue in uow.session.execute(counted):
        counts[state] = count
        waiting += in_queue
    return {**counts, "waiting": waiting}


def claimed(uow: UnitOfWork, work: Work | None) -> Json:
    """Return what somebody has just claimed, with its neighbours; nulls where nothing is left."""
    if work is None or work.submission_id is None:
        return {"submission_id": None, "claimed_until": None, "previous_id": None, "next_id": None}
    uow.session.flush()
    about = {"submission_id": work.submission_id, "claimed_until": work.claimed_until}
    return {**about, **_neighbours(uow, work)}


def neighbours(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> Json:
    """Return the latest versions that were handed in before and after this one. Errors: NotFound, …Permission."""
    shown = require_taught_submission(uow, caller, submission_id)
    return _neighbours(uow, shown.work)


def _neighbours(uow: UnitOfWork, work: Work) -> Json:
    place = tuple_(Work.submitted_at, Work.id)
    here = tuple_(work.submitted_at, work.id)
    handed_in = select(Work.submission_id).where(Work.assignment_id == work.assignment_id, Work.attempts > 0).limit(1)
    before = handed_in.where(place < here).order_by(Work.submitted_at.desc(), Work.id.desc())
    after = handed_in.where(place > here).order_by(Work.submitted_at, Work.id)
    return {"previous_id": uow.session.scalar(before), "next_id": uow.session.scalar(after)}


def missing(uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return who still owes an assignment, by when they joined. Errors: NotFound, MissingPermission."""
    require_taught(uow, caller, assignment_id)
    after = _MISSING.decode(cursor)["membership_id"] if cursor else _NOBODY
    reminded_at = (
        select(func.max(Reminder.sent_at))
        .where(Reminder.assignment_id == Assignment.id, Reminder.user_id == Membership.user_id)
        .correlate(Assignment, Membership)
        .scalar_subquery()
    )
    owing = (
        select_addressees(
            uow.now,
            Membership.id.label("membership_id"),
            User.id.label("user_id"),
            User.display_name,
            User.avatar_media_id,
            due_of_member().label("due_at"),
            reminded_at.label("reminded_at"),
        )
        .join(User, User.id == Membership.user_id)
        .where(Assignment.id == assignment_id, owes(), Membership.id > after)
        .order_by(Membership.id)
        .limit(limit + 1)
    )
    page, next_cursor = _MISSING.page(_mappings(uow, owing), limit)
    items = [{"user": _person(row), "due_at": row["due_at"], "reminded_at": row["reminded_at"]} for row in page]
    return {"items": items, "next_cursor": next_cursor}


def gradebook(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of members with what they have handed in. Errors: NotFound, MissingPermission, NotAMember."""
    require_permission(uow, caller, circle_id, Permission.TEACH)
    columns = gradebook_columns(uow, circle_id)
    after = _GRADES.decode(cursor)["membership_id"] if cursor else _NOBODY
    rows = gradebook_rows(uow, circle_id, columns, after=after, limit=limit + 1)
    page, next_cursor = _GRADES.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor, "assignments": columns}


def gradebook_columns(uow: UnitOfWork, circle_id: UUID) -> list[Json]:
    """Return the latest assignments that have opened, oldest first."""
    latest = (
        select(Assignment.id, Assignment.title, Assignment.due_at, Assignment.max_score)
        .where(Assignment.circle_id == circle_id, Assignment.deleted_at.is_(None), Assignment.opens_at <= uow.now)
        .order_by(Assignment.opens_at.desc(), Assignment.id.desc())
        .limit(MOST_COLUMNS)
    )
    return _mappings(uow, latest)[::-1]


def gradebook_rows(uow: UnitOfWork, circle_id: UUID, columns: Sequence[Json], *, after: UUID, limit: int) -> list[Json]:
    """Return members in the order in which they joined; `grades` in the order of the columns."""
    member: ColumnElement[bool] = (Membership.role == Role.MEMBER) & Membership.joined_at.is_not(None)
    members = (
        select(
            Membership.id.label("membership_id"),
            Membership.number,
            User.id.label("user_id"),
            User.display_name,
            User.avatar_media_id,
        )
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.circle_id == circle_id,
            Membership.id > after,
            member,
            Membership.status.in_((Status.ACTIVE, Status.EXPIRED)),
        )
        .order_by(Membership.id)
        .limit(limit)
    )
    rows = _mappings(uow, members)
    grades = _grades(uow, [row["user_id"] for row in rows], [one["id"] for one in columns])
    return [
        {
            "membership_id": row["membership_id"],
            "user": _person(row),
            "number": row["number"],
            "grades": [grades.get((row["user_id"], one["id"]), _no_grade(one["id"])) for one in columns],
        }
        for row in rows
    ]


def _grades(uow: UnitOfWork, user_ids: Sequence[UUID], ids: Sequence[UUID]) -> Mapping[tuple[UUID, UUID], Json]:
    if not user_ids or not ids:
        return {}
    handed_in = (
        select(
            Work.user_id,
            Work.assignment_id,
            Work.state,
            Work.score,
            Work.attempts.label("versions"),
            Work.submitted_at,
            Submission.late_seconds,
        )
        .outerjoin(Submission, Submission.id == Work.submission_id)
        .where(Work.assignment_id.in_(ids), Work.user_id.in_(user_ids))
    )
    return {(row.pop("user_id"), row["assignment_id"]): row for row in _mappings(uow, handed_in)}


def _no_grade(assignment_id: UUID) -> Json:
    empty = {"score": None, "versions": 0, "submitted_at": None, "late_seconds": None}
    return {"assignment_id": assignment_id, "state": WorkState.OWED, **empty}


def _mappings(uow: UnitOfWork, statement: Any) -> list[Json]:
    return [{str(name): value for name, value in row.items()} for row in uow.session.execute(statement).mappings()]


def _person(row: Mapping[str, Any]) -> Json:
    return user_card(row["user_id"], row["display_name"], row["avatar_media_id"])
