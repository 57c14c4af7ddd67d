"""What the passing of time does to homework."""

from circle.homework.services import peer_reviewing, reminders
from circle.kernel.uow import Units
from workers.runtime import committed, in_turns, job


@job
def remind(units: Units) -> int:
    """Remind members of what is due soon and tell of what is overdue, batch by batch."""
    kinds = (reminders.remind_due_soon, reminders.remind_overdue, reminders.remind_peers)
    return sum(in_turns(units, "homework.remind", committed(remind_some)) for remind_some in kinds)


@job
def close_peer_reviews(units: Units) -> int:
    """End peer reviews whose time is over, batch by batch; what lacks one waits for a teacher."""
    return in_turns(units, "homework.close_peer_reviews", committed(peer_reviewing.close_overdue))
