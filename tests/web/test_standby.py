"""Reads that may be a second old go to a standby; who somebody is, and what they just wrote, never does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, NullPool, create_engine

from circle.accounts.services.sessions import note_wrote
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Rows
from circle.web.standby import Progress, Standby
from tests.client import Api, World
from tests.conftest import START, OneConnection

Ask = Callable[[psycopg.Connection[Any]], Rows]


class Stand:
    """A standby that shows the same as the primary, or is away; it counts what it is asked."""

    asked = 0
    away = False


@pytest.fixture
def standby(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand()

    def ask(at: OneConnection, ask: Ask) -> Rows | None:
        stand.asked += 1
        if stand.away:
            return None
        with at.reader() as driver:
            return ask(driver)

    monkeypatch.setattr(OneConnection, "standby", ask)
    # As where READ_DATABASE_URL is set.
    monkeypatch.setitem(app.extensions, "circle", replace(app.extensions["circle"], wrote=note_wrote))
    return stand


def test_a_feed_is_asked_of_the_standby_and_who_asks_is_not(standby: Stand, world: World) -> None:
    circle = world.circle()
    reader = world.member(circle).api

    assert reader.get(f"/circles/{circle.id}/posts").status == 200
    assert standby.asked == 1
    assert reader.get("/me").status == 200
    assert reader.get(f"/circles/{circle.id}").status == 200
    assert standby.asked == 1


@pytest.mark.parametrize("path", ["tags", "columns", "questions", "on-this-day", "gems"])
def test_so_is_the_archive(standby: Stand, world: World, path: str) -> None:
    circle = world.circle()

    assert world.member(circle).api.get(f"/circles/{circle.id}/{path}").status == 200
    assert standby.asked == 1


def test_and_a_search(standby: Stand, world: World) -> None:
    circle = world.circle()

    found = world.member(circle).api.get(f"/search?q=晨间&circle_id={circle.id}")

    assert found.status == 200
    assert standby.asked == 1


def test_who_wrote_reads_from_the_primary_for_a_while(standby: Stand, world: World, clock: ManualClock) -> None:
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


def test_so_does_a_script_with_a_token(standby: Stand, world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    made = member.api.post("/me/tokens", {"name": "脚本", "scopes": ["read", "write"]})
    script = Api(member.app, made.json["token"])
    assert script.post(f"/circles/{circle.id}/posts", {"kind": "talk", "body": "早"}).status == 201

    assert len(script.get(f"/circles/{circle.id}/posts").json["items"]) == 1

    assert standby.asked == 0


def test_without_the_standby_the_primary_answers(standby: Stand, world: World) -> None:
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


@pytest.fixture
def primary(database_url: str) -> Engine:
    return create_engine(database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def test_a_server_that_is_no_standby_is_left_out(primary: Engine) -> None:
    standby = Standby(primary, primary)

    assert standby.ask(lambda driver: driver.execute("SELECT 1").fetchall()) is None
    assert standby.trouble() == "it does not answer, or is no standby"
    standby.close()


def test_so_is_one_that_is_away(primary: Engine) -> None:
    nobody = create_engine("postgresql+psycopg://circle@127.0.0.1:1/circle", poolclass=NullPool)
    standby = Standby(nobody, primary)

    assert standby.ask(lambda driver: driver.execute("SELECT 1").fetchall()) is None
    assert "refused" in str(standby.trouble())
    standby.close()
