"""How far an object gets: the moves of its state, and what they announce."""

from dataclasses import dataclass

from circle.kernel.uow import UnitOfWork
from circle.media.errors import ContentRefused
from circle.media.events import MediaReady, MediaRejected
from circle.media.models import MACHINE, Media, MediaStatus

PROCESS = "media.process"


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
