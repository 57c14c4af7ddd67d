"""The row of one member's homework: made when first needed, locked by whoever changes it."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from circle.homework.errors import ClaimedByAnother
from circle.homework.models import Assignment, Submission, Work, WorkState
from circle.kernel.caller import Caller
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork


def lock_own_work(uow: UnitOfWork, assignment: Assignment, user_id: UUID) -> Work:
    """Return somebody's work, locked until the commit; two at once get the same row, one after the other."""
    making = insert(Work).values(
        id=new_id(),
        circle_id=assignment.circle_id,
        assignment_id=assignment.id,
        user_id=user_id,
        state=WorkState.OWED,
        attempts=0,
        peer_given=0,
        peer_received=0,
        created_at=uow.now,
    )
    uow.session.execute(making.on_conflict_do_nothing(index_elements=["assignment_id", "user_id"]))
    locked = select(Work).where(Work.assignment_id == assignment.id, Work.user_id == user_id).with_for_update()
    return uow.session.scalars(locked.execution_options(populate_existing=True)).one()


def files_of_work(uow: UnitOfWork, assignment_id: UUID, user_id: UUID) -> frozenset[UUID]:
    """Return what somebody's versions have brought so far: the next one may name it again."""
    brought = select(Submission.attachments).where(
        Submission.work_id == Work.id, Work.assignment_id == assignment_id, Work.user_id == user_id
    )
    return frozenset(media_id for ids in uow.session.scalars(brought) for media_id in ids)


def require_unclaimed(uow: UnitOfWork, caller: Caller, work: Work) -> None:
    """Errors: ClaimedByAnother while another teacher's claim lasts."""
    claimed = work.claimed_until is not None and work.claimed_until > uow.now
    if claimed and work.claimed_by != caller.user_id:
        raise ClaimedByAnother
