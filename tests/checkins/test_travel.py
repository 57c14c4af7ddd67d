"""Years of one member's life: checking in from anywhere, editing, uploading late, making up, taking leave.

In forty time zones: some months of each in every run, years with `make test-reliability`.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from circle.checkins.figures import DayKind, derive
from circle.checkins.schedule import PlannedDay, planned_days
from circle.checkins.services.desk import CLOCK_SKEW, LATE_UPLOAD, Desk, find_day, place
from circle.kernel.ids import new_id
from tests.checkins.oracle import count
from tests.checkins.test_time_zones import DAILY, DAY, FIRST, YEARS, ZONES
from tests.reliability.sizes import SIZES

REACH = 7
ACTS = ("done", "done", "done", "edited", "late", "made_up", "leave")
FOR_YEARS = pytest.param(365 * SIZES.years, marks=pytest.mark.reliability, id="years")


@dataclass
class Life:
    """What a member does day by day, and what they have then; `row` is what a check-in reads of camp and member."""

    chance: random.Random
    zone: ZoneInfo
    planned: list[PlannedDay]
    rows: dict[date, DayKind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first, last = self.planned[0].day, self.planned[-1].day
        row = {
            "timezone": self.zone.key,
            "windows": [],
            "starts_on": first,
            "term_starts_on": first,
            "term_ends_on": last,
            "makeup_within_days": REACH,
        }
        self.desk = Desk(row, new_id(), speaks=True, now=datetime.combine(first, time(12), self.zone))
        row["joined_at"] = self.desk.hours.begins(first)

    def moment(self, day: date) -> datetime:
        """Some instant of a camp day, as the clock shows it wherever the member happens to be."""
        hours = self.desk.hours
        begins, ends = hours.begins(day), hours.closes(day)
        instant = begins + (ends - begins) * self.chance.random()
        return instant.astimezone(ZoneInfo(self.chance.choice(ZONES)))

    def at(self, now: datetime) -> Desk:
        return replace(self.desk, now=now)

    def done(self, day: date) -> None:
        self._keep(day, now=self.moment(day))

    def edited(self, day: date) -> None:
        self.done(day)
        assert find_day(self.at(self.moment(day)), day=None, made_at=None) == day, "an entry that is there is edited"

    def late(self, day: date) -> None:
        made_at = self.moment(day)
        arrives = made_at - CLOCK_SKEW + (LATE_UPLOAD + CLOCK_SKEW) * self.chance.random()
        self._keep(day, now=arrives, made_at=made_at)

    def made_up(self, day: date) -> None:
        desk = self.at(self.moment(day + self.chance.randint(1, REACH - 1) * DAY))
        placed = place(desk, find_day(desk, day=day, made_at=None), made_at=None)
        assert (placed.day, placed.kind) == (day, DayKind.MADE_UP)
        self.rows[day] = placed.kind

    def leave(self, day: date) -> None:
        self.rows[day] = DayKind.LEAVE

    def _keep(self, day: date, *, now: datetime, made_at: datetime | None = None) -> None:
        desk = self.at(now)
        placed = place(desk, find_day(desk, day=None, made_at=made_at), made_at=made_at)
        assert (placed.day, placed.kind) == (day, DayKind.DONE)
        assert placed.late == (made_at is not None and desk.open_day != day)
        self.rows[day] = placed.kind


@pytest.mark.parametrize("days", [pytest.param(120, id="120 days"), FOR_YEARS])
@pytest.mark.parametrize("name", ZONES)
def test_whatever_a_member_does_each_day_keeps_the_streak(name: str, days: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance, zone = random.Random(seed), ZoneInfo(name)  # noqa: S311 - lives, not secrets
    first = FIRST + chance.randrange(365 * YEARS - days + 1) * timedelta(days=1)
    life = Life(chance, zone, planned_days(DAILY, first, first + (days - 1) * DAY, zone))

    for one in life.planned:
        getattr(life, chance.choice(ACTS))(one.day)

    kept = {day: kind.value for day, kind in life.rows.items()}
    truth = count([one.day for one in life.planned], None, kept)
    figures = derive(life.planned, None, life.rows)
    assert len(life.rows) == len(life.planned), "no day is lost, and none is written twice"
    assert figures.run == figures.longest == truth.run == len(kept) - truth.leave_taken
    assert (figures.total, figures.made_up) == (truth.total, truth.made_up)
    assert figures.alive_until is None
