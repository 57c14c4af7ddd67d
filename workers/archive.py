"""Does what the archive leaves to workers."""

from circle.archive.services import scoring, weekly
from circle.kernel.uow import Units
from workers.runtime import committed, in_turns, job


@job
def rescore(units: Units) -> int:
    """Count the value of marked posts anew, batch by batch."""
    return in_turns(units, scoring.RESCORE, committed(scoring.rescore_due))


@job
def rescore_old(units: Units) -> int:
    """Count values anew that are a week old, batch by batch."""
    return in_turns(units, "archive.rescore_old", committed(scoring.rescore_old))


@job
def send_weekly(units: Units) -> int:
    """Tell members what they missed, wherever Sunday evening has come; circles take turns, batch by batch."""
    in_turns(units, "archive.send_weekly", committed(weekly.begin_due))
    return in_turns(units, "archive.send_weekly", committed(weekly.tell_some), nothing=None)
