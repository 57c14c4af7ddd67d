"""Random lives in random camps, through HTTP: check-ins, edits, cards, leave, late uploads, leaving and coming back.

After each step what the product says equals what the oracle counts from the days that the test itself wrote down.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circle.checkins.services.rebuilding import rebuild_camp
from circle.kernel.clock import ManualClock
from tests.builders.camps import BuiltCamp
from tests.builders.people import Person
from tests.checkins.oracle import count, streak
from tests.client import World

DAYS, CARDS, LEAVE, REACH = 15, 3, 3, 4
FIRST = date(2026, 3, 2)
SCHEDULES: list[dict[str, Any]] = [
    {"kind": "daily"},
    {"kind": "weekdays", "weekdays": [1, 2, 4, 6]},
    {"kind": "workdays"},
    {"kind": "per_week", "times": 3},
]
# The clock changes on 8 March in New York, on 29 March in Berlin, and twice more elsewhere.
ZONES = ["Asia/Shanghai", "America/New_York", "Pacific/Apia", "Africa/Cairo", "America/St_Johns", "Asia/Kathmandu"]
STEPS = st.lists(
    st.sampled_from(["check_in", "check_in", "check_in", "wait", "edit", "card", "leave", "late", "away"]),
    min_size=8,
    max_size=24,
)


@dataclass
class Life:
    """What one member did, as the test knows it."""

    world: World
    clock: ManualClock
    camp: BuiltCamp
    person: Person
    zone: ZoneInfo
    planned: list[date]
    times: int | None
    kept: dict[date, str] = field(default_factory=dict)
    cards: int = CARDS

    @property
    def today(self) -> date:
        return self.clock.now().astimezone(self.zone).date()

    def post(self, **sent: Any) -> Any:
        return self.person.api.post(f"{self.camp.path}/check-ins", {"body": "写", **sent})

    def check_in(self) -> None:
        self._expect(self.post(), self.today, "done", allowed=self.today in self.planned)

    def edit(self) -> None:
        if self.kept.get(self.today, "leave") != "leave":
            assert self.post(body="改").status == 200

    def card(self) -> None:
        missed = [day for day in self.planned if day < self.today and self.kept.get(day, "leave") == "leave"]
        if missed:
            day = missed[-1]
            allowed = self.cards > 0 and (self.today - day).days <= REACH
            if self._expect(self.post(day=day.isoformat()), day, "made_up", allowed=allowed):
                self.cards -= 1

    def late(self) -> None:
        written = self.clock.now() - timedelta(hours=25)
        day = written.astimezone(self.zone).date()
        joined = datetime.combine(FIRST, time(9), self.zone)
        allowed = day in self.planned and written + timedelta(minutes=2) >= joined
        self._expect(self.post(made_at=written.isoformat()), day, "done", allowed=allowed)

    def leave(self) -> None:
        ahead = [day for day in self.planned if day > self.today and day not in self.kept]
        taken = list(self.kept.values()).count("leave")
        if ahead:
            reply = self.person.api.post(f"{self.camp.path}/leave-days", {"days": [ahead[0].isoformat()]})
            assert (reply.status == 200) == (taken < LEAVE), reply
            if reply.status == 200:
                self.kept[ahead[0]] = "leave"

    def away(self) -> None:
        self.person.api.post(f"{self.camp.path}/leave").ok(204)
        self.clock.advance(timedelta(hours=30))
        if self.today <= FIRST + timedelta(days=DAYS - 1):
            self.person.api.post(f"{self.camp.path}/join").ok()

    def wait(self) -> None:
        """To some hour of the next day: a step of 23, 24 or 25 hours may fall on a change of the clock."""
        self.clock.advance(timedelta(hours=24))

    def _expect(self, reply: Any, day: date, kind: str, *, allowed: bool) -> bool:
        before = self.kept.get(day, "leave")
        if before != "leave":
            if before == "made_up" and kind == "done" and reply.status == 200:
                self.kept[day] = "done"
                self.cards += 1
            assert reply.status == 200 or not (allowed and self.inside), reply
            return False
        assert (reply.status == 201) == (allowed and self.inside), reply
        if reply.status == 201:
            self.kept[day] = kind
        return bool(reply.status == 201)

    @property
    def inside(self) -> bool:
        return bool(self.world.part(self.camp, self.person)["joined"])


@settings(max_examples=25, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, schedule=st.sampled_from(SCHEDULES), zone=st.sampled_from(ZONES))
def test_any_life_is_counted_as_the_oracle_counts_it(
    app: Flask, world: World, clock: ManualClock, steps: list[str], schedule: dict[str, Any], zone: str
) -> None:
    life = _begin(world, clock, schedule, ZoneInfo(zone))
    for step in steps:
        getattr(life, step)()
        if step == "check_in":
            life.wait()
        truth = count(life.planned, life.times, life.kept)
        part = world.part(life.camp, life.person)
        said = {name: part[name] for name in ("streak", "longest", "total", "made_up", "cards_left", "leave_left")}
        assert said == {
            "streak": streak(truth, life.today),
            "longest": truth.longest,
            "total": truth.total,
            "made_up": truth.made_up,
            "cards_left": life.cards,
            "leave_left": LEAVE - truth.leave_taken,
        }
    with world.units.write() as uow:
        rebuild_camp(uow, life.camp.id, today=life.today)
    assert world.part(life.camp, life.person)["total"] == count(life.planned, life.times, life.kept).total


def _begin(world: World, clock: ManualClock, schedule: dict[str, Any], zone: ZoneInfo) -> Life:
    clock.set(datetime.combine(FIRST, time(9), zone).astimezone(UTC))
    last = FIRST + timedelta(days=DAYS - 1)
    camp = world.camp(
        starts_on=FIRST.isoformat(),
        ends_on=last.isoformat(),
        timezone=zone.key,
        schedule=schedule,
        makeup_cards=CARDS,
        makeup_within_days=REACH,
        leave_days=LEAVE,
    )
    person = world.camper(camp)
    days = [date.fromisoformat(day["day"]) for day in world.part(camp, person)["calendar"]]
    return Life(world, clock, camp, person, zone, days, schedule.get("times"))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule["kind"])
def test_who_does_every_day_has_them_all(world: World, clock: ManualClock, schedule: dict[str, Any]) -> None:
    life = _begin(world, clock, schedule, ZoneInfo("America/New_York"))
    for _ in range(DAYS):
        life.check_in()
        life.wait()

    truth = count(life.planned, life.times, life.kept)
    assert truth.total == len(life.planned)
    assert world.part(life.camp, life.person)["streak"] == truth.run
    assert world.part(life.camp, life.person)["completed"]
