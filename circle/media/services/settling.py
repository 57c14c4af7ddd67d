"""How far an object gets: the moves of its state, and what they announce."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text

from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork
from circle.media.errors import ContentRefused
from circle.media.events import MediaReady, MediaRejected
from circle.media.models import MACHINE, Media, MediaStatus

PROCESS = "media.process"
# Between two uploads of one person that wait: others' that come meanwhile go between. No time that anybody waits.
APART = timedelta(seconds=10)
_LINE_UP = Query(
    lambda: text("""
        WITH coming AS (
            SELECT id, owner_id, row_number() OVER (PARTITION BY owner_id ORDER BY attached_to, position, id) AS number
            FROM media WHERE id = ANY(CAST(:ids AS uuid[])) AND due_at IS NOT NULL AND turn_at IS NULL
        )
        UPDATE media SET turn_at = greatest(
            CAST(:now AS timestamptz) - :apart,
            (SELECT max(one.turn_at) FROM media AS one WHERE one.owner_id = coming.owner_id AND one.due_at IS NOT NULL)
        ) + coming.number * CAST(:apart AS interval)
        FROM coming WHERE media.id = coming.id
    """)
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a worker made of an upload: where it is and what it measures."""

    object_key: str
    size: int
    sha256: bytes
    large_key: str | None = None
    thumb_key: str | None = None
    width: int | None = None
    height: int | None = None


def accept(uow: UnitOfWork, media: Media) -> None:
    """Hand a completed upload to the worker."""
    _move(media, MediaStatus.UPLOADED)
    media.completed_at = uow.now
    media.due_at = uow.now
    line_up(uow, [media.id])


def line_up(uow: UnitOfWork, media_ids: Collection[UUID]) -> None:
    """Give uploads that are due their places, each person's own apart, and wake the worker."""
    uow.execute(_LINE_UP, ids=list(media_ids), now=uow.now, apart=APART)
    uow.ring(PROCESS)


def make_ready(uow: UnitOfWork, media: Media, served: Served) -> None:
    _move(media, MediaStatus.READY)
    media.due_at = None
    media.error = None
    media.object_key, media.large_key, media.thumb_key = served.object_key, served.large_key, served.thumb_key
    media.size, media.sha256 = served.size, served.sha256
    media.width, media.height = served.width, served.height
    uow.emit(MediaReady(media.id, media.purpose, media.attached_to))


def reject(uow: UnitOfWork, media: Media, refused: ContentRefused) -> None:
    """Refuse an upload for good; the row keeps the reason."""
    _move(media, MediaStatus.REJECTED)
    media.due_at = None
    media.error = refused.code
    uow.emit(MediaRejected(media.id, media.purpose, media.attached_to, refused.code))


def _move(media: Media, new: MediaStatus) -> None:
    media.status = MACHINE.require(MediaStatus(media.status), new)
