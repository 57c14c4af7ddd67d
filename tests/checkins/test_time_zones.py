"""Days in forty time zones over twenty years: whoever checks in each local day has a streak of as many days."""

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circle.checkins.figures import DayKind, Figures, derive, extend
from circle.checkins.schedule import Schedule, ScheduleKind, planned_days
from circle.checkins.windows import Hours, Window, day_exists, overlap

ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Argentina/Buenos_Aires",
    "America/Asuncion",
    "America/Bogota",
    "America/Caracas",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Amman",
    "Asia/Dhaka",
    "Asia/Gaza",
    "Asia/Hong_Kong",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Shanghai",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Asia/Yangon",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "UTC",
]
DAILY = Schedule(ScheduleKind.DAILY)
FIRST, YEARS = date(2007, 1, 1), 20
DAY = timedelta(days=1)


def test_there_are_forty_zones() -> None:
    assert len(set(ZONES)) >= 40


@pytest.mark.parametrize("name", ZONES)
def test_checking_in_each_local_day_for_twenty_years_keeps_the_streak(name: str) -> None:
    """At any moment of the day, wherever the member travels: an instant is the same everywhere."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance, zone = random.Random(seed), ZoneInfo(name)  # noqa: S311
    hours = Hours(zone)
    planned = planned_days(DAILY, FIRST, date(FIRST.year + YEARS, 1, 1) - DAY, zone)
    figures, rows = Figures(), {}
    for index, one in enumerate(planned):
        begins, ends = hours.begins(one.day), hours.closes(one.day)
        assert begins < ends
        instant = begins + (ends - begins) * chance.random()

        assert hours.today(instant) == one.day
        following = planned[index + 1].day if index + 1 < len(planned) else None
        figures = extend(figures, one.day, following)
        rows[one.day] = DayKind.DONE
        assert figures.streak(one.day) == index + 1

    assert figures == derive(planned, None, rows)
    assert figures.longest == len(planned)


@st.composite
def _hours(draw: st.DrawFn) -> Hours:
    """One to three windows that don't overlap, the last of which may pass midnight."""
    cuts = sorted(draw(st.sets(st.integers(0, 1439), min_size=2, max_size=6)))
    shift = draw(st.integers(0, 1))
    edges = [cuts[(index + shift) % len(cuts)] for index in range(len(cuts) - len(cuts) % 2)]
    windows = [Window(opens, closes or 1440) for opens, closes in zip(edges[::2], edges[1::2], strict=True)]
    return Hours(ZoneInfo(draw(st.sampled_from(ZONES))), windows)


@settings(max_examples=400, deadline=None, print_blob=True)
@given(hours=_hours(), day=st.dates(FIRST, date(2026, 12, 31)), part=st.floats(0, 1))
def test_every_moment_within_a_window_belongs_to_its_day(hours: Hours, day: date, part: float) -> None:
    assert not overlap(hours.windows)
    if not day_exists(day, hours.zone) or not day_exists(day + DAY, hours.zone):
        return
    for opens, closes in hours.bounds(day):
        assert opens < closes, "a window is never lost to a change of the clock"
        instant = opens + (closes - opens) * part
        # At the very minute one window ends and the next begins, the earlier day has it.
        assert hours.open_day(instant) in {day, day - DAY}
        if opens < instant:
            assert hours.open_day(instant) == day or instant <= hours.closes(day - DAY)


@settings(max_examples=400, deadline=None, print_blob=True)
@given(hours=_hours(), day=st.dates(FIRST, date(2026, 12, 30)), seconds=st.integers(0, 86_399))
def test_a_closed_moment_names_the_next_opening(hours: Hours, day: date, seconds: int) -> None:
    instant = datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)
    if hours.open_day(instant) is not None:
        return
    opens_at = hours.opens_after(instant)
    assert instant < opens_at <= instant + timedelta(hours=50)
    assert hours.open_day(opens_at) is not None
