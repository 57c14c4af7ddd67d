"""Races: an application on pooled connections over a database of its own, with real commits and real threads.

Nothing is rolled back: each test makes its own circle, and the database is dropped at the end.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from circle.app import create_app
from circle.config import Settings
from circle.embedded import Engines
from circle.kernel.clock import ManualClock
from circle.kernel.errors import CircleError
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units
from circle.web.connections import close_connections
from tests.client import Api, World
from tests.conftest import START
from tests.databases import worker_database

MOST_THREADS = 24


@pytest.fixture(scope="session")
def racing(engines: Engines, settings: Settings, worker_id: str) -> Iterator[tuple[Flask, ManualClock]]:
    """The application that races run in."""
    with worker_database(engines.database_url, f"{worker_id}_races") as url:
        clock = ManualClock(START)
        app = create_app(
            replace(settings, database_url=url, web_threads=MOST_THREADS, charge_threads=8),
            clock=clock,
            doorbell=SilentDoorbell(),
        )
        yield app, clock
        with app.app_context():
            close_connections()


@pytest.fixture
def app(racing: tuple[Flask, ManualClock]) -> Iterator[Flask]:
    app, clock = racing
    clock.set(START)
    with app.app_context():
        yield app


@pytest.fixture
def clock(racing: tuple[Flask, ManualClock]) -> ManualClock:
    return racing[1]


@pytest.fixture
def units(app: Flask) -> Units:
    found = app.extensions["circle"].units
    assert isinstance(found, Units)
    return found


@pytest.fixture
def api(app: Flask) -> Api:
    return Api(app)


@pytest.fixture
def world(app: Flask, units: Units) -> World:
    return World(app, units)


class Race:
    """Runs calls at the same moment, each in a thread with the application's context."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def run(self, *calls: Callable[[], Any]) -> list[Any]:
        """What each call returned, or the refusal that it met, in their order."""
        assert len(calls) <= MOST_THREADS
        start = Barrier(len(calls))

        def take_part(call: Callable[[], Any]) -> Any:
            with self._app.app_context():
                start.wait()
                try:
                    return call()
                except CircleError as refusal:
                    return refusal

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(take_part, calls))

    def many(self, times: int, call: Callable[[int], Any]) -> list[Any]:
        """Run `call(0)`, `call(1)`, … at the same moment."""
        return self.run(*(lambda number=number: call(number) for number in range(times)))


@pytest.fixture
def race(app: Flask) -> Race:
    return Race(app)
