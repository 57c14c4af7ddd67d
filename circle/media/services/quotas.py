"""How much a circle's attachments may take: counted when they are attached, given back when they are let go.

The count is changed under its row's lock at the end of the unit that attaches, so two at once never both take the last
bytes. Covers and faces are few and small: they don't count.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from circle.circles.models import Circle
from circle.config import Settings
from circle.kernel.db import Query
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork, Units
from circle.media.errors import StorageFull
from circle.media.models import CircleStorage, Media

_SHOWN = 3

_BEGIN = Query(
    lambda: text("""
        INSERT INTO circle_storage (circle_id, bytes)
        SELECT circle_id, 0 FROM unnest(CAST(:circles AS uuid[])) AS circle_id ORDER BY circle_id
        ON CONFLICT DO NOTHING
    """)
)
_CHANGE = Query(
    lambda: text("""
        WITH held AS (
            SELECT circle_id FROM circle_storage WHERE circle_id = ANY(CAST(:circles AS uuid[]))
            ORDER BY circle_id FOR UPDATE
        )
        UPDATE circle_storage AS kept SET bytes = kept.bytes + changed.bytes
        FROM held JOIN unnest(CAST(:circles AS uuid[]), CAST(:bytes AS bigint[])) AS changed (circle_id, bytes)
            USING (circle_id)
        WHERE kept.circle_id = held.circle_id
        RETURNING kept.circle_id, kept.bytes, coalesce(kept.quota, CAST(:most AS bigint)) AS most
    """)
)
_WRONG = Query(
    lambda: text("""
        SELECT circle_id, coalesce(kept.bytes, 0) AS kept, coalesce(found.bytes, 0) AS found
        FROM circle_storage AS kept FULL JOIN (
            SELECT circle_id, sum(counted) AS bytes FROM media WHERE circle_id IS NOT NULL GROUP BY circle_id
        ) AS found USING (circle_id)
        WHERE coalesce(kept.bytes, 0) <> coalesce(found.bytes, 0)
        ORDER BY circle_id
    """)
)


class Used(NamedTuple):
    """What attachments take, and may take, in bytes."""

    bytes: int
    most: int


def count(uow: UnitOfWork, circle_id: UUID, media: Iterable[Media]) -> None:
    """Count what was attached; those that count already stay. Errors, at the commit: StorageFull."""
    for one in media:
        if one.circle_id is None:
            one.circle_id, one.counted = circle_id, one.size
            uow.tally(settle, circle_id, one.size)


def give_back(uow: UnitOfWork, media: Media) -> None:
    if media.circle_id is not None:
        uow.tally(settle, media.circle_id, -(media.counted or 0))
        media.circle_id = media.counted = None


def settle(uow: UnitOfWork, changed: Mapping[UUID, int]) -> None:
    """Write what a unit has changed. Errors: StorageFull, where a circle has more than it may and took some of it."""
    circles = sorted(changed)
    uow.execute(_BEGIN, circles=circles)
    most, sums = uow.use(Settings).max_circle_bytes, [changed[one] for one in circles]
    for row in uow.rows(_CHANGE, circles=circles, bytes=sums, most=most):
        if changed[row["circle_id"]] > 0 and row["bytes"] > row["most"]:
            raise StorageFull(most=row["most"])


def used(uow: UnitOfWork, circle_id: UUID) -> Used:
    kept = uow.session.execute(
        select(CircleStorage.bytes, CircleStorage.quota).where(CircleStorage.circle_id == circle_id)
    ).one_or_none()
    most = uow.use(Settings).max_circle_bytes
    return Used(0, most) if kept is None else Used(kept.bytes, most if kept.quota is None else kept.quota)


def set_quota(uow: UnitOfWork, circle_id: UUID, **most: int | None) -> None:
    """Let one circle have more or less than the settings say, by the columns of its row; None: as they say.

    Errors: NotFound.
    """
    if uow.session.get(Circle, circle_id) is None:
        raise NotFound
    quota = insert(CircleStorage).values(circle_id=circle_id, bytes=0, **most)
    uow.session.execute(quota.on_conflict_do_update(index_elements=["circle_id"], set_=most))


def recount(uow: UnitOfWork, circle_id: UUID) -> None:
    """Count anew what is attached. Whoever attaches meanwhile waits for the count and adds to it. Errors: NotFound."""
    if uow.session.get(Circle, circle_id) is None:
        raise NotFound
    uow.execute(_BEGIN, circles=[circle_id])
    kept = uow.session.get_one(CircleStorage, circle_id, with_for_update=True)
    here = Media.circle_id == circle_id
    let_go = update(Media).where(here, Media.attached_to.is_(None)).values(circle_id=None, counted=None)
    uow.session.execute(let_go.execution_options(synchronize_session=False))
    kept.bytes = int(uow.session.scalar(select(func.sum(Media.counted)).where(here)) or 0)
    uow.session.flush()


def storage_adds_up(units: Units) -> str | None:
    """Compare the counts with what is attached."""
    with units.read() as uow:
        wrong = uow.rows(_WRONG)
    if not wrong:
        return None
    shown = ", ".join(f"{row['circle_id']} has {row['kept']} for {row['found']}" for row in wrong[:_SHOWN])
    return f"bytes of {len(wrong)} circles are counted wrongly: {shown}"
