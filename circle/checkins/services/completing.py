"""Completing a camp: noted once, with a certificate."""

from uuid import UUID

from sqlalchemy import case, select, update

from circle.accounts.models import User
from circle.checkins.entry_models import Certificate
from circle.checkins.events import CampCompleted
from circle.checkins.models import Camp, CampMember, Standing
from circle.circles.models import Circle
from circle.kernel.clock import local_day
from circle.kernel.ids import new_code, new_id
from circle.kernel.uow import UnitOfWork

RENDER = "checkins.render"
_CODE_LETTERS = 14


def complete(uow: UnitOfWork, camp_id: UUID, user_id: UUID) -> Certificate | None:
    """Note that a member completed the camp and issue their certificate; None if it was noted before."""
    noted = uow.session.execute(
        update(Standing)
        .where(Standing.camp_id == camp_id, Standing.user_id == user_id, Standing.completed_at.is_(None))
        .values(completed_at=uow.now)
        .returning(Standing.total)
    ).scalar()
    if noted is None:
        return None
    camp = uow.session.get_one(Camp, camp_id)
    member = uow.session.get_one(CampMember, (camp_id, user_id))
    holder = uow.session.get_one(User, user_id).display_name
    circle_name = uow.session.scalars(select(Circle.name).where(Circle.id == camp.circle_id)).one()
    certificate = Certificate(
        id=new_id(),
        code=new_code(_CODE_LETTERS),
        camp_id=camp_id,
        circle_id=camp.circle_id,
        user_id=user_id,
        holder=holder,
        camp_title=camp.title,
        circle_name=circle_name,
        days_done=noted,
        starts_on=member.starts_on,
        ends_on=member.ends_on,
        issued_on=local_day(uow.now, camp.zone),
        issued_at=uow.now,
        due_at=uow.now,
    )
    uow.session.add(certificate)
    uow.session.flush()
    uow.ring(RENDER)
    uow.emit(CampCompleted(camp_id, camp.circle_id, camp.title, user_id, noted, certificate.id))
    return certificate


def complete_due(uow: UnitOfWork, camp_id: UUID) -> int:
    """Complete those who have done enough since the rule became kinder; return how many."""
    counted = Standing.total - case((Camp.makeups_count, 0), else_=Standing.made_up)
    done = (
        select(Standing.user_id)
        .join(Camp, Camp.id == Standing.camp_id)
        .join(CampMember, (CampMember.camp_id == Standing.camp_id) & (CampMember.user_id == Standing.user_id))
        .where(Standing.camp_id == camp_id, Standing.completed_at.is_(None), counted >= CampMember.completion_days)
        .order_by(Standing.user_id)
    )
    found = uow.session.scalars(done).all()
    for user_id in found:
        complete(uow, camp_id, user_id)
    return len(found)
