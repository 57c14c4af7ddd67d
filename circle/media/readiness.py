"""What an installation's storage needs before it serves, and whether it answers."""

from circle.kernel.checks import Check
from circle.kernel.uow import Units
from circle.media.storage import Storage


def make_bucket(units: Units) -> None:
    """Make the installation's bucket, unless it is there."""
    units.use(Storage).ensure_bucket()


def storage_answers(units: Units) -> str | None:
    return units.use(Storage).check()


STORAGE_READY = Check("storage", storage_answers)
STORAGE_DOCTOR = Check("object storage answers", storage_answers)
