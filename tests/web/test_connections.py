"""Connections for compiled statements: they lie ready for the next one, and one that broke is not used again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Integer, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from circle.kernel.db import Query
from circle.kernel.uow import UnitOfWork, Units, forbid_inside_unit_of_work
from circle.web import connections, lending
from circle.web.connections import PooledConnections, close_connections, pools

BACKEND = Query(lambda: select(literal_column("pg_backend_pid()", Integer()).label("pid")))
END = Query(lambda: select(literal_column("pg_terminate_backend(pg_backend_pid())").label("ended")))


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def units(app_with: Callable[..., Flask]) -> Iterator[Units]:
    with app_with().app_context():
        yield Units(PooledConnections(), clock=Noon(), doorbell=None, handlers={}, adapters={})  # type: ignore[arg-type]


def backend(units: Units) -> int:
    with units.read() as uow:
        return int(uow.rows(BACKEND)[0]["pid"])


def test_one_statement_after_another_goes_through_the_same_connection(units: Units) -> None:
    assert backend(units) == backend(units)
    assert pools()["at_once"] == 0


def test_two_at_once_have_two_connections(units: Units) -> None:
    with units.read() as outer:
        [row] = outer.rows(BACKEND)

        assert backend(units) != row["pid"]
        assert pools()["at_once"] == 1


def test_a_crowd_of_threads_leaves_connections_for_sessions(units: Units) -> None:
    pool = connections.db.engines["at_once"].pool
    crowd = ExitStack()
    for _ in range(pool.size() + pool._max_overflow):
        crowd.enter_context(PooledConnections().reader())
    crowd.close()

    with units.read() as uow:
        assert uow.session.scalar(text("SELECT 1")) == 1
    assert lending.lying_ready(connections.db.engines["at_once"]) == pool.size() - 1


def test_a_connection_that_broke_is_not_used_again(units: Units) -> None:
    backend(units)

    with pytest.raises(psycopg.OperationalError), units.read() as uow:
        uow.rows(END)

    assert backend(units)
    assert pools()["at_once"] == 0


@pytest.mark.parametrize("unit_of", [Units.write, Units.read])
def test_a_thread_that_lost_a_connection_in_the_middle_of_a_unit_is_outside_again(
    units: Units, unit_of: Callable[[Units], AbstractContextManager[UnitOfWork]]
) -> None:
    with pytest.raises((DBAPIError, psycopg.OperationalError)), unit_of(units) as uow:
        uow.session.scalar(text("SELECT 1"))
        # SQLAlchemy, which closes the session, does not hear of it.
        uow.rows(END)

    forbid_inside_unit_of_work()
    assert backend(units)
    assert pools() == {"write": 0, "at_once": 0}


def test_an_old_connection_is_renewed(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    first = backend(units)
    monkeypatch.setattr(lending, "RECYCLE_SECONDS", -1)

    assert backend(units) == first
    assert not lending._ready[connections.db.engines["at_once"]]
    assert pools()["at_once"] == 0


def test_what_lies_ready_is_closed_with_the_application(units: Units) -> None:
    backend(units)
    [kept] = lending._ready[connections.db.engines["at_once"]]

    close_connections()

    assert kept.driver.closed
