"""On which days a camp meets."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from circle.checkins.schedule import (
    PlannedDay,
    Schedule,
    ScheduleKind,
    each_day,
    first_unknown,
    holidays_known_until,
    is_workday,
    planned_days,
)
from circle.checkins.windows import day_exists

DAY = timedelta(days=1)
MONDAY = date(2026, 3, 2)
WEEK = list(each_day(MONDAY, MONDAY + 6 * DAY))
SHANGHAI = ZoneInfo("Asia/Shanghai")
NATIONAL_DAY = date(2025, 10, 1)  # a Wednesday
MADE_UP_SUNDAY = date(2025, 9, 28)
UNKNOWN_MONDAY = date(2096, 1, 2)


def test_each_day_has_both_ends() -> None:
    assert len(WEEK) == 7
    assert list(each_day(MONDAY, MONDAY)) == [MONDAY]
    assert list(each_day(MONDAY, MONDAY - DAY)) == []


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        (Schedule(ScheduleKind.DAILY), [0, 1, 2, 3, 4, 5, 6]),
        (Schedule(ScheduleKind.PER_WEEK, times=2), [0, 1, 2, 3, 4, 5, 6]),
        (Schedule(ScheduleKind.WEEKDAYS, frozenset({1, 7})), [0, 6]),
        (Schedule(ScheduleKind.WORKDAYS), [0, 1, 2, 3, 4]),
        (Schedule(ScheduleKind.HOLIDAYS), [5, 6]),
        (Schedule(ScheduleKind.DATES, dates=frozenset({MONDAY + 3 * DAY})), [3]),
    ],
)
def test_a_week_of_each_kind(schedule: Schedule, days: list[int]) -> None:
    planned = planned_days(schedule, WEEK[0], WEEK[-1], SHANGHAI)

    assert planned == [PlannedDay(day, schedule.period_of(day)) for day in (MONDAY + index * DAY for index in days)]


def test_a_step_is_the_day_or_its_week() -> None:
    weekly, daily = Schedule(ScheduleKind.PER_WEEK, times=3), Schedule(ScheduleKind.DAILY)

    assert {weekly.period_of(day) for day in WEEK} == {MONDAY}
    assert weekly.period_of(MONDAY - DAY) == MONDAY - 7 * DAY
    assert [daily.period_of(day) for day in WEEK] == WEEK


def test_workdays_are_those_of_mainland_china() -> None:
    assert not is_workday(NATIONAL_DAY)
    assert is_workday(MADE_UP_SUNDAY)
    assert [is_workday(UNKNOWN_MONDAY + number * DAY) for number in range(7)] == [True] * 5 + [False] * 2


def test_what_is_known_ends_with_the_last_year_announced() -> None:
    known = holidays_known_until()

    assert (known.month, known.day) == (12, 31)
    chinese_calendar.is_workday(known)
    with pytest.raises(NotImplementedError):
        chinese_calendar.is_workday(known + DAY)


def test_the_first_day_that_is_only_guessed_is_named() -> None:
    known = holidays_known_until()
    planned = [PlannedDay(day, day) for day in (known - DAY, known, known + 3 * DAY, known + 4 * DAY)]

    assert first_unknown(Schedule(ScheduleKind.WORKDAYS), planned) == known + 3 * DAY
    assert first_unknown(Schedule(ScheduleKind.HOLIDAYS), planned) == known + 3 * DAY
    assert first_unknown(Schedule(ScheduleKind.DAILY), planned) is None
    assert first_unknown(Schedule(ScheduleKind.WORKDAYS), planned[:2]) is None


def test_a_day_that_a_zone_left_out_is_not_planned() -> None:
    """Samoa crossed the date line: it had no 30 December 2011."""
    apia = ZoneInfo("Pacific/Apia")

    planned = planned_days(Schedule(ScheduleKind.DAILY), date(2011, 12, 28), date(2012, 1, 2), apia)

    assert not day_exists(date(2011, 12, 30), apia)
    assert [one.day.day for one in planned] == [28, 29, 31, 1, 2]
