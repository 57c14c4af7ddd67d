"""Exports and imports that take long: in a queue of their own, so that the short ones don't wait for them."""

from circle.archive.services.export_jobs import build_due_export
from circle.archive.services.export_requests import BUILD_JOBS
from circle.archive.services.import_jobs import run_due_import
from circle.archive.services.import_requests import RUN_JOBS
from circle.kernel.uow import Units
from workers.runtime import job


@job
def run_import(units: Units) -> int:
    """Go on with one long import; there may be more, but others of the queue come first."""
    done = run_due_import(units, is_long=True)
    if done:
        units.doorbell.ring(RUN_JOBS[True])
    return done


@job
def build_export(units: Units) -> int:
    """Build one long export; there may be more, but others of the queue come first."""
    built = build_due_export(units, is_long=True)
    if built:
        units.doorbell.ring(BUILD_JOBS[True])
    return built
