"""Forgets rows that have served."""

from circle.kernel.uow import Units
from circle.subscribers import HOUSEKEEPING
from workers.runtime import job


@job
def tidy(units: Units) -> int:
    """Run every room's housekeeping, each in a transaction of its own."""
    forgotten = 0
    for forget in HOUSEKEEPING:
        with units.write() as uow:
            forgotten += forget(uow)
    return forgotten
