"""Where the time comes from. The only module that may read the wall clock."""

import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant, timezone-aware, in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is set: for tests and simulations."""

    def __init__(self, now: datetime) -> None:
        self.set(now)

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock needs a time zone")
        self._now = now.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        self._now += by


def local_day(instant: datetime, zone: tzinfo) -> date:
    """Return the calendar day on which `instant` falls in `zone`."""
    return instant.astimezone(zone).date()


def elapsed() -> float:
    """Seconds on a clock that never goes back: for durations and leases of the process, never for dates."""
    return time.monotonic()


def unix_seconds() -> float:
    """Real seconds since 1970, for libraries that count in them; product time is `uow.now`."""
    return time.time()
