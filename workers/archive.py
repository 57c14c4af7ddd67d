"""Does what the archive leaves to workers."""

from circle.archive.services import scoring, weekly
from circle.kernel.uow import Units
from workers.runtime import job


@job
def rescore(units: Units) -> int:
    """Count the value of marked posts anew, batch by batch."""
    counted = 0
    while True:
        with units.write() as uow:
            taken = scoring.rescore_due(uow)
        counted += taken
        if taken < scoring.BATCH:
            return counted


@job
def rescore_old(units: Units) -> int:
    """Count values anew that are a week old, batch by batch."""
    counted = 0
    while True:
        with units.write() as uow:
            taken = scoring.rescore_old(uow)
        counted += taken
        if taken < scoring.BATCH:
            return counted


@job
def send_weekly(units: Units) -> int:
    """Tell members what they missed, wherever Sunday evening has come; circle by circle, batch by batch."""
    begun = weekly.CIRCLES
    while begun == weekly.CIRCLES:
        with units.write() as uow:
            begun = weekly.begin_due(uow)
    told = 0
    while True:
        with units.write() as uow:
            some = weekly.tell_some(uow)
        if some is None:
            return told
        told += some
