"""What the passing of time does to homework."""

from circle.homework.services import peer_reviewing, reminders
from circle.kernel.uow import Units
from workers.runtime import job


@job
def remind(units: Units) -> int:
    """Remind members of what is due soon and tell of what is overdue, batch by batch."""
    reminded = 0
    for remind_some in (reminders.remind_due_soon, reminders.remind_overdue, reminders.remind_peers):
        taken = reminders.BATCH
        while taken == reminders.BATCH:
            with units.write() as uow:
                taken = remind_some(uow)
            reminded += taken
    return reminded


@job
def close_peer_reviews(units: Units) -> int:
    """End peer reviews whose time is over, batch by batch; what lacks one waits for a teacher."""
    closed = 0
    while True:
        with units.write() as uow:
            taken = peer_reviewing.close_overdue(uow)
        closed += taken
        if taken < peer_reviewing.BATCH:
            return closed
