"""When a day is open: clock times as a camp keeps them, and the edges of days and windows."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from circle.checkins.windows import Hours, Window, day_exists, overlap, read_clock, read_windows

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY, MINUTE, BLINK = timedelta(days=1), timedelta(minutes=1), timedelta(microseconds=1)
SUNDAY = date(2026, 3, 1)
MORNING, EVENING, NIGHT = Window(300, 510), Window(1200, 1260), Window(1320, 60)


def at(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("00:00", 0), ("05:30", 330), ("09:05", 545), ("19:59", 1199), ("23:59", 1439), ("24:00", 1440)],
)
def test_clock_times_are_minutes(text: str, minutes: int) -> None:
    assert read_clock(text) == minutes


@pytest.mark.parametrize("text", ["", "7:00", "24:01", "25:00", "30:00", "07:60", "07:5", "07:000", " 07:00", "٠٧:٠٠"])
def test_anything_else_is_no_clock_time(text: str) -> None:
    assert read_clock(text) is None


def test_windows_are_read_in_the_order_of_the_day() -> None:
    stored = [{"from": "20:00", "to": "24:00"}, {"from": "05:00", "to": "08:30"}, {"from": "22:00", "to": "01:00"}]

    assert read_windows(stored) == (MORNING, Window(1200, 1440), NIGHT)
    assert read_windows([]) == ()


@pytest.mark.parametrize(
    ("opens", "closes"), [("25:00", "08:00"), ("05:00", "x"), ("05:00", "05:00"), ("24:00", "01:00")]
)
def test_what_is_no_window_is_named(opens: str, closes: str) -> None:
    with pytest.raises(ValueError, match=f"not a window: .*{opens}.*{closes}"):
        read_windows([{"from": opens, "to": closes}])


def test_a_window_knows_its_minutes() -> None:
    assert (MORNING.minutes, NIGHT.minutes) == (range(300, 510), range(1320, 1500))
    assert (MORNING.passes_midnight, NIGHT.passes_midnight, Window(60, 60).passes_midnight) == (False, True, True)


@pytest.mark.parametrize(
    ("windows", "do"),
    [
        ((MORNING,), False),
        ((MORNING, EVENING, NIGHT), False),
        ((MORNING, Window(510, 600)), False),
        ((MORNING, Window(509, 600)), True),
        ((NIGHT, Window(59, 120)), True),
        ((NIGHT, Window(60, 120)), False),
        ((Window(0, 1440), MORNING), True),
        ((MORNING, EVENING, Window(400, 401)), True),
    ],
)
def test_no_moment_belongs_to_two_windows(windows: tuple[Window, ...], *, do: bool) -> None:
    assert overlap(windows) is do


def test_without_windows_a_day_is_open_from_midnight_to_midnight() -> None:
    hours = Hours(SHANGHAI)
    midnight = at(SUNDAY, "00:00")

    assert (hours.open_day(midnight), hours.open_day(midnight - BLINK)) == (SUNDAY, SUNDAY - DAY)
    assert hours.bounds(SUNDAY) == [(midnight, midnight + DAY)]
    assert (hours.begins(SUNDAY), hours.closes(SUNDAY)) == (midnight, midnight + DAY)


def test_a_day_is_open_within_its_windows_their_ends_included() -> None:
    hours = Hours(SHANGHAI, [MORNING, EVENING])

    for clock in ("05:00", "06:00", "08:30", "20:00", "21:00"):
        assert hours.open_day(at(SUNDAY, clock)) == SUNDAY
    for closed in (at(SUNDAY, "05:00") - BLINK, at(SUNDAY, "08:30") + BLINK, at(SUNDAY, "21:00") + BLINK):
        assert hours.open_day(closed) is None
        assert hours.today(closed) == SUNDAY
    assert hours.closes(SUNDAY) == at(SUNDAY, "21:00")
    assert hours.begins(SUNDAY) == at(SUNDAY, "00:00")


def test_a_window_past_midnight_keeps_its_day_open() -> None:
    hours = Hours(SHANGHAI, [NIGHT])
    half_past = at(SUNDAY, "00:30")

    assert hours.open_day(half_past) == hours.today(half_past) == SUNDAY - DAY
    assert hours.begins(SUNDAY) == hours.closes(SUNDAY - DAY) == at(SUNDAY, "01:00")
    assert hours.bounds(SUNDAY) == [(at(SUNDAY, "22:00"), at(SUNDAY + DAY, "01:00"))]
    assert hours.today(at(SUNDAY, "01:00") + BLINK) == SUNDAY


@pytest.mark.parametrize(("closes", "end"), [(1440, "00:00"), (0, "00:00"), (1, "00:01")])
def test_a_window_may_end_with_the_day(closes: int, end: str) -> None:
    assert Hours(SHANGHAI, [Window(1380, closes)]).closes(SUNDAY) == at(SUNDAY + DAY, end)


def test_the_next_opening_is_named() -> None:
    hours = Hours(SHANGHAI, [MORNING, EVENING])

    assert hours.opens_after(at(SUNDAY, "03:00")) == at(SUNDAY, "05:00")
    assert hours.opens_after(at(SUNDAY, "05:00")) == hours.opens_after(at(SUNDAY, "09:00")) == at(SUNDAY, "20:00")
    assert hours.opens_after(at(SUNDAY, "21:30")) == at(SUNDAY + DAY, "05:00")


def test_the_next_opening_may_be_the_day_after_tomorrow_s() -> None:
    apia = Hours(ZoneInfo("Pacific/Apia"), [Window(300, 510)])
    after_the_last = datetime(2011, 12, 29, 9, 0, tzinfo=apia.zone)

    assert apia.opens_after(after_the_last) == datetime(2011, 12, 31, 5, 0, tzinfo=apia.zone)


def test_an_hour_that_comes_twice_within_a_day_leaves_the_day_alone() -> None:
    berlin = Hours(ZoneInfo("Europe/Berlin"))

    for hour in range(22, 24):
        assert berlin.open_day(datetime(2026, 10, 24, hour, 30, tzinfo=UTC)) == date(2026, 10, 25)
    assert [berlin.open_day(datetime(2026, 10, 25, hour, 30, tzinfo=UTC)).day for hour in (0, 1, 22, 23)] == [
        25,
        25,
        25,
        26,
    ]


def test_days_that_a_zone_left_out_do_not_exist() -> None:
    apia = ZoneInfo("Pacific/Apia")

    assert [day_exists(date(2011, 12, day), apia) for day in (29, 30, 31)] == [True, False, True]


def test_where_the_clock_goes_back_over_midnight_a_day_is_what_the_clock_shows() -> None:
    """St John's, 2 November 2008: one minute after midnight it was 23:01 of the day before, once more."""
    hours = Hours(ZoneInfo("America/St_Johns"))
    second_midnight = datetime(2008, 11, 2, 3, 30, tzinfo=UTC)

    assert hours.begins(date(2008, 11, 2)) == hours.closes(date(2008, 11, 1)) == second_midnight
    for minute in (30, 31, 59):
        assert hours.today(datetime(2008, 11, 2, 2, minute, tzinfo=UTC)) == date(2008, 11, 1)
    assert hours.today(second_midnight) == date(2008, 11, 2)
    [(opens, _closes)] = Hours(hours.zone, [Window(0, 60)]).bounds(date(2008, 11, 2))
    assert opens == second_midnight


def test_a_window_in_the_hour_that_is_left_out_still_opens() -> None:
    berlin = Hours(ZoneInfo("Europe/Berlin"), [Window(135, 165)])

    ((opens, closes),) = berlin.bounds(date(2026, 3, 29))

    assert closes - opens == timedelta(minutes=30)
    assert berlin.open_day(opens) == date(2026, 3, 29)


def test_a_window_that_begins_in_the_hour_that_is_left_out_opens_with_the_change() -> None:
    chicago = Hours(ZoneInfo("America/Chicago"), [Window(121, 210)])

    bounds = chicago.bounds(date(2026, 3, 8))

    assert bounds == [(datetime(2026, 3, 8, 8, 0, tzinfo=UTC), datetime(2026, 3, 8, 8, 30, tzinfo=UTC))]


def test_a_window_that_ends_with_the_change_lies_as_long_behind_it() -> None:
    chicago = Hours(ZoneInfo("America/Chicago"), [Window(121, 180)])

    bounds = chicago.bounds(date(2026, 3, 8))

    assert bounds == [(datetime(2026, 3, 8, 8, 1, tzinfo=UTC), datetime(2026, 3, 8, 9, 0, tzinfo=UTC))]


def test_a_window_that_ends_in_the_hour_that_is_left_out_lasts_as_long() -> None:
    chicago = Hours(ZoneInfo("America/Chicago"), [Window(90, 150)])

    assert chicago.bounds(date(2026, 3, 8)) == [
        (datetime(2026, 3, 8, 7, 30, tzinfo=UTC), datetime(2026, 3, 8, 8, 30, tzinfo=UTC))
    ]


def test_a_day_that_a_zone_left_out_has_no_window() -> None:
    apia = Hours(ZoneInfo("Pacific/Apia"), [Window(300, 510)])

    assert apia.open_day(datetime(2011, 12, 31, 6, 0, tzinfo=apia.zone)) == date(2011, 12, 31)


def test_a_window_in_the_hour_that_comes_twice_is_open_both_times() -> None:
    berlin = Hours(ZoneInfo("Europe/Berlin"), [Window(135, 165)])

    ((opens, closes),) = berlin.bounds(date(2026, 10, 25))

    assert closes - opens == timedelta(minutes=90)
    twice = [datetime.combine(date(2026, 10, 25), time(2, 30, fold=fold), berlin.zone) for fold in (0, 1)]
    assert {berlin.open_day(instant) for instant in twice} == {date(2026, 10, 25)}


def test_an_hour_that_comes_twice_from_midnight_on_begins_its_day_the_first_time() -> None:
    """The Azores, 25 October 2026: at 01:00 it was midnight once more."""
    azores = Hours(ZoneInfo("Atlantic/Azores"))

    assert azores.begins(date(2026, 10, 25)) == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert azores.open_day(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == date(2026, 10, 25)


def test_a_window_begins_the_first_time_that_the_clock_shows_it() -> None:
    berlin = Hours(ZoneInfo("Europe/Berlin"), [Window(150, 240)])

    assert berlin.bounds(date(2026, 10, 25)) == [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 3, 0, tzinfo=UTC))
    ]
