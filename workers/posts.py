"""Publishes what is due, and forgets what has lain in the trash for 30 days."""

from circle.kernel.uow import Units
from circle.posts.services import publishing, trash
from workers.runtime import job


@job
def publish_due(units: Units) -> int:
    """Publish scheduled posts whose time has come, batch by batch."""
    published = 0
    while True:
        with units.write() as uow:
            taken = publishing.publish_due(uow)
        published += taken
        if taken < publishing.BATCH:
            return published


@job
def purge_trash(units: Units) -> int:
    """Forget the text and attachments of old trash, batch by batch."""
    purged = 0
    while True:
        with units.write() as uow:
            taken = trash.purge_trash(uow)
        purged += taken
        if taken < trash.BATCH:
            return purged
