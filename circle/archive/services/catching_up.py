"""Marking all of a circle as read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from circle.archive.reading_models import CircleRead
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_member


def mark_all_read(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, until: datetime | None = None) -> None:
    """Count everything that was published until an instant (now) as read; a mark never goes back, nor ahead of time.

    Only the counts of what is unread follow it: a gem that was not opened stays one. Errors: those of `require_member`.
    """
    require_member(uow, caller, circle_id)
    marking = insert(CircleRead).values(
        user_id=caller.user_id, circle_id=circle_id, read_until=min(until or uow.now, uow.now)
    )
    uow.session.execute(
        marking.on_conflict_do_update(
            index_elements=["user_id", "circle_id"],
            set_={"read_until": func.greatest(CircleRead.read_until, marking.excluded.read_until)},
        )
    )
