"""The role that serves owns nothing: what is written once stays, whoever gets hold of the application's connection."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import ProgrammingError

from circle.database import grant
from circle.kernel.clock import ManualClock
from tests.builders.lived_in import lived_in_circle
from tests.client import World

APPEND_ONLY = ("audit_log", "ledger_entries", "ledger_transactions", "submissions", "extensions", "review_revisions")
NOT_FOR_WHO_SERVES = (
    "CREATE TABLE loot (id int)",
    "CREATE SCHEMA loot",
    "CREATE ROLE loot",
    "CREATE EXTENSION pg_stat_statements",
    "CREATE FUNCTION loot() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TRIGGER loot BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "ALTER TABLE users ADD loot int",
    "ALTER TABLE users DISABLE TRIGGER ALL",
    "TRUNCATE users",
    "DROP TABLE users",
    "UPDATE alembic_version SET version_num = '0001'",
    "DELETE FROM alembic_version",
    "INSERT INTO alembic_version VALUES ('9999')",
    "COPY users TO '/tmp/loot'",
    "COPY users TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
)
INSUFFICIENT_PRIVILEGE = "42501"
Sql = Callable[..., list[Any]]


@pytest.fixture
def role(shared: Any, app: Any, sql: Sql) -> Iterator[str]:
    """A role as an operator makes one, gone with the test's transaction."""
    connection, name = shared[1].current._connection, f"Serving-{uuid4().hex[:8]}"
    sql(f'CREATE ROLE "{name}" NOLOGIN')
    sql(f'GRANT "{name}" TO CURRENT_USER')
    # What it was given before, by somebody who knew no better.
    sql(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{name}"')
    sql(f'GRANT ALL ON SCHEMA public TO "{name}"')
    grant(connection, name)
    sql(f'SET LOCAL ROLE "{name}"')
    yield name
    sql("RESET ROLE")


def test_a_whole_life_of_a_circle_needs_no_more(role: str, world: World, clock: ManualClock, sql: Sql) -> None:
    lived_in_circle(world, clock)

    assert sql("SELECT current_user AS me")[0]["me"] == role
    assert sql("SELECT 1 FROM audit_log LIMIT 1")
    assert sql("SELECT 1 FROM ledger_entries LIMIT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER refuse_change",
        "ALTER TABLE {} OWNER TO CURRENT_USER",
        "DROP TRIGGER refuse_change ON {}",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
    ],
)
def test_nothing_is_taken_from_what_is_append_only(role: str, shared: Any, sql: Sql, statement: str) -> None:
    connection = shared[1].current._connection
    for table in APPEND_ONLY:
        refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
        with refused, connection.begin_nested():
            sql(statement.format(table))


def test_who_serves_changes_no_schema_and_reaches_no_file(role: str, shared: Any, sql: Sql) -> None:
    connection = shared[1].current._connection
    for statement in NOT_FOR_WHO_SERVES:
        with pytest.raises(ProgrammingError) as refused, connection.begin_nested():
            sql(statement)
        assert refused.value.orig.sqlstate == INSUFFICIENT_PRIVILEGE, statement

    assert sql("SELECT version_num FROM alembic_version")


def test_who_serves_can_forget_a_person(role: str, world: World, clock: ManualClock, sql: Sql) -> None:
    circle = world.circle()
    person, homework = world.member(circle), world.assignment(circle)
    more = {"user_id": str(person.id), "due_at": (clock.now() + timedelta(days=20)).isoformat(), "note": "生病"}
    circle.owner.api.post(f"{homework.path}/extensions", more).ok(201)

    person.api.delete("/me", json={}).ok(204)

    assert [row["note"] for row in sql("SELECT note FROM extensions")] == [""]


def test_who_serves_may_use_every_sequence(role: str, sql: Sql) -> None:
    may = "has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'USAGE')"

    assert {row["may"] for row in sql(f"SELECT {may} AS may FROM pg_sequences")} == {True}  # noqa: S608


def test_tables_of_the_next_release_are_served_before_the_grant_is_run_again(role: str, sql: Sql) -> None:
    sql("RESET ROLE")
    sql("CREATE TABLE brand_new (id serial PRIMARY KEY, said text)")
    sql(f'SET LOCAL ROLE "{role}"')

    sql("INSERT INTO brand_new (said) VALUES ('first')")
    sql("UPDATE brand_new SET said = 'second'")

    assert [row["said"] for row in sql("SELECT said FROM brand_new")] == ["second"]


def test_every_append_only_table_is_guarded_by_privilege_and_trigger(role: str, sql: Sql) -> None:
    guarded = "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'refuse_change'"
    may = "SELECT has_table_privilege(:role, :name, 'UPDATE, DELETE, TRUNCATE') AS change"
    names = {row["name"] for row in sql(guarded)}

    assert names == set(APPEND_ONLY)
    assert [name for name in names if sql(may, role=role, name=name)[0]["change"]] == []
