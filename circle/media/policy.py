"""Who may fetch an object: its owner, or whoever may read what it is attached to.

Parents live in higher rooms, so each of those registers a guard for its purposes in `circle/subscribers.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, MediaStatus, Purpose
from circle.media.queries import find_media

# May this caller read what the object is attached to (`media.attached_to`)? Asked for attached objects only.
MediaGuard = Callable[[UnitOfWork, Caller, Media], bool]

# Faces of people and circles, shown wherever they are mentioned.
PUBLIC_PURPOSES = frozenset({Purpose.AVATAR, Purpose.COVER})


@dataclass(frozen=True, slots=True)
class MediaGuards:
    """The guards of all rooms, found by `uow.use(MediaGuards)`. A purpose without one is its owner's alone."""

    by_purpose: Mapping[Purpose, MediaGuard]


def require_readable(uow: UnitOfWork, caller: Caller, media_id: UUID) -> Media:
    """Return an object the caller may fetch; NotFound for everybody else."""
    media = find_media(uow, media_id)
    if media is None or media.status == MediaStatus.DELETING or not _may_read(uow, caller, media):
        raise NotFound
    return media


def _may_read(uow: UnitOfWork, caller: Caller, media: Media) -> bool:
    if media.purpose == Purpose.EXPORT:
        # Its own route asks again whether it may still be had.
        return False
    if media.owner_id == caller.user_id:
        return True
    if media.attached_to is None:
        return False
    if media.purpose in PUBLIC_PURPOSES:
        return True
    guard = uow.use(MediaGuards).by_purpose.get(Purpose(media.purpose))
    return guard is not None and guard(uow, caller, media)


def require_own_media(uow: UnitOfWork, caller: Caller, media_id: UUID) -> Media:
    """Return the caller's own object, locked."""
    media = uow.session.scalar(select(Media).where(Media.id == media_id).with_for_update())
    if media is None or media.owner_id != caller.user_id or media.status == MediaStatus.DELETING:
        raise NotFound
    return media
