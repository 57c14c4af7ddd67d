"""A camp of 100 days × 10,000 members who did them all: what PostgreSQL reads for each page, by each statement."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.camps import FIRST_DAY, BuiltCamp
from tests.builders.people import Person
from tests.checkins.crowd import people, take_part
from tests.client import World

DAYS, MEMBERS = 100, 10_000
MONTH = 31
PAGE = 20
MOST_STATEMENTS = 3
# Rows read for each that is returned.
MOST_READ = 20
# As the tests' other statements, so that plans are those of big tables.
FILLED = ("users", "memberships", "camp_members", "camp_standings", "check_in_days", "check_ins", "camp_days")
# Small for good: a row a circle, a tier, a camp, a day of it or a theme.
SMALL = {"circles", "tiers", "camps", "camp_days", "camp_themes", "camp_tallies"}


class Page(NamedTuple):
    path: str
    # Rows that it shows, where its statements return fewer that hold them in arrays.
    shown: int = 1
    by_teacher: bool = False


PAGES = [
    Page("/camps/{camp}/me", DAYS),
    Page("/camps/{camp}/calendar?month=2026-04"),
    Page("/camps/{camp}/rankings?by=streak"),
    Page("/camps/{camp}/rankings?by=total"),
    Page("/camps/{camp}/check-ins"),
    Page("/camps/{camp}/class-calendar?month=2026-05", PAGE * MONTH, by_teacher=True),
    Page("/me/check-ins/heatmap?year=2026"),
]


@pytest.fixture
def member(world: World, sql: Any, clock: ManualClock) -> tuple[BuiltCamp, Person]:
    """Somebody in the middle of a full camp that is nearly over, and the teacher of it."""
    camp = world.camp(days=DAYS)
    person = world.camper(camp)
    beside = world.camp(camp.circle, days=DAYS)
    crowd = people(sql, MEMBERS)
    # Rolled back with the rest: its check, a row at a time, would take longer than all of it.
    sql("ALTER TABLE check_in_days DROP CONSTRAINT fk_check_in_days_member")
    for one, days in ((camp, DAYS), (beside, DAYS // 10)):
        take_part(sql, one, crowd)
        _do_days(sql, one, days)
    sql(
        "INSERT INTO memberships (id, circle_id, user_id, role, status, number, alias, note, answers, joined_at,"
        " version, created_at) SELECT id, :circle, id, 'member', 'active', n + 1000, '', '', '{}', now(), 1, now()"
        " FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS t(id, n)",
        circle=camp.circle.id,
        ids=crowd,
    )
    sql(
        "INSERT INTO check_ins (id, camp_id, user_id, day, body, attached, on_feed, made_at, created_at, version,"
        " like_count, comment_count) SELECT gen_random_uuid(), camp_id, user_id, day, 'x', 0, true, now(), now(), 1,"
        " 0, 0 FROM check_in_days WHERE day < :day",
        day=FIRST_DAY + timedelta(days=2),
    )
    for table in FILLED:
        sql(f"ANALYZE {table}")
    sql("UPDATE sessions SET expires_at = expires_at + interval '1 year'")
    clock.advance(timedelta(days=DAYS - 2))
    for job in ("checkins.sweep", "checkins.tally"):
        world.run_job(job)
    return camp, person


def _do_days(sql: Any, camp: BuiltCamp, days: int) -> None:
    """Let everybody have done the camp's first days, with figures that differ."""
    sql(
        "INSERT INTO check_in_days (camp_id, user_id, day, kind, late, recorded_at)"
        " SELECT camp_id, user_id, CAST(:first AS date) + n, 'done', false, now()"
        " FROM camp_members, generate_series(0, :last) AS n WHERE camp_id = :camp",
        camp=camp.id,
        first=FIRST_DAY,
        last=days - 1,
    )
    sql(
        "INSERT INTO camp_standings (camp_id, user_id, streak, run, longest, total, made_up, leave_taken, ranked)"
        " SELECT camp_id, user_id, n % 100, n % 100, n % 100, n % 90, 0, 0, true"
        " FROM (SELECT camp_id, user_id, row_number() OVER () AS n FROM camp_members WHERE camp_id = :camp) AS t"
        " ON CONFLICT DO NOTHING",
        camp=camp.id,
    )


@pytest.mark.reliability
def test_no_page_of_a_full_camp_reads_many_rows_for_each_that_it_returns(
    world: World, member: tuple[BuiltCamp, Person], units: Units, sql: Any
) -> None:
    camp, person = member
    assert sql("SELECT count(*) FROM check_in_days WHERE camp_id = :id", id=camp.id)[0]["count"] == (MEMBERS + 1) * DAYS

    for page in PAGES:
        reader = camp.teacher if page.by_teacher else person
        with sent() as statements:
            reader.api.get(page.path.format(camp=camp.id)).ok()

        assert 0 < len(statements) <= MOST_STATEMENTS, (page.path, statements)
        for statement in statements:
            plan = explain(units, *statement)
            returned = max(plan["Actual Rows"], page.shown if statement is statements[-1] else 1)
            assert rows_read(plan) <= returned * MOST_READ, (page.path, statement, plan)
            assert not full_scans(plan) - SMALL, (page.path, statement, plan)


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """Collect what reads send while the block runs, with its parameters."""
    statements: list[tuple[str, Any]] = []
    execute = psycopg.Cursor.execute

    def noting(cursor: Any, query: Any, params: Any = None, **kwargs: Any) -> Any:
        statement = query.decode() if isinstance(query, bytes) else str(query)
        if statement.startswith(("SELECT", "WITH")):
            statements.append((statement, params))
        return execute(cursor, query, params, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", noting)
        yield statements


def explain(units: Units, statement: str, params: Any) -> Any:
    with units.read() as uow:
        cursor = psycopg.RawCursor(uow._driver())
        # Tables of a handful of rows are read whole, else: a few rows more than at their real size.
        cursor.execute(b"SET enable_seqscan = off")
        row = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), params).fetchone()
        cursor.execute(b"RESET enable_seqscan")
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
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
