"""What the passing of time does in camps: streaks end, reminders go out, certificates are printed."""

from circle.checkins.services import certificates, planning, reminding, sweeping
from circle.checkins.services.completing import RENDER
from circle.kernel.uow import Units
from workers.runtime import job


@job
def sweep(units: Units) -> int:
    """Set streaks to 0 that broke at the end of a camp's day."""
    with units.write() as uow:
        return sweeping.sweep_streaks(uow)


@job
def tally(units: Units) -> int:
    """Count ranks of large camps."""
    with units.write() as uow:
        return sweeping.tally_ranks(uow)


@job
def remind(units: Units) -> int:
    """Remind who has not done a day that ends soon."""
    with units.write() as uow:
        return reminding.remind_closing(uow)


@job
def warn(units: Units) -> int:
    """Tell those who have come to be at risk."""
    with units.write() as uow:
        return reminding.remind_at_risk(uow)


@job
def replan(units: Units) -> int:
    """Move days to come whose holidays were announced meanwhile."""
    with units.write() as uow:
        return planning.replan_due(uow)


@job
def render(units: Units) -> int:
    """Print a batch of certificates; if there may be more, ring again."""
    taken = certificates.render_due(units)
    if taken == certificates.BATCH:
        units.doorbell.ring(RENDER)
    return taken
