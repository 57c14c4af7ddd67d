"""Access to homework: which assignments exist for somebody, which they may open, whose work they may see.

`seen()` tells which assignments exist for a reader (others are 404), `unlocked()` which of those they may read. Both
are SQL, run with `reading(standing)`, and stand alike in lists, single pages, sync and downloads.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    Uuid,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from circle.circles.models import Tier
from circle.homework.errors import AssignmentLocked, NotAddressed, NotOpenYet
from circle.homework.models import Assignment, AssignmentMember, Audience, Submission, Visibility, Work
from circle.homework.review_models import PeerTask, Review
from circle.homework.told import tells_author
from circle.kernel.caller import Caller
from circle.kernel.db import Query, constant
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MembershipExpired, NotAMember
from circle.memberships.gates import standing_gate
from circle.memberships.models import Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import (
    Standing,
    gated_standing,
    readable,
    require_look,
    require_member,
    require_open_circle,
    require_permission,
)

# The least tier of an assignment; join it with `.outerjoin(Required, Required.id == Assignment.tier_id)`.
Required = aliased(Tier, name="required")
# The reader's own work for an assignment, which `select_assignments` joins.
_Own = aliased(Work, name="own")
_OWN_COLUMNS = ("id", "state", "score", "attempts", "due_at", "consented_at", "submission_id")

_NEVER_JOINED = datetime(1, 1, 1, tzinfo=UTC)
_SHOWN_TO_ALL = (constant(Audience.ALL), constant(Audience.TIER))


@dataclass(frozen=True, slots=True)
class SeenAssignment:
    """An assignment that exists for the reader, and their own work for it: objects to look at, not to change.

    `unlocked`: they may read it. `addressed`: it was given to them.
    """

    standing: Standing
    assignment: Assignment
    own: Work | None
    required_tier_name: str | None
    required_rank: int | None
    unlocked: bool
    addressed: bool

    @property
    def teaches(self) -> bool:
        return self.standing.may(Permission.TEACH)


@dataclass(frozen=True, slots=True)
class SeenSubmission:
    """A version that the reader may see, its work, and why they may."""

    seen: SeenAssignment
    submission: Submission
    work: Work
    is_own: bool
    is_peer: bool

    @property
    def hides_author(self) -> bool:
        """Tell whether the reader may not know whose work it is."""
        shown = self.is_own or self.seen.teaches or self.work.showcased_id == self.submission.id
        return hides_peers(self.seen) and not shown


def circle_of_assignment() -> Any:
    """Return the circle of the assignment `:key`, for gates."""
    return select(Assignment.circle_id).where(Assignment.id == bindparam("key", type_=Uuid())).scalar_subquery()


def _circle_of_submission() -> Any:
    return select(Submission.circle_id).where(Submission.id == bindparam("key", type_=Uuid())).scalar_subquery()


circle_gate = standing_gate("circle_id")
assignment_gate = standing_gate("assignment_id", circle_of_assignment())
submission_gate = standing_gate("submission_id", _circle_of_submission())


def addressed(user_id: Any, joined_at: Any) -> ColumnElement[bool]:
    """Tell in SQL whether an assignment is for somebody, their tier aside."""
    named = exists().where(AssignmentMember.assignment_id == Assignment.id, AssignmentMember.user_id == user_id)
    return or_(
        Assignment.audience.in_(_SHOWN_TO_ALL),
        and_(Assignment.audience == constant(Audience.NAMED), named),
        and_(
            Assignment.audience == constant(Audience.COHORT),
            joined_at >= Assignment.joined_from,
            joined_at < Assignment.joined_before,
        ),
    )


def _is_addressed() -> ColumnElement[bool]:
    joined_at: Any = bindparam("reader_joined_at", type_=DateTime(timezone=True))
    return addressed(bindparam("reader_id", type_=Uuid()), joined_at)


def seen() -> ColumnElement[bool]:
    """Tell in SQL whether an assignment exists for the reader; whoever handed something in keeps it."""
    return and_(Assignment.deleted_at.is_(None), or_(_teaches(), _is_addressed(), _Own.id.is_not(None)))


def unlocked() -> ColumnElement[bool]:
    """Tell in SQL whether the reader may open an assignment; needs the join with `Required`."""
    open_now = Assignment.opens_at <= bindparam("now", type_=DateTime(timezone=True))
    may_read = readable(
        is_preview=false(),
        required_rank=func.coalesce(Required.rank, 0),
        published_at=Assignment.opens_at,
        author_id=Assignment.author_id,
    )
    return or_(_teaches(), and_(open_now, may_read))


def _teaches() -> Any:
    return bindparam("teaches", type_=Boolean())


def reading(standing: Standing) -> dict[str, Any]:
    """Return the parameters of `seen()` and `unlocked()`."""
    return {
        **standing.reading(),
        "teaches": standing.may(Permission.TEACH),
        "reader_joined_at": standing.joined_at or _NEVER_JOINED,
        "now": standing.now,
    }


def select_assignments() -> Select[*tuple[Any, ...]]:
    """Select assignments with what decides who may open them, and how far the reader is with each.

    Narrow it and run it with `reading(standing)`.
    """
    own = and_(_Own.assignment_id == Assignment.id, _Own.user_id == bindparam("reader_id", type_=Uuid()))
    return (
        select(
            *Assignment.__table__.columns,
            *(getattr(_Own, name).label(f"own_{name}") for name in _OWN_COLUMNS),
            Required.name.label("required_tier_name"),
            Required.rank.label("required_rank"),
            unlocked().label("unlocked"),
            _is_addressed().label("addressed"),
        )
        .outerjoin(Required, Required.id == Assignment.tier_id)
        .outerjoin(_Own, own)
        .where(seen())
    )


_SEEN = Query(lambda: select_assignments().where(Assignment.id == bindparam("assignment_id", type_=Uuid())))
_CIRCLE = Query(
    lambda: select(Assignment.circle_id).where(
        Assignment.id == bindparam("assignment_id", type_=Uuid()), Assignment.deleted_at.is_(None)
    )
)


def seen_from(row: Any, standing: Standing) -> SeenAssignment:
    about = {name: row[name] for name in ("required_tier_name", "required_rank", "unlocked", "addressed")}
    columns = {column.key: row[column.key] for column in Assignment.__table__.columns}
    own = None if row["own_id"] is None else Work(**{name: row[f"own_{name}"] for name in _OWN_COLUMNS})
    return SeenAssignment(standing=standing, assignment=Assignment(**columns), own=own, **about)


def require_reader(standing: Standing) -> Standing:
    """Return the standing of a member who reads now, or keeps what they paid for. Errors: NotAMember, …Expired."""
    if standing.is_inside or standing.keeps_paid_term:
        return standing
    raise MembershipExpired if standing.status in {Status.ACTIVE, Status.EXPIRED} else NotAMember


def require_circle_reader(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Standing:
    """Return the standing of whoever may list a circle's homework. Errors: NotFound, NotAMember, …Expired, Banned."""
    return require_reader(require_look(uow, caller, circle_id))


def find_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> SeenAssignment:
    """Return an assignment that exists for the caller. Errors: NotFound for strangers, MembershipExpired, Banned."""
    known = gated_standing(uow, caller, assignment_id)
    circle_id = known.circle_id if known else None
    if circle_id is None:
        found = uow.row(_CIRCLE, assignment_id=assignment_id)
        if found is None:
            raise NotFound
        circle_id = found["circle_id"]
    return _find(uow, caller, circle_id, assignment_id)


def _find(uow: UnitOfWork, caller: Caller, circle_id: UUID, assignment_id: UUID) -> SeenAssignment:
    standing = require_look(uow, caller, circle_id)
    if standing.membership_id is None:
        raise NotFound
    try:
        require_reader(standing)
    except NotAMember:
        raise NotFound from None
    row = uow.row(_SEEN, assignment_id=assignment_id, **reading(standing))
    if row is None:
        raise NotFound
    return seen_from(row, standing)


def require_open(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> SeenAssignment:
    """Return an assignment that the caller may read. Errors: those above, NotOpenYet, AssignmentLocked."""
    found = find_assignment(uow, caller, assignment_id)
    if not found.unlocked:
        raise _why_locked(found, uow.now)
    return found


def _why_locked(found: SeenAssignment, now: datetime) -> AssignmentLocked | NotOpenYet:
    """Return what to tell of a locked assignment: to wait helps nobody whose tier won't open it."""
    standing = found.standing
    will_open = standing.is_inside and (found.required_rank or 0) <= (standing.rank or 0)
    return NotOpenYet() if will_open and found.assignment.opens_at > now else AssignmentLocked()


def require_addressed(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> SeenAssignment:
    """Return an assignment that the caller may work on now.

    Errors: those above, NotAMember, MembershipExpired, CircleClosed, NotAddressed.
    """
    found = find_assignment(uow, caller, assignment_id)
    require_open_circle(require_member(uow, caller, found.assignment.circle_id))
    if not found.addressed:
        raise NotAddressed
    if not found.unlocked:
        raise _why_locked(found, uow.now)
    if found.assignment.opens_at > uow.now:
        raise NotOpenYet
    return found


def require_taught(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> SeenAssignment:
    """Return an assignment to somebody who teaches in its circle. Errors: NotFound, MissingPermission."""
    found = find_assignment(uow, caller, assignment_id)
    require_permission(uow, caller, found.assignment.circle_id, Permission.TEACH)
    return found


def lock_assignment(uow: UnitOfWork, caller: Caller, assignment_id: UUID) -> Assignment:
    """Return an assignment's row, locked, for a teacher of an open circle. Errors: those above, CircleClosed."""
    found = require_taught(uow, caller, assignment_id)
    require_open_circle(found.standing)
    return uow.session.get_one(Assignment, assignment_id, with_for_update={"key_share": True}, populate_existing=True)


def find_work(uow: UnitOfWork, assignment_id: UUID, user_id: UUID) -> Work | None:
    return uow.session.scalar(select(Work).where(Work.assignment_id == assignment_id, Work.user_id == user_id))


def may_see_others(found: SeenAssignment, now: datetime) -> bool:
    """Tell whether the reader may see what others have handed in."""
    assignment, own = found.assignment, found.own
    if found.teaches:
        return True
    if not found.unlocked or assignment.visibility == Visibility.NEVER:
        return False
    if assignment.visibility == Visibility.AFTER_SUBMISSION:
        return own is not None and own.attempts > 0
    due_at = assignment.due_of(own)
    return assignment.visibility == Visibility.ALWAYS or (due_at is not None and due_at <= now)


def hides_peers(found: SeenAssignment) -> bool:
    """Tell whether peers don't know of each other."""
    return found.assignment.peer_reviewers > 0 and found.assignment.peer_anonymous and not found.teaches


def find_submission(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> SeenSubmission:
    """Return a version that the caller may see; NotFound for everybody else."""
    submission = uow.session.get(Submission, submission_id)
    if submission is None:
        raise NotFound
    found = _find(uow, caller, submission.circle_id, submission.assignment_id)
    work = uow.session.get_one(Work, submission.work_id)
    is_own = work.user_id == caller.user_id
    is_peer = not is_own and not found.teaches and _is_peer(uow, caller, work)
    shown = SeenSubmission(found, submission, work, is_own, is_peer)
    if is_own or found.teaches or is_peer or _is_visible(uow, shown):
        return shown
    raise NotFound


def _is_peer(uow: UnitOfWork, caller: Caller, work: Work) -> bool:
    asked = select(PeerTask.id).where(PeerTask.work_id == work.id, PeerTask.reviewer_id == caller.user_id)
    return uow.session.scalar(asked) is not None


def _is_visible(uow: UnitOfWork, shown: SeenSubmission) -> bool:
    if not shown.seen.unlocked:
        return False
    if shown.work.showcased_id == shown.submission.id:
        return True
    return shown.work.submission_id == shown.submission.id and may_see_others(shown.seen, uow.now)


def require_taught_submission(uow: UnitOfWork, caller: Caller, submission_id: UUID) -> SeenSubmission:
    """Return a version to a teacher of its circle. Errors: NotFound, MissingPermission."""
    shown = find_submission(uow, caller, submission_id)
    require_permission(uow, caller, shown.submission.circle_id, Permission.TEACH)
    return shown


def reads_review(shown: SeenSubmission, caller: Caller, *, reviewer_id: UUID, verdict: str) -> bool:
    """Tell whether a review of this version exists for the caller: as its writer, a teacher, or whom it is told to."""
    if shown.is_own:
        return tells_author(shown.seen.assignment, verdict)
    return shown.seen.teaches or reviewer_id == caller.user_id


def require_review(uow: UnitOfWork, caller: Caller, review_id: UUID) -> tuple[Review, SeenSubmission]:
    """Return a review that the caller may read, and the version that it judges. Errors: NotFound."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound
    shown = find_submission(uow, caller, review.submission_id)
    if not reads_review(shown, caller, reviewer_id=review.reviewer_id, verdict=review.verdict):
        raise NotFound
    return review, shown


def require_taught_review(uow: UnitOfWork, caller: Caller, review_id: UUID) -> tuple[Review, SeenSubmission]:
    """Return a review to a teacher of its circle, and what it judges. Errors: NotFound, MissingPermission."""
    review, shown = require_review(uow, caller, review_id)
    require_permission(uow, caller, review.circle_id, Permission.TEACH)
    return review, shown


def lock_work(uow: UnitOfWork, work_id: UUID) -> Work:
    return uow.session.get_one(Work, work_id, with_for_update=True, populate_existing=True)
