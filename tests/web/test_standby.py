"""Reads that may be a second old go to a standby; who somebody is, and what they just wrote, never does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, Engine

from circle.app import create_app
from circle.checks import standby_keeps_up
from circle.config import Settings
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Rows
from circle.web.connections import PooledConnections, close_connections
from circle.web.standby import Progress
from tests.client import Api, World
from tests.conftest import START, OneConnection, SwitchedConnections

Driver = psycopg.Connection[Any]
Ask = Callable[[Driver], Rows]


class WithStandby(OneConnection):
    """Counts what is asked of the standby, which shows the same or, `away`, nothing."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.asked = 0
        self.away = False

    def standby(self, ask: Ask) -> Rows | None:
        self.asked += 1
        if self.away:
            return None
        with self.reader() as driver:
            return ask(driver)


@pytest.fixture(scope="module")
def served(settings: Settings) -> tuple[Flask, SwitchedConnections, ManualClock]:
    connections, clock = SwitchedConnections(), ManualClock(START)
    settings = replace(settings, read_database_url=settings.database_url)
    return create_app(settings, clock=clock, connections=connections, doorbell=SilentDoorbell()), connections, clock


@pytest.fixture
def standby(served: tuple[Flask, SwitchedConnections, ManualClock], engine: Engine) -> Iterator[WithStandby]:
    app, connections, clock = served
    clock.set(START)
    with engine.connect() as connection:
        transaction = connection.begin()
        connections.current = found = WithStandby(connection)
        with app.app_context():
            yield found
        transaction.rollback()


@pytest.fixture
def world(served: tuple[Flask, SwitchedConnections, ManualClock], standby: WithStandby) -> World:
    return World(served[0], served[0].extensions["circle"].units)


@pytest.fixture
def clock(served: tuple[Flask, SwitchedConnections, ManualClock]) -> ManualClock:
    return served[2]


def test_a_feed_is_asked_of_the_standby_and_who_asks_is_not(standby: WithStandby, world: World) -> None:
    circle = world.circle()
    reader = world.member(circle).api

    assert reader.get(f"/circles/{circle.id}/posts").status == 200
    assert standby.asked == 1
    assert reader.get("/me").status == 200
    assert reader.get(f"/circles/{circle.id}").status == 200
    assert standby.asked == 1


@pytest.mark.parametrize("path", ["tags", "columns", "questions", "on-this-day", "gems"])
def test_so_is_the_archive(standby: WithStandby, world: World, path: str) -> None:
    circle = world.circle()

    assert world.member(circle).api.get(f"/circles/{circle.id}/{path}").status == 200
    assert standby.asked == 1


def test_and_a_search(standby: WithStandby, world: World) -> None:
    circle = world.circle()

    found = world.member(circle).api.get(f"/search?q=晨间&circle_id={circle.id}")

    assert found.status == 200
    assert standby.asked == 1


def test_who_wrote_reads_from_the_primary_for_a_while(standby: WithStandby, world: World, clock: ManualClock) -> None:
    circle = world.circle()
    writer, other = world.member(circle).api, world.member(circle).api
    assert writer.post(f"/circles/{circle.id}/posts", {"kind": "talk", "body": "早"}).status == 201

    clock.set(START + timedelta(seconds=9))
    assert len(writer.get(f"/circles/{circle.id}/posts").json["items"]) == 1
    assert standby.asked == 0
    other.get(f"/circles/{circle.id}/posts")
    assert standby.asked == 1

    clock.set(START + timedelta(seconds=11))
    writer.get(f"/circles/{circle.id}/posts")
    assert standby.asked == 2


def test_so_does_a_script_with_a_token(standby: WithStandby, world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    made = member.api.post("/me/tokens", {"name": "脚本", "scopes": ["read", "write"]})
    script = Api(member.app, made.json["token"])
    assert script.post(f"/circles/{circle.id}/posts", {"kind": "talk", "body": "早"}).status == 201

    assert len(script.get(f"/circles/{circle.id}/posts").json["items"]) == 1

    assert standby.asked == 0


def test_without_the_standby_the_primary_answers(standby: WithStandby, world: World) -> None:
    circle = world.circle()
    standby.away = True

    assert world.member(circle).api.get(f"/circles/{circle.id}/posts").status == 200
    assert standby.asked == 1


def test_what_the_standby_shows_is_known_from_what_the_primary_had_written() -> None:
    progress = Progress()
    progress.wrote(10.0, 100)
    progress.wrote(10.2, 200)
    progress.wrote(10.4, 300)

    progress.applied(250)
    assert progress.shows_until == 10.2
    progress.applied(90)  # another server behind the same name: what was seen, was seen
    assert progress.shows_until == 10.2
    progress.applied(300)
    assert progress.shows_until == 10.4


def test_a_server_that_is_no_standby_or_none_at_all_is_left_out(
    app_with: Callable[..., Flask], settings: Settings
) -> None:
    nobody = "postgresql+psycopg://circle@127.0.0.1:1/circle"
    for address in (settings.database_url, nobody):
        with app_with(read_database_url=address).app_context():
            connections = PooledConnections()
            standby = connections.standby

            assert [standby(lambda driver: driver.execute("SELECT 1").fetchall()) for _ in range(3)] == [None] * 3
            assert "standby" in str(standby_keeps_up(app_with().extensions["circle"].units))
            close_connections()
