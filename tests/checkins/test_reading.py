"""Hot pages of camps: their shape, their number of statements, and the rows that PostgreSQL reads for them."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import marshmallow as ma
import psycopg
import pytest

from circle.checkins import class_queries, entries, queries, rankings
from circle.checkins.entry_schemas import CheckedInOut, CheckInOut
from circle.checkins.schemas import (
    CampClassOut,
    CampHeatmapOut,
    CampInFullOut,
    CampMonthOut,
    CampOut,
    CampRankingOut,
    MyCampOut,
)
from circle.kernel.clock import ManualClock
from circle.kernel.db import Query
from circle.kernel.uow import Units
from circle.web.pagination import page_of
from tests.builders.camps import FIRST_DAY, BuiltCamp
from tests.builders.people import Person
from tests.checkins.crowd import people, take_part
from tests.client import World
from tests.statements import counted

DAYS, CROWD, DILIGENT = 100, 5000, 300
MOST_STATEMENTS = 3
MOST_READ = 20  # rows read for each that is returned


class Scene(NamedTuple):
    camp: BuiltCamp
    person: Person


@pytest.fixture
def scene(world: World, clock: ManualClock) -> Scene:
    """A camp with everything that an answer can show."""
    rules = {"makeup_cards": 2, "leave_days": 2, "windows": [{"from": "05:00", "to": "23:00"}]}
    camp = world.camp(**rules, themes=[{"number": 1, "title": "一"}])
    person = world.camper(camp)
    picture = world.media(person, purpose="check_in")
    entry = world.check_in(camp, person, attachments=[str(picture)])
    camp.teacher.api.put(f"/check-ins/{entry['id']}/note", {"body": "好"}).ok()
    person.api.post(f"{camp.path}/leave-days", {"days": [camp.day(3)]}).ok()
    clock.advance(timedelta(days=1))
    world.check_in(camp, person)
    return Scene(camp, person)


PAGES: list[tuple[str, type[ma.Schema]]] = [
    ("/circles/{circle}/camps", page_of(CampOut)),
    ("/camps/{camp}", CampInFullOut),
    ("/camps/{camp}/me", MyCampOut),
    ("/camps/{camp}/calendar?month=2026-03", CampMonthOut),
    ("/camps/{camp}/rankings?by=streak", CampRankingOut),
    ("/camps/{camp}/rankings?by=total", CampRankingOut),
    ("/camps/{camp}/check-ins", page_of(CheckInOut)),
    ("/me/check-ins/heatmap?year=2026", CampHeatmapOut),
]


@pytest.mark.parametrize(("path", "schema"), PAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_hot_page_has_its_schemas_shape_in_three_statements(scene: Scene, path: str, schema: type[ma.Schema]) -> None:
    address = path.format(circle=scene.camp.circle.id, camp=scene.camp.id)
    scene.person.api.get(address).ok()

    with counted() as statements:
        answer = scene.person.api.get(address).ok()

    assert schema().validate(answer) == {}
    assert len(statements) <= (MOST_STATEMENTS + 1 if path == "/camps/{camp}" else MOST_STATEMENTS), statements


def test_the_class_calendar_has_its_schemas_shape_in_three_statements(scene: Scene) -> None:
    address = f"{scene.camp.path}/class-calendar?month=2026-03"
    scene.camp.teacher.api.get(address).ok()

    with counted() as statements:
        answer = scene.camp.teacher.api.get(address).ok()

    assert CampClassOut().validate(answer) == {}
    assert len(statements) == MOST_STATEMENTS, statements


def test_a_check_ins_answer_has_its_schemas_shape(world: World, scene: Scene, clock: ManualClock) -> None:
    clock.advance(timedelta(days=1))
    fresh = world.check_in(scene.camp, scene.person)
    edited = world.check_in(scene.camp, scene.person)
    read = scene.person.api.get(f"/check-ins/{fresh['id']}").ok()

    for answer in (fresh, edited):
        assert CheckedInOut().validate(answer) == {}
    assert {**fresh, "figures": None} == {**read, "figures": None, "edited_at": None, "version": 1}


def test_the_first_check_in_of_a_day_costs_two_statements(world: World, scene: Scene, clock: ManualClock) -> None:
    """Who asks, their standing, rules, term and figures; entry, day and figures."""
    clock.advance(timedelta(days=2))
    other = world.camp(scene.camp.circle)
    scene.person.api.post(f"{other.path}/join").ok()

    with counted() as statements:
        world.check_in(other, scene.person)

    assert len(statements) == 2, statements


@pytest.fixture
def crowded(world: World, sql: Any) -> BuiltCamp:
    """A camp of a hundred days that a crowd has done most of, beside another of the same size."""
    circle = world.circle()
    camps = [world.camp(circle, days=DAYS), world.camp(circle, days=DAYS)]
    crowd = people(sql, CROWD)
    for camp in camps:
        take_part(sql, camp, crowd)
        sql(
            "INSERT INTO camp_standings (camp_id, user_id, streak, run, longest, total, made_up, leave_taken, ranked)"
            " SELECT :camp, id, n % 100, n % 100, n % 100, n % 90, 0, 0, true"
            " FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS t(id, n)",
            camp=camp.id,
            ids=crowd,
        )
        sql(
            "INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at)"
            " SELECT :camp, id, CAST(:first AS date) + n, 'done', false, now()"
            " FROM unnest(CAST(:ids AS uuid[])) AS id, generate_series(0, 99) AS n",
            camp=camp.id,
            ids=crowd[:DILIGENT],
            first=FIRST_DAY,
        )
    for table in ("users", "memberships", "camps", "camp_members", "camp_standings", "check_in_days", "camp_days"):
        sql(f"ANALYZE {table}")
    return camps[0]


def test_own_days_are_read_by_index(crowded: BuiltCamp, units: Units, sql: Any) -> None:
    (someone,) = sql("SELECT user_id FROM check_in_days WHERE camp_id = :id LIMIT 1", id=crowded.id)
    term = {"first": FIRST_DAY, "last": FIRST_DAY + timedelta(days=DAYS - 1)}

    plan = explain(units, queries._DAYS, camp_id=crowded.id, user_id=someone["user_id"], **term)

    assert plan["Actual Rows"] == DAYS
    assert rows_read(plan) <= DAYS * MOST_READ
    assert "check_in_days" not in full_scans(plan)


def test_the_class_calendar_reads_few_rows_for_each_day_that_it_shows(crowded: BuiltCamp, units: Units) -> None:
    month, members = {"first": date(2026, 3, 1), "last": date(2026, 3, 31)}, 21

    plan = explain(units, class_queries._CLASS, camp_id=crowded.id, after=UUID(int=0), limit=members, **month)

    assert plan["Actual Rows"] == members
    assert rows_read(plan) <= members * 31 * 2, "the days, and less again for who they are"
    assert not full_scans(plan) & {"check_in_days", "camp_members", "camp_standings", "users"}


def test_the_heat_map_is_read_by_index(crowded: BuiltCamp, units: Units, sql: Any) -> None:
    (someone,) = sql("SELECT user_id FROM check_in_days WHERE camp_id = :id LIMIT 1", id=crowded.id)
    year = {"first": date(2026, 1, 1), "last": date(2026, 12, 31)}

    plan = explain(units, queries._HEATMAP, user_id=someone["user_id"], **year)

    assert plan["Actual Rows"] == DAYS
    assert rows_read(plan) <= DAYS * MOST_READ
    assert not full_scans(plan)


@pytest.mark.parametrize("by", ["streak", "total"])
@pytest.mark.parametrize("mine", [0, 50])
def test_a_ranking_reads_few_rows_for_each_that_it_shows(
    world: World, crowded: BuiltCamp, units: Units, by: str, mine: int
) -> None:
    world.run_job("checkins.tally")
    for value in (2**31 - 1, 40):
        plan = explain(
            units,
            rankings._page(by, swept=True),
            camp_id=crowded.id,
            circle_id=crowded.circle.id,
            value=value,
            user_id=UUID(int=2**128 - 1),
            mine=mine,
            counted=200,
            limit=21,
            today=FIRST_DAY,
        )

        assert plan["Actual Rows"] == 21
        assert rows_read(plan) <= 21 * MOST_READ
        assert not full_scans(plan)


def test_the_feed_is_read_by_index(crowded: BuiltCamp, units: Units, sql: Any) -> None:
    sql(
        "INSERT INTO check_ins (id, camp_id, user_id, day, body, attached, on_feed, made_at, created_at, version,"
        " like_count, comment_count) SELECT gen_random_uuid(), camp_id, user_id, day, 'x', 0, true, now(), now(), 1,"
        " 0, 0 FROM check_in_days WHERE day < :day",
        day=FIRST_DAY + timedelta(days=5),
    )
    sql("ANALYZE check_ins")

    plan = explain(
        units,
        entries._feed(frozenset()),
        camp_id=crowded.id,
        before=UUID(int=2**128 - 1),
        limit=21,
        reader_id=crowded.teacher.id,
        teaches=False,
    )

    assert plan["Actual Rows"] == 21
    assert not full_scans(plan) & {"check_ins", "check_in_days", "users"}


def explain(units: Units, query: Query, **parameters: Any) -> Any:
    with units.read() as uow:
        connection = uow._driver_connection()
        cursor = psycopg.RawCursor(connection)
        row = cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {query.sql}".encode(), query.arguments(parameters)
        ).fetchone()
    assert row is not None
    return (json.loads(row[0]) if isinstance(row[0], str) else row[0])[0]["Plan"]


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def rows_read(plan: Any) -> float:
    """Rows that the leaves of a plan gave or threw away."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if "Relation Name" in node
    )


def full_scans(plan: Any) -> set[str]:
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} - {
        "camp_themes",
        "memberships",
        "media",
        "camps",
        "camp_tallies",
    }
