"""Forgets rows that have served."""

from circle.kernel.isolation import isolated
from circle.kernel.uow import Units
from circle.subscribers import HOUSEKEEPING
from workers.runtime import job


@job
def tidy(units: Units) -> int:
    """Run every room's housekeeping, each in a transaction of its own: one that fails keeps none from its turn."""
    forgotten = 0
    for forget in HOUSEKEEPING:
        with isolated("housekeeping_failed", step=f"{forget.__module__}.{forget.__name__}"), units.write() as uow:
            forgotten += forget(uow)
    return forgotten
