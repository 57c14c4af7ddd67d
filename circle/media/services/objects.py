"""Objects that the system itself makes, such as exports: ready at once, and gone at a set time."""

from datetime import datetime
from uuid import UUID

from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, MediaKind, MediaStatus, Purpose


def add_object(
    uow: UnitOfWork,
    *,
    owner_id: UUID,
    purpose: Purpose,
    key: str,
    filename: str,
    content_type: str,
    size: int,
    sha256: bytes,
    expires_at: datetime,
) -> Media:
    """Record a file that was written to the storage under `key`; a room's own route gives it out until it expires."""
    media = Media(
        id=new_id(),
        owner_id=owner_id,
        purpose=purpose,
        kind=MediaKind.FILE,
        filename=filename,
        content_type=content_type,
        size=size,
        status=MediaStatus.READY,
        object_key=key,
        sha256=sha256,
        expires_at=expires_at,
        created_at=uow.now,
        completed_at=uow.now,
    )
    uow.session.add(media)
    uow.session.flush()
    return media
