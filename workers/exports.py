"""Builds what people take along."""

from circle.archive.services.export_jobs import build_due_export
from circle.archive.services.export_requests import BUILD_JOBS
from circle.kernel.uow import Units
from workers.runtime import job


@job
def build(units: Units) -> int:
    """Build one export; there may be more, but others of the queue come first."""
    built = build_due_export(units)
    if built:
        units.doorbell.ring(BUILD_JOBS[False])
    return built
