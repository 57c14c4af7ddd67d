"""Takes uploaded archives over, and out again."""

from circle.archive.services.import_jobs import run_due_import
from circle.archive.services.import_requests import RUN_JOBS
from circle.kernel.uow import Units
from workers.runtime import job


@job
def run(units: Units) -> int:
    """Do, or undo, one import; there may be more, but others of the queue come first."""
    done = run_due_import(units)
    if done:
        units.doorbell.ring(RUN_JOBS[False])
    return done
