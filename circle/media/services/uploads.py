"""Uploading: a signed form that the storage itself enforces, then a look at what came."""

from datetime import timedelta
from uuid import UUID

from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.media.content import HEAD_BYTES, require_content
from circle.media.errors import ContentRefused, NotUploaded, TooMuchUnattached, WrongSize, refusal
from circle.media.models import Media, MediaKind, MediaStatus, Purpose
from circle.media.names import clean_filename
from circle.media.policy import require_own_media
from circle.media.queries import card_of, unattached_bytes
from circle.media.services.deleting import KEEP_UNATTACHED
from circle.media.services.settling import accept, reject
from circle.media.storage import Peek, Storage
from circle.media.types import ALLOWED, TYPES, ContentType, find_type

LINK_LIFE = timedelta(minutes=5)
# So many of the largest files may wait to be attached to something: more is storage used as a dump.
MOST_UNATTACHED = 20


def start_upload(uow: UnitOfWork, caller: Caller, *, filename: str, content_type: str, size: int, purpose: str) -> Json:
    """Return a form that uploads exactly what is announced, for five minutes. Errors: Invalid, TooMuchUnattached."""
    settings = uow.use(Settings)
    taken = _require_type(content_type, Purpose(purpose))
    _require_size(size, taken, settings)
    if unattached_bytes(uow, caller.user_id) + size > MOST_UNATTACHED * settings.max_file_bytes:
        raise TooMuchUnattached
    media = Media(
        id=new_id(),
        owner_id=caller.user_id,
        purpose=purpose,
        kind=taken.kind,
        filename=clean_filename(filename, taken),
        content_type=taken.name,
        size=size,
        status=MediaStatus.PENDING,
        expires_at=uow.now + KEEP_UNATTACHED,
        upload_until=uow.now + LINK_LIFE,
        created_at=uow.now,
    )
    uow.session.add(media)
    form = uow.use(Storage).presign_post(
        media.upload_key, content_type=taken.name, size=size, seconds=int(LINK_LIFE.total_seconds())
    )
    return {"media_id": media.id, "upload": {**form._asdict(), "expires_at": media.upload_until}}


def complete_upload(units: Units, caller: Caller, media_id: UUID) -> Json:
    """Check what was uploaded and hand it to the worker; a second call tells how far it is.

    Errors: NotUploaded; ContentRefused, after which the object is rejected for good.
    """
    with units.write() as uow:
        media = require_own_media(uow, caller, media_id)
        if media.status != MediaStatus.PENDING:
            return _outcome(media)
    found = units.use(Storage).peek(media.upload_key, HEAD_BYTES)
    if found is None:
        raise NotUploaded
    refused = _examine(media, found)
    with units.write() as uow:
        media = require_own_media(uow, caller, media_id)
        if media.status == MediaStatus.PENDING:
            if refused is None:
                accept(uow, media)
            else:
                reject(uow, media, refused)
        return _outcome(media)


def _require_type(content_type: str, purpose: Purpose) -> ContentType:
    found = find_type(content_type)
    if found is None or found.name not in ALLOWED[purpose]:
        raise Invalid.field(
            "content_type", "unsupported_type", "这里不接受这种类型的文件。", "This type of file is not accepted here."
        )
    return found


def _require_size(size: int, content_type: ContentType, settings: Settings) -> None:
    is_image = content_type.kind is MediaKind.IMAGE
    most = settings.max_image_bytes if is_image else settings.max_file_bytes
    if size > most:
        raise Invalid.field("size", "too_large", f"最多 {most} 字节。", f"At most {most} bytes.")


def _examine(media: Media, found: Peek) -> ContentRefused | None:
    try:
        if found.size != media.size:
            raise WrongSize
        require_content(found.head, TYPES[media.content_type])
    except ContentRefused as refused:
        return refused
    return None


def _outcome(media: Media) -> Json:
    if media.status == MediaStatus.REJECTED:
        raise refusal(media.error)
    return card_of(media)
