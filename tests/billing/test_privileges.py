"""The role that serves owns nothing: what is written once stays, whoever gets hold of the application's connection."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import ProgrammingError

from circle.database import grant
from circle.kernel.clock import ManualClock
from tests.builders.lived_in import lived_in_circle
from tests.client import World

APPEND_ONLY = ("audit_log", "ledger_entries", "ledger_transactions", "submissions", "extensions", "review_revisions")
Sql = Callable[..., list[Any]]


@pytest.fixture
def role(shared: Any, app: Any, sql: Sql) -> Iterator[str]:
    """A role as an operator makes one, gone with the test's transaction."""
    connection, name = shared[1].current._connection, f"serving_{uuid4().hex[:8]}"
    sql(f"CREATE ROLE {name} NOLOGIN")
    sql(f"GRANT {name} TO CURRENT_USER")
    grant(connection, name)
    sql(f"SET LOCAL ROLE {name}")
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


def test_every_append_only_table_is_guarded_by_privilege_and_trigger(role: str, sql: Sql) -> None:
    guarded = "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'refuse_change'"
    may = "SELECT has_table_privilege(:role, :name, 'UPDATE, DELETE, TRUNCATE') AS change"
    names = {row["name"] for row in sql(guarded)}

    assert names == set(APPEND_ONLY)
    assert [name for name in names if sql(may, role=role, name=name)[0]["change"]] == []
