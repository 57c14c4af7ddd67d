"""When terms end, held against PostgreSQL's own arithmetic."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circle.circles.terms import term_end

# Clock changes of every kind: none, an hour, half an hour, at midnight, in both hemispheres, far from UTC. Left out are
# zones that announce their changes from year to year, such as Casablanca: two releases of the tables differ there.
ZONES = (
    "Africa/Cairo", "Africa/Nairobi", "Africa/Johannesburg", "Africa/Lagos", "America/Asuncion", "America/Bogota",
    "America/Chicago", "America/Denver", "America/Halifax", "America/Havana", "America/Los_Angeles",
    "America/New_York", "America/Phoenix", "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut",
    "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Shanghai",
    "Asia/Singapore", "Asia/Taipei", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide",
    "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/Lisbon", "Europe/London",
    "Europe/Moscow", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
)  # fmt: skip
# Instants whose terms meet clock changes, and some at month ends; random ones are added to them.
ANCHORS = (
    datetime(2026, 1, 31, 15, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
    datetime(2025, 10, 26, 1, 30, tzinfo=UTC),
    datetime(2026, 2, 28, 1, 30, tzinfo=UTC),
    datetime(2026, 2, 8, 7, 30, tzinfo=UTC),
    datetime(2025, 12, 29, 1, 15, tzinfo=UTC),
)


@dataclass(frozen=True)
class Term:
    interval: str
    interval_count: int = 1
    fixed_end_at: datetime | None = None


def test_forty_zones_are_covered() -> None:
    assert len(ZONES) >= 40


@pytest.mark.parametrize("zone", ZONES)
def test_terms_end_when_postgresql_says(zone: str, sql: Any) -> None:
    dice = random.Random(zone)  # noqa: S311 - the seed is the name of the test
    since = datetime(2024, 1, 1, tzinfo=UTC)
    anchors = [*ANCHORS, *(since + timedelta(minutes=dice.randrange(3 * 525_600)) for _ in range(40))]
    # Ten years at most: after 2037 the tables of zones end, and each side goes on by a rule of its own.
    cases = [(anchor, dice.choice(("month", "year")), dice.randint(1, 2), dice.randint(1, 5)) for anchor in anchors]
    # Months that carry a wall time into a clock change.
    cases += [(anchor, "month", 1, n) for anchor in ANCHORS for n in range(1, 13)]

    for anchor, interval, count, n in cases:
        [row] = sql(
            f"SELECT ((CAST(:anchor AS timestamptz) AT TIME ZONE :zone) + :n * interval '{count} {interval}')"
            " AT TIME ZONE :zone AS ends_at",
            anchor=anchor,
            zone=zone,
            n=n,
        )
        assert term_end(Term(interval, count), anchor, n, zone) == row["ends_at"], (anchor, interval, count, n)


def test_a_term_from_the_31st_comes_back_to_the_31st() -> None:
    anchor = datetime(2026, 1, 31, 4, 0, tzinfo=UTC)  # noon in Shanghai

    ends = [term_end(Term("month"), anchor, n, "Asia/Shanghai") for n in (1, 2, 3)]

    assert [(end.month, end.day, end.hour) for end in ends if end] == [(2, 28, 4), (3, 31, 4), (4, 30, 4)]


def test_a_leap_day_comes_back_after_four_years() -> None:
    anchor = datetime(2024, 2, 29, 4, 0, tzinfo=UTC)

    ends = [term_end(Term("year"), anchor, n, "Asia/Shanghai") for n in (1, 4)]

    assert [(end.year, end.month, end.day) for end in ends if end] == [(2025, 2, 28), (2028, 2, 29)]


def test_a_lifetime_has_no_end_and_a_fixed_term_its_own() -> None:
    anchor = datetime(2026, 1, 31, tzinfo=UTC)
    end = datetime(2026, 9, 1, tzinfo=UTC)

    assert term_end(Term("lifetime"), anchor, 1, "Asia/Shanghai") is None
    assert term_end(Term("fixed", fixed_end_at=end), anchor, 1, "Asia/Shanghai") == end
