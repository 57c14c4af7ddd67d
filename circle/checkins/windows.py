"""Which camp day an instant belongs to, and when a day is open. Local clock times, also through changes of the clock.

A window that passes midnight belongs to the day on which it began; without windows a day is open from midnight to
midnight. Where the clock is put back, a window lasts until the second time its end is shown; where it is put
forward over a window, the window lies as long behind the change; over its beginning alone, it opens with the change.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_DAY_MINUTES = 24 * 60
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of the clock from which and until which a day is open, the end included."""

    opens: int
    closes: int

    @property
    def passes_midnight(self) -> bool:
        return self.closes <= self.opens

    @property
    def minutes(self) -> range:
        """The minutes since the midnight on which the window's day began."""
        return range(self.opens, self.closes + (_DAY_MINUTES if self.passes_midnight else 0))


def read_clock(text: str) -> int | None:
    """Return the minutes of `HH:MM`, up to `24:00`; None for anything else."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    return int(found[1]) * 60 + int(found[2]) if found[1] else _DAY_MINUTES


def read_windows(stored: Sequence[dict[str, str]]) -> tuple[Window, ...]:
    """Read windows as a camp keeps them. Errors: ValueError."""
    windows = []
    for one in stored:
        opens, closes = read_clock(one["from"]), read_clock(one["to"])
        if opens is None or closes is None or opens in {closes, _DAY_MINUTES}:
            raise ValueError(f"not a window: {one}")
        windows.append(Window(opens, closes))
    return tuple(sorted(windows, key=lambda window: window.opens))


def overlap(windows: Sequence[Window]) -> bool:
    """Tell whether an instant could belong to two windows, of one day or of two following ones."""
    taken: set[int] = set()
    for window in windows:
        minutes = {minute % _DAY_MINUTES for minute in window.minutes}
        if taken & minutes:
            return True
        taken |= minutes
    return False


def day_exists(day: date, zone: ZoneInfo) -> bool:
    """Tell whether `day` was ever on the calendar of `zone`: Samoa had no 30 December 2011."""
    noon = datetime.combine(day, time(12), tzinfo=zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


class Hours:
    """The opening hours of a camp in its time zone."""

    def __init__(self, zone: ZoneInfo, windows: Sequence[Window] = ()) -> None:
        self.zone = zone
        self.windows = tuple(windows) or (Window(0, _DAY_MINUTES),)
        self._whole_days = not windows

    def open_day(self, at: datetime) -> date | None:
        """Return the camp day whose window is open at an instant; None while all are closed."""
        shown = at.astimezone(self.zone)
        local = shown.date()
        if self._whole_days:
            # Only what the clock shows twice can lie before the midnight with which its day begins.
            comes_twice = shown.utcoffset() != shown.replace(fold=1 - shown.fold).utcoffset()
            return local - _DAY if comes_twice and at < self._midnight(local) else local
        for day in (local - _DAY, local):
            if any(start <= at <= end for start, end in self.bounds(day)) and day_exists(day, self.zone):
                return day
        return None

    def today(self, at: datetime) -> date:
        """Return the camp day of an instant: the one that is open, else the day of the calendar."""
        return self.open_day(at) or at.astimezone(self.zone).date()

    def bounds(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return when each window of a day opens and closes, in UTC."""
        return [self._bounds_of(day, window) for window in self.windows]

    def closes(self, day: date) -> datetime:
        """Return when the last window of a day closes."""
        return max(end for _, end in self.bounds(day))

    def begins(self, day: date) -> datetime:
        """Return since when a day is today: its midnight, or later if a window of the day before was still open."""
        return max(self._start(day, 0), self.closes(day - _DAY))

    def opens_after(self, at: datetime) -> datetime:
        """Return when the next window opens."""
        local = at.astimezone(self.zone).date()
        days = (local - _DAY, local, local + _DAY)
        return min(start for day in days for start, _ in self.bounds(day) if start > at)

    def _bounds_of(self, day: date, window: Window) -> tuple[datetime, datetime]:
        opens, closes = self._start(day, window.opens), self._end(day, window)
        # What its beginning would be by the clock after the change, where the clock leaves it out.
        before = self._at(day, window.opens, fold=1)
        if self._whole_days or before >= opens:
            return opens, closes
        change, length = self._change_between(before, opens), len(window.minutes) * _MINUTE
        return (opens, opens + length) if length <= change - before else (change, closes)

    def _change_between(self, before: datetime, after: datetime) -> datetime:
        """Return when the clock of two instants' zone is put forward, to the minute."""
        offset = after.astimezone(self.zone).utcoffset()
        minutes = range((after - before) // _MINUTE)
        changed = bisect_left(
            minutes, True, key=lambda n: (before + n * _MINUTE).astimezone(self.zone).utcoffset() == offset
        )
        return before + changed * _MINUTE

    def _start(self, day: date, minute: int) -> datetime:
        return self._at(day, minute, fold=0) if minute else self._midnight(day)

    def _end(self, day: date, window: Window) -> datetime:
        later = day + _DAY if window.passes_midnight else day
        if window.closes % _DAY_MINUTES == 0:
            return self._midnight(later if window.closes == 0 else later + _DAY)
        return max(self._at(later, window.closes, fold=0), self._at(later, window.closes, fold=1))

    def _midnight(self, day: date) -> datetime:
        """Return when a day begins: with its first midnight, also where the hour after that comes twice.

        Where the clock goes back over midnight (St John's: 00:01 becomes 23:01 of the day before), with the second
        one: who checks in at 23:40 does so for the day that the clock shows.
        """
        first, second = self._at(day, 0, fold=0), self._at(day, 0, fold=1)
        eve = second - timedelta(microseconds=1)
        comes_twice = second > first and eve.astimezone(self.zone).date() < day
        return second if comes_twice else first

    def _at(self, day: date, minute: int, *, fold: int) -> datetime:
        clock = time(*divmod(minute, 60), fold=fold)
        return datetime.combine(day, clock, tzinfo=self.zone).astimezone(UTC)
