"""Random histories: the product's Python, its SQL and the tests' oracle count the same.

Some hundreds in each run, thousands with `make test-reliability`.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from circle.checkins.figures import DayKind, derive, extend, may_extend
from circle.checkins.schedule import PlannedDay, Schedule, ScheduleKind, planned_days
from circle.checkins.services.rebuilding import rebuild_camp, rebuild_camps, wrong_figures
from tests.checkins.crowd import people
from tests.checkins.oracle import Truth, count, streak
from tests.client import World
from tests.reliability.sizes import SIZES

MANY = pytest.param(SIZES.histories // 250, 250, marks=pytest.mark.reliability, id="many")
FIRST, DAYS = date(2026, 1, 1), 35
LAST = FIRST + timedelta(days=DAYS - 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
Sql = Callable[..., list[Any]]

SCHEDULES: tuple[Callable[[random.Random], dict[str, Any]], ...] = (
    lambda _: {"kind": "daily"},
    lambda chance: {"kind": "weekdays", "weekdays": chance.sample(range(1, 8), chance.randint(1, 6))},
    lambda _: {"kind": "workdays"},
    lambda _: {"kind": "holidays"},
    lambda chance: {"kind": "dates", "dates": chance.sample([FIRST + timedelta(days=n) for n in range(DAYS)], 15)},
    lambda chance: {"kind": "per_week", "times": chance.randint(1, 7)},
)


@pytest.fixture
def chance() -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    return random.Random(seed)  # noqa: S311 - histories, not secrets


def schedule_of(chosen: dict[str, Any]) -> Schedule:
    return Schedule(
        ScheduleKind(chosen["kind"]),
        frozenset(chosen.get("weekdays", ())),
        frozenset(chosen.get("dates", ())),
        chosen.get("times"),
    )


def random_rows(chance: random.Random, planned: list[PlannedDay]) -> dict[date, DayKind]:
    """Diligent and lazy members, with leave and cards, some all the way and some not at all."""
    diligence, excused = chance.choice((0.0, 0.3, 0.7, 0.9, 1.0)), chance.choice((0.0, 0.05, 0.3))
    rows = {}
    for one in planned:
        if chance.random() < excused:
            rows[one.day] = DayKind.LEAVE
        elif chance.random() < diligence:
            rows[one.day] = chance.choice((DayKind.DONE, DayKind.DONE, DayKind.MADE_UP))
    return rows


def truth_of(planned: list[PlannedDay], times: int | None, rows: dict[date, DayKind]) -> Truth:
    return count([one.day for one in planned], times, {day: kind.value for day, kind in rows.items()})


@pytest.mark.parametrize(("camps", "members"), [pytest.param(10, 100, id="1000"), MANY])
def test_python_and_oracle_count_histories_alike(chance: random.Random, camps: int, members: int) -> None:
    for _ in range(camps * members):
        schedule = schedule_of(chance.choice(SCHEDULES)(chance))
        begins = FIRST + timedelta(days=chance.randrange(300))
        planned = planned_days(schedule, begins, begins + timedelta(days=chance.randrange(1, DAYS)), SHANGHAI)
        rows = random_rows(chance, planned)

        figures, truth = derive(planned, schedule.times, rows), truth_of(planned, schedule.times, rows)

        assert asdict(figures) == asdict(truth)
        today = begins + timedelta(days=chance.randrange(-1, 45))
        assert figures.streak(today) == streak(truth, today)


def test_going_on_day_by_day_counts_as_counting_anew(chance: random.Random) -> None:
    for _ in range(500):
        planned = planned_days(
            schedule_of({"kind": "weekdays", "weekdays": [1, 3, 4, 5]}), FIRST, FIRST + timedelta(days=40), SHANGHAI
        )
        rows: dict[date, DayKind] = {}
        figures = derive(planned, None, rows)
        for index, one in enumerate(planned):
            if chance.random() < 0.7:
                following = planned[index + 1].day if index + 1 < len(planned) else None
                assert may_extend(figures, None, one.day)
                figures = extend(figures, one.day, following)
                rows[one.day] = DayKind.DONE
                assert figures == derive(planned, None, rows)


@pytest.mark.parametrize(("camps", "members"), [pytest.param(12, 25, id="300"), MANY])
def test_sql_and_oracle_count_histories_alike(
    world: World, sql: Sql, chance: random.Random, camps: int, members: int
) -> None:
    circle, crowd = world.circle(), people(sql, members)
    truths: dict[UUID, dict[UUID, Truth]] = {}
    days: dict[UUID, date] = {}
    for _ in range(camps):
        chosen = chance.choice(SCHEDULES)(chance)
        sent = {**chosen, "dates": sorted(map(str, chosen["dates"]))} if "dates" in chosen else chosen
        camp = world.camp(circle, starts_on=str(FIRST), ends_on=str(LAST), schedule=sent)
        truths[camp.id] = _load(sql, chance, camp.id, schedule_of(chosen), crowd)
        days[camp.id] = FIRST + timedelta(days=chance.randrange(50))

    with world.units.write() as uow:
        for camp_id, today in days.items():
            assert rebuild_camp(uow, camp_id, today=today) == len(crowd)
            assert rebuild_camp(uow, camp_id, today=today) == 0, "a second time changes nothing"

    compared = 0
    for camp_id, expected in truths.items():
        for row in sql("SELECT * FROM camp_standings WHERE camp_id = :id", id=camp_id):
            truth = expected[row["user_id"]]
            assert {name: row[name] for name in asdict(truth)} == asdict(truth)
            assert row["streak"] == streak(truth, days[camp_id])
            compared += 1
    assert compared == camps * members
    rebuild_camps(world.units)
    with world.units.read() as uow:
        assert wrong_figures(uow, camps=camps) == (0, camps)
    sql("UPDATE camp_standings SET longest = longest + 1 WHERE user_id = :user_id", user_id=crowd[0])
    with world.units.read() as uow:
        assert wrong_figures(uow, camps=camps) == (camps, camps)


def _load(sql: Sql, chance: random.Random, camp_id: UUID, schedule: Schedule, crowd: list[UUID]) -> dict[UUID, Truth]:
    """Give each of the people a term within the camp and random day rows; return what is true of them."""
    columns: dict[str, list[Any]] = defaultdict(list)
    truths, terms = {}, []
    for user_id in crowd:
        starts_on = FIRST + timedelta(days=chance.choice((0, 0, chance.randrange(30))))
        planned = planned_days(schedule, starts_on, LAST, SHANGHAI)
        rows = random_rows(chance, planned)
        truths[user_id] = truth_of(planned, schedule.times, rows)
        terms.append(starts_on)
        for day, kind in rows.items():
            columns["user_ids"].append(user_id)
            columns["days"].append(day)
            columns["kinds"].append(kind.value)
    sql(
        "INSERT INTO camp_members (camp_id, user_id, starts_on, ends_on, completion_days, joined_at)"
        " SELECT :camp_id, u, s, :last, 1, now()"
        " FROM unnest(CAST(:users AS uuid[]), CAST(:terms AS date[])) AS t(u, s)",
        camp_id=camp_id,
        users=crowd,
        terms=terms,
        last=LAST,
    )
    sql(
        "INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at)"
        " SELECT :camp_id, u, d, k, false, now()"
        " FROM unnest(CAST(:user_ids AS uuid[]), CAST(:days AS date[]), CAST(:kinds AS text[])) AS t(u, d, k)",
        camp_id=camp_id,
        **columns,
    )
    return truths
