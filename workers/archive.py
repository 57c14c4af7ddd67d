"""Does what the archive leaves to workers."""

from circle.archive.services.import_jobs import run_due_import
from circle.kernel.uow import Units
from workers.runtime import job


@job
def run_imports(units: Units) -> int:
    """Do uploaded imports, one after the other."""
    done = 0
    while run_due_import(units):
        done += 1
    return done
