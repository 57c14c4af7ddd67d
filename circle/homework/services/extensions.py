"""Extensions: more time for one member, with a trace."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from circle.homework import events
from circle.homework.models import Assignment, Extension
from circle.homework.policy import addressed, require_taught
from circle.homework.services.works import lock_own_work
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership, Status
from circle.memberships.policy import require_open_circle


def extend(
    uow: UnitOfWork, caller: Caller, assignment_id: UUID, *, user_id: UUID, due_at: datetime, note: str = ""
) -> Extension:
    """Give a member another due time; a cut-off moves along. Errors: MissingPermission, CircleClosed, Invalid."""
    found = require_taught(uow, caller, assignment_id)
    require_open_circle(found.standing)
    assignment = found.assignment
    _require_date(uow, assignment, due_at)
    _require_addressee(uow, assignment, user_id)
    work = lock_own_work(uow, assignment, user_id)
    extension = Extension(
        id=new_id(),
        assignment_id=assignment_id,
        user_id=user_id,
        due_at=due_at,
        due_before=assignment.due_of(work),
        note=note,
        granted_by=caller.user_id,
        granted_at=uow.now,
    )
    uow.session.add(extension)
    work.due_at = due_at
    uow.session.execute(
        update(Assignment)
        .where(Assignment.id == assignment_id)
        .values(last_due_at=func.greatest(Assignment.last_due_at, due_at))
        .execution_options(synchronize_session=False)
    )
    uow.session.flush()
    _announce(uow, caller, assignment, extension)
    return extension


def _require_date(uow: UnitOfWork, assignment: Assignment, due_at: datetime) -> None:
    if assignment.due_at is None:
        raise Invalid.field("due_at", "no_due_time", "这份作业没有截止时间。", "This assignment is never due.")
    if due_at <= uow.now:
        raise Invalid.field("due_at", "in_the_past", "须在将来。", "Must lie in the future.")
    if due_at <= assignment.due_at:
        raise Invalid.field("due_at", "out_of_order", "须晚于原截止时间。", "Must be after everybody's due time.")


def _require_addressee(uow: UnitOfWork, assignment: Assignment, user_id: UUID) -> None:
    asked = (
        select(Membership.id)
        .join(Assignment, Assignment.circle_id == Membership.circle_id)
        .where(
            Assignment.id == assignment.id,
            Membership.user_id == user_id,
            Membership.status.in_((Status.ACTIVE, Status.EXPIRED)),
            addressed(Membership.user_id, Membership.joined_at),
        )
    )
    if uow.session.scalar(asked) is None:
        zh, en = "这份作业没有布置给这位成员。", "This assignment was not given to that member."
        raise Invalid.field("user_id", "unknown_member", zh, en)


def _announce(uow: UnitOfWork, caller: Caller, assignment: Assignment, extension: Extension) -> None:
    audit.record(
        uow,
        caller,
        "assignment.extend",
        circle_id=assignment.circle_id,
        subject_kind="assignment",
        subject_id=assignment.id,
        user_id=str(extension.user_id),
        due_at=extension.due_at.isoformat(),
    )
    uow.emit(
        events.ExtensionGranted(
            assignment.circle_id,
            assignment.id,
            assignment.title,
            extension.user_id,
            extension.id,
            extension.due_at,
        )
    )
