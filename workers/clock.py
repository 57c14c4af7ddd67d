"""`python -m workers.clock`: rings every job of the schedule at its interval.

It decides nothing: a ring says that due rows may be waiting. So two clocks at once, a clock that was away, and a
Redis that lost its rings change when work is done, never whether. See docs/decisions/0004-workers.md.
"""

import signal
import sys
from queue import Empty, SimpleQueue

import structlog

from circle.config import SettingError, Settings
from circle.kernel.clock import elapsed
from circle.kernel.queue import Doorbell, RqDoorbell
from circle.kernel.schedule import Scheduled
from circle.kernel.valkey import connect
from circle.web.log import configure_logging
from workers.schedule import SCHEDULE

log = structlog.get_logger("clock")


class Ringer:
    """Knows when each row is to be rung next; all are due at the start."""

    def __init__(self, doorbell: Doorbell, schedule: tuple[Scheduled, ...]) -> None:
        self._doorbell = doorbell
        self._next = dict.fromkeys(schedule, 0.0)

    def ring_due(self, now: float) -> float:
        """Ring what is due at `now`, in seconds of a steady clock; return the seconds to the next."""
        for row, at in self._next.items():
            if at <= now:
                self._doorbell.ring(row.job)
                self._next[row] = now + row.seconds
        return max(0.0, min(self._next.values()) - now)


def main() -> int:
    """Ring until SIGTERM or SIGINT."""
    try:
        settings = Settings.from_env()
    except SettingError as error:
        sys.stderr.write(f"clock: {error}\n")
        return 2
    configure_logging(settings.log_level)
    stops: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: stops.put(caught))
    redis = connect(settings.redis_url, socket_timeout=2, socket_connect_timeout=1)
    ringer = Ringer(RqDoorbell(redis), SCHEDULE)
    log.info("clock_started", rows=len(SCHEDULE))
    while True:
        try:
            stops.get(timeout=ringer.ring_due(elapsed()))
        except Empty:
            continue
        return 0


if __name__ == "__main__":
    sys.exit(main())
