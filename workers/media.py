"""Processes uploads and deletes what nothing shows."""

from circle.kernel.uow import Units
from circle.media.services import deleting, processing
from circle.media.services.settling import PROCESS
from workers.runtime import job


@job
def process(units: Units) -> int:
    """Process a batch of completed uploads; if there may be more, ring again."""
    taken = processing.process_due(units)
    if taken == processing.BATCH:
        units.doorbell.ring(PROCESS)
    return taken


@job
def sweep(units: Units) -> int:
    """Delete objects that expired, and uploads that have served."""
    return deleting.delete_expired(units) + deleting.delete_uploads(units)
