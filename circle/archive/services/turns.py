"""Exports and imports give way to each other: two lines, each with a worker of its own. See docs/fairness.md.

Everything begins in the line of the short. What has not ended after a minute goes over into the line of the long, so
nobody's small archive waits for somebody's large one.
"""

from datetime import timedelta

from sqlalchemy import exists, func, or_, select

from circle.archive.export_models import Export, ExportStatus
from circle.archive.models import Import, ImportStatus
from circle.kernel.clock import elapsed
from circle.kernel.uow import UnitOfWork, Units

# How long one goes on in the line of the short.
SHORT = timedelta(minutes=1)
# How long an import goes on in the line of the long while somebody waits there. Going on later costs another look
# through its archive, so this is long beside that.
SLICE = timedelta(minutes=10)
# An archive of so many bytes takes longer to be fetched and looked through than the short have.
LARGE_BYTES = 256 * 1024 * 1024
# As the tables' indexes have it: a planner takes no other words for the same.
OPEN_EXPORT = Export.status.in_([str(one) for one in (ExportStatus.QUEUED, ExportStatus.RUNNING)])
OPEN_IMPORT = Import.status.in_([str(one) for one in (ImportStatus.QUEUED, ImportStatus.RUNNING, ImportStatus.UNDOING)])
# What an import says of itself once it comes to what no turn before has written.
_WRITING = "writing"
# Under this lock it is chosen whose turn it is: two workers that choose at once would both choose the same circle.
_CHOOSING = "turns"


class TimeIsUp(Exception):
    """It has had its time, and others wait: it goes to the end of a line."""


class Watch:
    """Looks at the time for something that was taken up; `give_way` says when it is up.

    In the line of the long only what can go on where it was gives way, and only to somebody.
    """

    def __init__(self, units: Units, *, is_long: bool, goes_on: bool) -> None:
        self._units, self._is_long, self._goes_on = units, is_long, goes_on
        self._since = elapsed()
        self._has_begun = not is_long

    def import_came_to(self, what: str, _done: int, _total: int) -> None:
        """Errors: TimeIsUp. In the long line a turn begins with something new, however long it took to come there."""
        if not self._has_begun and what == _WRITING:
            self._has_begun, self._since = True, elapsed()
        if self._has_begun:
            self.look()

    def look(self) -> None:
        """Errors: TimeIsUp."""
        if elapsed() - self._since < (SLICE if self._is_long else SHORT).total_seconds():
            return
        if not self._is_long:
            raise TimeIsUp
        if self._goes_on:
            self._since = elapsed()
            with self._units.read() as uow:
                if _somebody_waits(uow):
                    raise TimeIsUp


def choose_alone(uow: UnitOfWork) -> None:
    """Have nobody else choose until the commit."""
    uow.session.execute(select(func.pg_advisory_xact_lock(func.hashtext(_CHOOSING))))


def _somebody_waits(uow: UnitOfWork) -> bool:
    imports = exists().where(OPEN_IMPORT, Import.is_long, Import.leased_until <= uow.now)
    exports = exists().where(OPEN_EXPORT, Export.is_long, Export.leased_until <= uow.now)
    return bool(uow.session.scalar(select(or_(imports, exports))))
