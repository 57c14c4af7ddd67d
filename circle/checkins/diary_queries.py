"""Reading what one member wrote in a circle's camps, for whoever takes it along."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import Date, Integer, Uuid, and_, bindparam, select

from circle.checkins.entry_models import CheckIn
from circle.checkins.models import Camp, CheckInDay
from circle.kernel.db import Json, Query
from circle.kernel.uow import UnitOfWork

_CAMPS = Query(
    lambda: (
        select(Camp.id, Camp.title, Camp.created_at)
        .where(
            Camp.circle_id == bindparam("circle_id", type_=Uuid()),
            select(CheckIn.id)
            .where(
                CheckIn.camp_id == Camp.id,
                CheckIn.user_id == bindparam("user_id", type_=Uuid()),
                CheckIn.removed_at.is_(None),
            )
            .exists(),
        )
        .order_by(Camp.id)
    )
)
_ENTRIES = Query(
    lambda: (
        select(
            CheckIn.id,
            CheckIn.day,
            CheckIn.body,
            CheckIn.number,
            CheckIn.made_at,
            CheckIn.teacher_note,
            CheckIn.attached,
            CheckInDay.kind,
        )
        .join(
            CheckInDay,
            and_(
                CheckInDay.camp_id == CheckIn.camp_id,
                CheckInDay.user_id == CheckIn.user_id,
                CheckInDay.day == CheckIn.day,
            ),
        )
        .where(
            CheckIn.camp_id == bindparam("camp_id", type_=Uuid()),
            CheckIn.user_id == bindparam("user_id", type_=Uuid()),
            CheckIn.removed_at.is_(None),
            CheckIn.day > bindparam("after_day", type_=Date()),
        )
        .order_by(CheckIn.day)
        .limit(bindparam("limit", type_=Integer()))
    )
)


def own_camps(uow: UnitOfWork, user_id: UUID, circle_id: UUID) -> Sequence[Json]:
    """Return the camps of a circle in which somebody has written: id, title, created_at."""
    return uow.rows(_CAMPS, user_id=user_id, circle_id=circle_id)


def own_entries(uow: UnitOfWork, user_id: UUID, camp_id: UUID, *, after_day: date, limit: int) -> Sequence[Json]:
    """Return what somebody wrote in a camp, day by day, removed ones left out."""
    return uow.rows(_ENTRIES, user_id=user_id, camp_id=camp_id, after_day=after_day, limit=limit)
