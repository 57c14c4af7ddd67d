"""Deleting objects that nothing shows, and uploads that were processed. Rows are claimed as in processing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, or_, select, update

from circle.accounts.events import UserDeleted
from circle.kernel.uow import UnitOfWork, Units
from circle.media.errors import StorageUnavailable
from circle.media.models import Media, MediaStatus
from circle.media.services import quotas
from circle.media.storage import Storage

log = structlog.get_logger(__name__)

# An upload waits this long for the post that shows it, and a removed attachment for a change of mind.
KEEP_UNATTACHED = timedelta(hours=24)
BATCH = 100
LEASE = timedelta(minutes=5)
# The storage's clock may differ from ours; an upload that began in time may end later.
_UPLOAD_SLACK = timedelta(minutes=10)


def forget_person(uow: UnitOfWork, deleted: UserDeleted) -> None:
    """Delete, at the next sweep, the face of a deleted account and what it uploaded for nothing."""
    uow.session.execute(
        update(Media)
        .where(Media.owner_id == deleted.user_id)
        .where(or_(Media.attached_at.is_(None), Media.attached_to == deleted.user_id))
        .where(Media.status != MediaStatus.DELETING)
        .values(attached_to=None, position=None, attached_at=None, expires_at=uow.now)
    )


def delete_expired(units: Units) -> int:
    """Delete a batch of objects whose time is over, then their rows; return how many were taken."""
    with units.write() as uow:
        lease = uow.now + LEASE
        doomed = _claim_expired(uow, lease)
    if not doomed or not _delete_objects(units, [key for media in doomed for key in _keys(media)]):
        return len(doomed)
    with units.write() as uow:
        ours = (Media.id.in_([media.id for media in doomed]), Media.expires_at == lease)
        gone = (
            delete(Media).where(*ours, Media.status == MediaStatus.DELETING).returning(Media.circle_id, Media.counted)
        )
        for circle_id, counted in uow.session.execute(gone.execution_options(synchronize_session=False)):
            # Let go by a process of a release that did not count.
            if circle_id is not None and counted is not None:
                uow.tally(quotas.settle, circle_id, -counted)
    return len(doomed)


def delete_uploads(units: Units) -> int:
    """Delete a batch of uploads that are processed and can't be sent again; return how many were taken."""
    with units.write() as uow:
        lease = uow.now + LEASE
        done = _claim_uploads(uow, lease)
    if not done or not _delete_objects(units, [media.upload_key for media in done]):
        return len(done)
    with units.write() as uow:
        ours = (Media.id.in_([media.id for media in done]), Media.upload_until == lease)
        uow.session.execute(update(Media).where(*ours).values(upload_until=None))
    return len(done)


def _claim_expired(uow: UnitOfWork, lease: datetime) -> Sequence[Media]:
    idle = or_(Media.due_at.is_(None), Media.due_at <= uow.now)  # not in a worker's hands
    expired = select(Media).where(Media.expires_at <= uow.now, idle).order_by(Media.expires_at)
    doomed = uow.session.scalars(expired.limit(BATCH).with_for_update(skip_locked=True)).all()
    for media in doomed:
        media.status = MediaStatus.DELETING
        media.due_at = None
        media.expires_at = lease
    return doomed


def _claim_uploads(uow: UnitOfWork, lease: datetime) -> Sequence[Media]:
    settled = Media.status.in_((MediaStatus.READY, MediaStatus.REJECTED))
    over = select(Media).where(Media.upload_until <= uow.now - _UPLOAD_SLACK, settled).order_by(Media.upload_until)
    done = uow.session.scalars(over.limit(BATCH).with_for_update(skip_locked=True)).all()
    for media in done:
        media.upload_until = lease
    return done


def _keys(media: Media) -> set[str]:
    """Return all that may be there, also what a killed worker wrote without telling."""
    known = {media.object_key, media.large_key, media.thumb_key} - {None}
    possible = {media.served_key(name) for name in ("file", "full", "large", "thumb")}
    return {key for key in known if key} | possible | {media.upload_key}


def _delete_objects(units: Units, keys: Sequence[str]) -> bool:
    try:
        units.use(Storage).delete_many(keys)
    except StorageUnavailable:
        log.warning("objects_not_deleted", count=len(keys))  # their leases bring them back
        return False
    return True
