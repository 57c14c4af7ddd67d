"""Fetching: a short-lived link to the storage, signed for one object and one way to show it."""

from typing import NamedTuple
from uuid import UUID

from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.media.errors import NotReady, refusal
from circle.media.models import Media, MediaKind, MediaStatus
from circle.media.names import disposition
from circle.media.policy import require_readable
from circle.media.services.uploads import LINK_LIFE
from circle.media.storage import Storage
from circle.media.types import SMALL_TYPE, TYPES

_OPAQUE = "application/octet-stream"


class _Version(NamedTuple):
    key: str
    content_type: str


def link(uow: UnitOfWork, caller: Caller, media_id: UUID, *, size: str | None) -> str:
    """Return a link of five minutes; `size`: thumb or large, of an image. Errors: NotReady, ContentRefused."""
    media = require_readable(uow, caller, media_id)
    if media.status == MediaStatus.REJECTED:
        raise refusal(media.error)
    if media.status != MediaStatus.READY:
        raise NotReady
    key, content_type = _version(media, size)
    shown = "inline" if media.kind == MediaKind.IMAGE else "attachment"
    return uow.use(Storage).presign_get(
        key,
        seconds=int(LINK_LIFE.total_seconds()),
        content_type=content_type,
        disposition=disposition(shown, media.filename),
    )


def link_to(uow: UnitOfWork, media: Media) -> str:
    """Return a link of five minutes to a file that whoever calls has let the caller have."""
    return uow.use(Storage).presign_get(
        media.object_key or "",
        seconds=int(LINK_LIFE.total_seconds()),
        content_type=media.content_type,
        disposition=disposition("attachment", media.filename),
    )


def _version(media: Media, size: str | None) -> _Version:
    smaller = {"thumb": media.thumb_key, "large": media.large_key}.get(size or "")
    if smaller is not None:
        return _Version(smaller, SMALL_TYPE)
    # Text is what browsers sniff for HTML, and the storage can't say nosniff.
    opaque = TYPES[media.content_type].is_text if media.content_type in TYPES else True
    return _Version(media.object_key or "", _OPAQUE if opaque else media.content_type)
