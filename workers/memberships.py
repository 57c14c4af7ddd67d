"""What the passing of time does to members."""

from circle.kernel.uow import Units
from circle.memberships.services import expiry
from workers.runtime import job


@job
def expire(units: Units) -> int:
    """Settle memberships whose access has ended, batch by batch."""
    settled = 0
    while True:
        with units.write() as uow:
            batch = expiry.settle_due(uow)
        settled += batch
        if batch < expiry.BATCH:
            return settled


@job
def release_seats(units: Units) -> int:
    """Free seats that were held for somebody who did not pay in time."""
    with units.write() as uow:
        return expiry.release_held_seats(uow)
