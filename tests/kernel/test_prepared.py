"""Prepared statements on an autocommit connection: the same rows as by the driver's cursor, and bounded."""

import gc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Integer, Text, bindparam, literal_column, make_url, select

from circle.kernel import prepared
from circle.kernel.db import Query

SAMPLES: tuple[tuple[str, Any], ...] = (
    ("INTEGER", 7),
    ("INTEGER", 2**31 - 1),
    ("BIGINT", 2**40),
    ("TEXT", "晨间写作 🌅"),
    ("BOOLEAN", True),
    ("UUID", UUID(int=7)),
    ("DATE", date(2026, 3, 1)),
    ("TIMESTAMPTZ", datetime(2026, 3, 1, 4, 0, 0, 1, tzinfo=UTC)),
    ("NUMERIC(12, 3)", Decimal("1.500")),
    ("BYTEA", b"\x00\xff"),
    ("UUID[]", [UUID(int=7), UUID(int=8)]),
    ("DATE[]", [date(2026, 3, 1)]),
    ("TEXT[]", []),
    ("TEXT", None),
)


@pytest.fixture
def connection(database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


def names(connection: "psycopg.Connection[Any]") -> int:
    (count,) = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() or (0,)
    return int(count)


@pytest.mark.parametrize(("kind", "value"), SAMPLES)
def test_values_come_as_the_cursor_brings_them(connection: "psycopg.Connection[Any]", kind: str, value: Any) -> None:
    statement = b"SELECT $1::%b AS first, n, NULL AS nothing FROM generate_series(1, 2) AS n" % kind.encode()

    rows = [prepared.fetch(connection, statement, [value]) for _ in range(2)]

    cursor = psycopg.RawCursor(connection, row_factory=dict_row)
    assert rows == [cursor.execute(statement, [value]).fetchall()] * 2


def test_one_statement_takes_small_and_large_numbers(connection: "psycopg.Connection[Any]") -> None:
    query = Query(lambda: select((bindparam("n", type_=Integer()) + literal_column("1")).label("next")))

    assert [query.alone(connection, {"n": n})[0]["next"] for n in (1, 2**20, 3, 2**20)] == [2, 2**20 + 1, 4, 2**20 + 1]


def test_a_refusal_is_the_drivers_own_and_the_next_is_answered(connection: "psycopg.Connection[Any]") -> None:
    statement = b"SELECT 10 / $1::INTEGER AS part"

    with pytest.raises(psycopg.errors.DivisionByZero):
        prepared.fetch(connection, statement, [0])
    with pytest.raises(psycopg.errors.UndefinedTable):
        prepared.fetch(connection, b"SELECT FROM nowhere", [])

    assert prepared.fetch(connection, statement, [5]) == [{"part": 2}]


def test_a_lost_connection_is_an_operational_error(connection: "psycopg.Connection[Any]") -> None:
    prepared.fetch(connection, b"SELECT 1 AS one", [])

    with pytest.raises(psycopg.OperationalError):
        prepared.fetch(connection, b"SELECT pg_terminate_backend(pg_backend_pid())", [])
    with pytest.raises(psycopg.OperationalError):
        prepared.fetch(connection, b"SELECT 1 AS one", [])


def test_what_was_long_not_asked_is_forgotten(connection: "psycopg.Connection[Any]") -> None:
    before = names(connection)
    for number in range(prepared.MOST_KEPT + 5):
        prepared.fetch(connection, b"SELECT 1 AS one", [])
        prepared.fetch(connection, f"SELECT {number} AS number".encode(), [])

    assert names(connection) - before == prepared.MOST_KEPT
    assert prepared.fetch(connection, b"SELECT 0 AS number", []) == [{"number": 0}]


def test_after_a_migration_it_is_prepared_anew(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("CREATE TEMPORARY TABLE words (word text)")
    prepared.fetch(connection, b"SELECT * FROM words", [])
    connection.execute("ALTER TABLE words ADD COLUMN since int")

    connection.execute("INSERT INTO words VALUES ('字', 1)")
    before = names(connection)

    assert prepared.fetch(connection, b"SELECT * FROM words", []) == [{"word": "字", "since": 1}]
    assert names(connection) == before


def test_a_pooler_may_forget_what_was_prepared(connection: "psycopg.Connection[Any]") -> None:
    prepared.fetch(connection, b"SELECT 1 AS one", [])
    connection.execute("DEALLOCATE ALL")

    assert prepared.fetch(connection, b"SELECT 1 AS one", []) == [{"one": 1}]


def test_refusals_leave_nothing_behind(connection: "psycopg.Connection[Any]") -> None:
    before = names(connection)
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            prepared.fetch(connection, b"SELECT 10 / $1::INTEGER AS part", [0])

    assert names(connection) - before == 1


def test_a_write_answers_with_no_rows(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("CREATE TEMPORARY TABLE words (word text)")

    assert prepared.fetch(connection, b"INSERT INTO words SELECT $1::TEXT", ["字"]) == []
    assert prepared.fetch(connection, b"SELECT word FROM words", []) == [{"word": "字"}]


def test_inside_a_transaction_and_behind_a_pooler_the_driver_does_it(connection: "psycopg.Connection[Any]") -> None:
    query = Query(lambda: select(bindparam("word", type_=Text()).label("word")))
    connection.prepare_threshold = None

    assert query.alone(connection, {"word": "字"}) == [{"word": "字"}]
    assert names(connection) == 0
    connection.autocommit, connection.prepare_threshold = False, 2
    assert query.alone(connection, {"word": "字"}) == [{"word": "字"}]


def test_a_connection_that_is_gone_leaves_nothing_behind(database_url: str) -> None:
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    gc.collect()
    before = len(prepared._kept)

    with psycopg.connect(address, autocommit=True) as short:
        prepared.fetch(short, b"SELECT $1::text AS said", ["早"])
        assert len(prepared._kept) == before + 1
    del short

    gc.collect()
    assert len(prepared._kept) == before
