"""What the passing of time does to members."""

from circle.kernel.uow import Units
from circle.memberships.services import expiry
from workers.runtime import committed, in_turns, job


@job
def expire(units: Units) -> int:
    """Settle memberships whose access has ended, batch by batch."""
    return in_turns(units, "memberships.expire", committed(expiry.settle_due))


@job
def release_seats(units: Units) -> int:
    """Free seats that were held for somebody who did not pay in time."""
    with units.write() as uow:
        return expiry.release_held_seats(uow)
