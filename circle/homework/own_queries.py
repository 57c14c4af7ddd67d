"""Reading what one member handed in, for whoever takes it along."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from circle.homework.models import Assignment, Work
from circle.kernel.db import Json, Query
from circle.kernel.uow import UnitOfWork

_HANDED_IN = Query(
    lambda: (
        select(Work.assignment_id, Assignment.title)
        .join(Assignment, Assignment.id == Work.assignment_id)
        .where(
            Work.user_id == bindparam("user_id", type_=Uuid()),
            Work.circle_id == bindparam("circle_id", type_=Uuid()),
            Work.attempts > 0,
            Assignment.deleted_at.is_(None),
        )
        .order_by(Assignment.opens_at, Assignment.id)
    )
)


def handed_in(uow: UnitOfWork, user_id: UUID, circle_id: UUID) -> Sequence[Json]:
    """Return the assignments of a circle for which somebody has handed something in: assignment_id, title."""
    return uow.rows(_HANDED_IN, user_id=user_id, circle_id=circle_id)
