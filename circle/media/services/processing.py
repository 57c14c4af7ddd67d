"""Processing by a worker: the whole upload is read, images are encoded again, and only the result is served.

The upload can be replaced by its owner until the signed form expires, so nothing is ever served from there.
Each row is claimed by moving its due time past a lease: a killed worker only delays it, and a row that kills its
workers is given up by its count. Two workers on one row write the same objects, and one of them settles.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy import select

from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units
from circle.media.content import HEAD_BYTES, require_content
from circle.media.errors import ContentRefused, ProcessingFailed, StorageUnavailable, WrongSize
from circle.media.images import render
from circle.media.models import Media, MediaKind, MediaStatus
from circle.media.services.settling import Served, make_ready, reject
from circle.media.storage import Storage
from circle.media.types import SMALL_TYPE, TYPES

BATCH = 10
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 5
_FIRST_RETRY = timedelta(seconds=30)
# While the storage is away, which is no fault of the row.
_STORAGE_RETRY = timedelta(seconds=30)


@dataclass
class _Outcome:
    """What came of one row: exactly one is set, or none while it is tried again."""

    served: Served | None = None
    refused: ContentRefused | None = None
    storage_away: bool = False
    error: str | None = None


def process_due(units: Units) -> int:
    """Process a batch of completed uploads; return how many were taken."""
    taken = 0
    while taken < BATCH:
        with units.write() as uow:
            media = _claim(uow)
        if media is None:
            break
        taken += 1
        outcome = _attempt(units.use(Storage), media)
        with units.write() as uow:
            _settle(uow, media, outcome)
    return taken


def _claim(uow: UnitOfWork) -> Media | None:
    due = select(Media).where(Media.due_at <= uow.now, Media.status == MediaStatus.UPLOADED)
    media = uow.session.scalar(due.order_by(Media.turn_at.nulls_first()).limit(1).with_for_update(skip_locked=True))
    if media is not None:
        media.due_at = uow.now + LEASE
        media.attempts += 1
        # The lease is compared when settling: keep what the database keeps.
        uow.session.flush()
    return media


def _attempt(storage: Storage, media: Media) -> _Outcome:
    outcome = _Outcome()
    if media.attempts > MAX_ATTEMPTS:
        outcome.refused = ProcessingFailed()
        return outcome
    with isolated("media_poison", media_id=str(media.id), attempts=media.attempts) as attempt:
        try:
            outcome.served = _process(storage, media)
        except ContentRefused as refused:
            outcome.refused = refused
        except StorageUnavailable:
            outcome.storage_away = True
    outcome.error = attempt.error
    return outcome


def _process(storage: Storage, media: Media) -> Served:
    with TemporaryFile() as original:
        sha256 = _download(storage, media, original)
        original.seek(0)
        require_content(original.read(HEAD_BYTES), TYPES[media.content_type])
        original.seek(0)
        if media.kind == MediaKind.IMAGE:
            return _serve_image(storage, media, original, sha256)
        key = media.served_key("file")
        storage.upload(key, original, content_type=media.content_type)
        return Served(object_key=key, size=media.size, sha256=sha256)


def _download(storage: Storage, media: Media, original: IO[bytes]) -> bytes:
    """Copy the upload to a local file; return its SHA-256. Errors: WrongSize."""
    digest, size = hashlib.sha256(), 0
    with storage.open(media.upload_key) as chunks:
        if chunks is None:
            raise WrongSize
        for chunk in chunks:
            size += len(chunk)
            if size > media.size:
                raise WrongSize
            digest.update(chunk)
            original.write(chunk)
    if size != media.size:
        raise WrongSize
    return digest.digest()


def _serve_image(storage: Storage, media: Media, original: IO[bytes], sha256: bytes) -> Served:
    image = render(original, media.content_type)
    full, large, thumb = media.served_key("full"), media.served_key("large"), media.served_key("thumb")
    storage.put(full, image.full, content_type=media.content_type)
    storage.put(thumb, image.thumb, content_type=SMALL_TYPE)
    if image.large is not None:
        storage.put(large, image.large, content_type=SMALL_TYPE)
    return Served(
        object_key=full,
        size=len(image.full),
        sha256=sha256,
        large_key=large if image.large is not None else None,
        thumb_key=thumb,
        width=image.width,
        height=image.height,
    )


def _settle(uow: UnitOfWork, claimed: Media, outcome: _Outcome) -> None:
    """Record the outcome, unless the lease has passed on to another worker meanwhile."""
    ours = (Media.id == claimed.id, Media.status == MediaStatus.UPLOADED, Media.due_at == claimed.due_at)
    media = uow.session.scalar(select(Media).where(*ours).with_for_update())
    if media is None:
        return
    if outcome.served is not None:
        make_ready(uow, media, outcome.served)
    elif outcome.refused is not None:
        reject(uow, media, outcome.refused)
    elif outcome.storage_away:
        media.attempts -= 1
        media.due_at = uow.now + _STORAGE_RETRY
    else:
        media.error = outcome.error
        media.due_at = uow.now + _FIRST_RETRY * 2 ** (media.attempts - 1)
