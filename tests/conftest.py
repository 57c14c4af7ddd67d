"""One set of engines a test run, migrated once; one rolled-back transaction a test."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

from circle.app import create_app
from circle.config import Settings
from circle.embedded import Engines, start_engines, stop_engines
from circle.kernel.clock import ManualClock
from circle.kernel.joining import Statement
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Rows, Units, driver_of, run_together
from tests.builders.stock import Stock
from tests.client import Api, Browser, World
from tests.databases import worker_database

# A Sunday noon in Shanghai, far from month ends and daylight saving.
START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
SECRET = "s" * 40
# Usual circles that are ready: as many as one test asks for, and few enough to start with.
_STOCK = 4


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Iterator[Engines]:
    """PostgreSQL, Valkey and S3: given by CIRCLE_TEST_ENGINES (a data folder kept running), else started here."""
    kept = os.environ.get("CIRCLE_TEST_ENGINES")
    if kept:
        yield start_engines(Path(kept), durable=False)
        return
    with tempfile.TemporaryDirectory(prefix="circle-test-") as folder:
        try:
            yield start_engines(Path(folder), durable=False)
        finally:
            stop_engines(Path(folder))


@pytest.fixture(scope="session")
def database_url(engines: Engines, worker_id: str) -> Iterator[str]:
    """A migrated database of this test process's own."""
    with worker_database(engines.database_url, worker_id) as url:
        yield url


@pytest.fixture(scope="session")
def worker_id() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def settings(engines: Engines, database_url: str) -> Settings:
    return Settings.from_env(
        {
            **engines.environ(),
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "SITE_URL": "http://circle.test",
            "TEST_MODE": "on",
            "COMMON_PASSWORDS": "off",
            # A test has one connection.
            "CHARGE_THREADS": "1",
            "MAIL_URL": "mailbox:",
            "SMS_URL": "mailbox:",
            "WEBHOOKS_PRIVATE": "on",
            "LOG_LEVEL": "error",
        }
    )


class OneConnection:
    """Every unit of a test works on one connection, whose outer transaction is rolled back at the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def session(self) -> Session:
        return Session(self._connection, join_transaction_mode="create_savepoint", expire_on_commit=False)

    def commit(self, statements: Sequence[Statement]) -> Rows:
        with self.session() as session:
            rows = run_together(driver_of(session), statements)
            session.commit()
        return rows

    def read_session(self) -> Session:
        return Session(
            self._connection, join_transaction_mode="create_savepoint", autoflush=False, expire_on_commit=False
        )

    @contextmanager
    def reader(self) -> "Iterator[psycopg.Connection[Any]]":
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        yield driver

    def standby(self, _ask: "Callable[[psycopg.Connection[Any]], Rows]") -> Rows | None:
        return None

    def renew(self) -> None:
        """A test keeps its connection."""


class SwitchedConnections:
    """Lets one application serve many tests, each on its own connection."""

    current: OneConnection

    def session(self) -> Session:
        return self.current.session()

    def commit(self, statements: Sequence[Statement]) -> Rows:
        return self.current.commit(statements)

    def read_session(self) -> Session:
        return self.current.read_session()

    def reader(self) -> Any:
        return self.current.reader()

    def standby(self, ask: "Callable[[psycopg.Connection[Any]], Rows]") -> Rows | None:
        return self.current.standby(ask)

    def renew(self) -> None:
        self.current.renew()


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, connect_args={"options": "-c timezone=UTC"})
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared(settings: Settings) -> tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell]:
    connections, clock, doorbell = SwitchedConnections(), ManualClock(START), SilentDoorbell()
    return create_app(settings, clock=clock, connections=connections, doorbell=doorbell), connections, clock, doorbell


@pytest.fixture
def app(shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell], engine: Engine) -> Iterator[Flask]:
    app, connections, clock, doorbell = shared
    clock.set(START)
    doorbell.rung.clear()
    with engine.connect() as connection:
        transaction = connection.begin()
        connections.current = OneConnection(connection)
        with app.app_context():
            yield app
        transaction.rollback()


@pytest.fixture
def clock(app: Flask, shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell]) -> ManualClock:
    return shared[2]


@pytest.fixture
def doorbell(app: Flask, shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell]) -> SilentDoorbell:
    return shared[3]


@pytest.fixture
def units(app: Flask) -> Units:
    found = app.extensions["circle"].units
    assert isinstance(found, Units)
    return found


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    """A client that keeps cookies, for pages."""
    return Browser(app)


@pytest.fixture
def api(app: Flask) -> Api:
    """A client without a caller; `api.as_(token)` is one with."""
    return Api(app)


@pytest.fixture(scope="session")
def stock(shared: tuple[Flask, SwitchedConnections, ManualClock, SilentDoorbell], engine: Engine) -> Stock:
    """Circles that are there before every test: building one costs as much as the rest of a usual test."""
    app, connections, clock, _doorbell = shared
    clock.set(START)
    with engine.begin() as connection, app.app_context():
        connections.current = OneConnection(connection)
        world = World(app, app.extensions["circle"].units)
        made = Stock(START, [world.circle() for _ in range(_STOCK)])
        # As if it were long ago: the change log shows nothing newer than any transaction that still runs, anywhere.
        connection.execute(text("UPDATE changes SET xid = 1"))
        return made


@pytest.fixture
def world(app: Flask, units: Units, clock: ManualClock, stock: Stock) -> World:
    """Builders of people, circles and posts, through the product's own use cases."""
    world = World(app, units)
    world.stock = stock.for_one_test(clock)
    return world


@pytest.fixture
def sql(app: Flask, shared: Any) -> Any:
    """Run one statement on the test's connection, for what no API shows."""
    connection = shared[1].current._connection

    def run(statement: str, **params: Any) -> list[Any]:
        result = connection.execute(text(statement), params)
        return list(result.mappings()) if result.returns_rows else []

    return run
