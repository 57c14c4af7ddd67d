"""Searches that found nothing, counted by circle and local day: what a creator might write about. Never who asked."""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from circle.archive.search.asking import Asked
from circle.archive.search.models import SearchMiss
from circle.circles.models import Circle
from circle.kernel.db import Row
from circle.kernel.uow import UnitOfWork

# Longer ones are somebody's own sentences, and no two are alike.
LONGEST = 40
KEEP = timedelta(days=180)
_BATCH = 1_000


def note_miss(uow: UnitOfWork, *, circle_id: UUID, asked: Asked) -> None:
    """Count a search of a whole circle that found nothing."""
    query = " ".join(asked.everything)
    if len(query) > LONGEST:
        return
    timezone = uow.session.scalars(select(Circle.timezone).where(Circle.id == circle_id)).one()
    day = uow.now.astimezone(ZoneInfo(timezone)).date()
    counted = insert(SearchMiss).values(circle_id=circle_id, day=day, query=query, times=1)
    uow.session.execute(
        counted.on_conflict_do_update(
            index_elements=["circle_id", "day", "query"], set_={"times": SearchMiss.times + 1}
        )
    )


def frequent_misses(uow: UnitOfWork, circle_id: UUID, *, since: date, limit: int) -> Sequence[Row]:
    """Return what was looked for in vain since a day, the most frequent first: `query`, `times`, `last_day`."""
    times = func.sum(SearchMiss.times).label("times")
    asked = (
        select(SearchMiss.query, times, func.max(SearchMiss.day).label("last_day"))
        .where(SearchMiss.circle_id == circle_id, SearchMiss.day >= since)
        .group_by(SearchMiss.query)
        .order_by(times.desc(), SearchMiss.query)
        .limit(limit)
    )
    return [row._asdict() for row in uow.session.execute(asked)]


def forget_old_misses(uow: UnitOfWork) -> int:
    """Delete a batch of counts of long ago; return how many."""
    oldest = (uow.now - KEEP).date()
    old = select(SearchMiss.circle_id, SearchMiss.day, SearchMiss.query).where(SearchMiss.day < oldest).limit(_BATCH)
    key = SearchMiss.__table__.primary_key
    gone = delete(SearchMiss).where(func.row(*key).in_(old)).returning(SearchMiss.day)
    return len(uow.session.scalars(gone.execution_options(synchronize_session=False)).all())
