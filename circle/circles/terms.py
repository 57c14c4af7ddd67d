"""When a term ends: calendar arithmetic in the circle's zone, multiplied from the anchor and never chained."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from circle.circles.models import Interval

_MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}


class Term(Protocol):
    """What of a price decides how long it lasts."""

    @property
    def interval(self) -> str: ...
    @property
    def interval_count(self) -> int: ...
    @property
    def fixed_end_at(self) -> datetime | None: ...


def term_end(term: Term, anchor: datetime, n: int, zone: str) -> datetime | None:
    """Return the end of the `n`-th term counted from `anchor`; None for a lifetime.

    As `((anchor AT TIME ZONE zone) + n * interval) AT TIME ZONE zone` in PostgreSQL: 31 Jan → 28 Feb → 31 Mar.
    """
    if term.interval == Interval.LIFETIME:
        return None
    if term.interval == Interval.FIXED:
        return term.fixed_end_at
    return months_after(anchor, months_of(term) * n, zone)


def months_of(term: Term) -> int:
    """Return how many months a term lasts; 0 for one that is not counted in months: for life, or to a fixed end."""
    return _MONTHS.get(Interval(term.interval), 0) * term.interval_count


def months_after(anchor: datetime, months: int, zone: str) -> datetime:
    """Return the instant so many months after an anchor, by the calendar and wall clock of a zone."""
    return _in_zone(_add_months(anchor.astimezone(ZoneInfo(zone)), months), ZoneInfo(zone))


def _add_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]), tzinfo=None)


def _in_zone(local: datetime, zone: ZoneInfo) -> datetime:
    # A wall time that a clock change skips or repeats is read as the later instant, as PostgreSQL does.
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
