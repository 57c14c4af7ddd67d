"""The clock of test mode."""

from datetime import UTC, datetime, timedelta

import pytest

from circle.kernel.clock import SystemClock
from circle.kernel.shared_clock import SharedClock
from circle.testmode import later
from tests.client import Api
from tests.conftest import START, SwitchedConnections


def test_the_clock_is_set(api: Api) -> None:
    api.post("/test/clock", {"now": "2027-01-31T23:00:00Z"}).ok(200)

    assert api.get("/test/clock").ok() == {"now": "2027-01-31T23:00:00Z"}


def test_the_clock_advances_by_calendar_months(api: Api) -> None:
    api.post("/test/clock", {"now": "2027-01-31T23:00:00Z"}).ok(200)

    assert api.post("/test/clock", {"advance": "P1M"}).ok(200) == {"now": "2027-02-28T23:00:00Z"}
    assert api.get("/test/clock").ok() == {"now": "2027-02-28T23:00:00Z"}


@pytest.mark.parametrize(
    ("advance", "then"),
    [
        ("P1Y", datetime(2027, 3, 1, 4, tzinfo=UTC)),
        ("P2W", START + timedelta(days=14)),
        ("PT36H", START + timedelta(hours=36)),
        ("P1DT90M", START + timedelta(days=1, minutes=90)),
        ("PT0S", START),
    ],
)
def test_durations_are_iso_8601(advance: str, then: datetime) -> None:
    assert later(START, advance) == then


@pytest.mark.parametrize("advance", ["-P1D", "1 day", "P", "P1X", "P999999999Y", "P1M2"])
def test_a_bad_duration_is_refused(advance: str, api: Api) -> None:
    answer = api.post("/test/clock", {"advance": advance})

    assert answer.status == 422, answer
    assert api.get("/test/clock").ok() == {"now": "2026-03-01T04:00:00Z"}


@pytest.mark.parametrize("body", [{}, {"now": "2027-01-31T23:00:00Z", "advance": "P1M"}])
def test_one_of_both_is_given(body: dict[str, str], api: Api) -> None:
    assert api.post("/test/clock", body).fields == {"now": "one_of"}


def test_the_far_future_is_refused(api: Api) -> None:
    assert api.post("/test/clock", {"now": "2900-01-01T00:00:00Z"}).fields == {"now": "out_of_range"}


def test_all_processes_share_the_offset(api: Api, shared: tuple[object, SwitchedConnections]) -> None:
    here, there = SharedClock(shared[1]), SharedClock(shared[1])

    here.set(SystemClock().now() + timedelta(days=30))

    assert there.now() - SystemClock().now() > timedelta(days=29, hours=23)
    here.set(SystemClock().now())
    assert abs(there.now() - SystemClock().now()) < timedelta(minutes=1)
