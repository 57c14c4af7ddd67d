"""On which days a camp meets: pure functions of the calendar.

Workdays and days off of mainland China come from the `chinesecalendar` library, which knows the years that the State
Council has announced. For other years Monday to Friday stand in, and the camp says so in `calendar_known_until`. See
docs/decisions/0008-camp-days.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import chinese_calendar

from circle.checkins.windows import day_exists

_DAY = timedelta(days=1)
_FRIDAY = 5


class ScheduleKind(StrEnum):
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WORKDAYS = "workdays"
    HOLIDAYS = "holidays"
    DATES = "dates"
    PER_WEEK = "per_week"


_BY_CALENDAR = frozenset({ScheduleKind.WORKDAYS, ScheduleKind.HOLIDAYS})


@dataclass(frozen=True, slots=True)
class Schedule:
    """`weekdays` are ISO numbers, Monday is 1; `times` is how often a week."""

    kind: ScheduleKind
    weekdays: frozenset[int] = frozenset()
    dates: frozenset[date] = frozenset()
    times: int | None = None

    def meets(self, day: date) -> bool:
        match self.kind:
            case ScheduleKind.WEEKDAYS:
                return day.isoweekday() in self.weekdays
            case ScheduleKind.WORKDAYS:
                return is_workday(day)
            case ScheduleKind.HOLIDAYS:
                return not is_workday(day)
            case ScheduleKind.DATES:
                return day in self.dates
            case _:
                return True

    def period_of(self, day: date) -> date:
        """Return the first day of what counts as one step of a streak: the day itself, or its week's Monday."""
        return day - (day.isoweekday() - 1) * _DAY if self.kind == ScheduleKind.PER_WEEK else day

    @property
    def follows_calendar(self) -> bool:
        return self.kind in _BY_CALENDAR


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """A day on which a camp meets, and the step of a streak that it belongs to."""

    day: date
    period: date


def planned_days(schedule: Schedule, first: date, last: date, zone: ZoneInfo) -> list[PlannedDay]:
    """Return the camp's days from `first` to `last`, both included, that exist in its time zone."""
    return [
        PlannedDay(day, schedule.period_of(day))
        for day in each_day(first, last)
        if schedule.meets(day) and day_exists(day, zone)
    ]


def each_day(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + offset * _DAY


def is_workday(day: date) -> bool:
    """Tell whether people in mainland China work on a day; Monday to Friday where that is not announced yet."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.isoweekday() <= _FRIDAY


def holidays_known_until() -> date:
    """Return the last day whose holidays the installed library knows."""
    constants = chinese_calendar.constants
    latest = max(day for days in (constants.holidays, constants.workdays) for day in days)
    return date(latest.year, 12, 31)


def first_unknown(schedule: Schedule, planned: Sequence[PlannedDay]) -> date | None:
    """Return the first planned day that only Monday to Friday stand in for; None where all are certain."""
    if not schedule.follows_calendar:
        return None
    known = holidays_known_until()
    return next((one.day for one in planned if one.day > known), None)
