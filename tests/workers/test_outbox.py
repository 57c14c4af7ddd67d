"""The relay: what is delivered, what is tried again, what is given up, and how that is seen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from circle import jobs, testmode
from circle.checks import outbox_is_empty_enough
from circle.kernel import outbox
from circle.kernel.clock import ManualClock
from circle.kernel.isolation import counting
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import UnitOfWork, Units
from tests.client import Api, World
from workers import housekeeping

RELAY = jobs.load_job(outbox.RELAY)
TIDY = jobs.load_job("housekeeping.tidy")
Sql = Callable[..., list[Any]]


@pytest.fixture
def poison(units: Units) -> None:
    """A message that nobody knows how to deliver."""
    with units.write() as uow:
        outbox.put(uow, key="poison", topic="nobody.knows", payload={})


def test_a_poison_message_does_not_stop_the_others(
    poison: None, world: World, api: Api, units: Units, sql: Sql
) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}).ok(204)

    assert RELAY.run(units) == 2

    assert len(api._client.get(f"/dev/mailbox.json?to={person.email}").get_json()["items"]) == 1
    [row] = sql("SELECT * FROM outbox WHERE key = 'poison'")
    assert row["delivered_at"] is None
    assert "nobody.knows" in row["error"]


def test_a_poison_message_is_seen(poison: None, app: Flask, units: Units, clock: ManualClock) -> None:
    assert outbox_is_empty_enough(units) is None
    clock.advance(timedelta(minutes=10))
    assert "waited for 600 s" in str(outbox_is_empty_enough(units))
    assert "circle_outbox_age_seconds 600.0" in app.test_client().get("/metrics").text

    for _ in range(outbox.MAX_ATTEMPTS):
        RELAY.run(units)
        clock.advance(timedelta(hours=7))

    assert "1 messages were given up" in str(outbox_is_empty_enough(units))
    assert "circle_outbox_failed 1.0" in app.test_client().get("/metrics").text
    assert RELAY.run(units) == 0


def test_a_delivered_message_keeps_no_payload(world: World, api: Api, units: Units, sql: Sql) -> None:
    api.post("/auth/codes", {"email": world.person().email, "purpose": "login"}).ok(204)

    assert (RELAY.run(units), RELAY.run(units)) == (1, 0)

    [row] = sql("SELECT payload, delivered_at FROM outbox")
    assert row["payload"] == {}
    assert row["delivered_at"] is not None


def test_a_drain_says_what_ran(world: World, api: Api) -> None:
    for _ in range(3):
        api.post("/auth/codes", {"email": world.person().email, "purpose": "login"}).ok(204)

    assert api.post("/test/drain").ok(200) == {"ran": {"outbox.relay": 3}, "rounds": 2, "left": []}
    assert api.post("/test/drain").ok(200) == {"ran": {}, "rounds": 1, "left": []}


def test_a_drain_whose_time_is_up_says_what_is_left_and_rings_for_it(
    world: World, api: Api, doorbell: SilentDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("/auth/codes", {"email": world.person().email, "purpose": "login"}).ok(204)
    doorbell.rung.clear()
    # The drain waits for nobody, begins its first round, and has no time for a second.
    moments = iter([0.0, 0.0, 0.0])
    monkeypatch.setattr(testmode, "elapsed", lambda: next(moments, testmode.DRAIN_SECONDS))

    done = api.post("/test/drain").ok(200)

    assert done == {"ran": {"outbox.relay": 1}, "rounds": 1, "left": ["outbox.relay"]}
    assert doorbell.rung == ["outbox.relay"]


def test_what_has_served_is_forgotten(
    poison: None, world: World, api: Api, units: Units, clock: ManualClock, sql: Sql
) -> None:
    person = world.person()
    api.post("/auth/codes", {"email": person.email, "purpose": "login"}, headers={"Idempotency-Key": "k"}).ok(204)
    RELAY.run(units)
    sessions = len(sql("SELECT 1 FROM sessions"))
    clock.advance(timedelta(days=400))

    # A key, a delivered message, a code, a kept letter and everybody's session; the poison waits still.
    assert TIDY.run(units) == 4 + sessions

    assert TIDY.run(units) == 0
    assert [row["key"] for row in sql("SELECT key FROM outbox")] == ["poison"]


def test_housekeeping_that_fails_keeps_no_other_from_its_turn(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_too_much(uow: UnitOfWork) -> int:
        return int(uow.session.execute(text("SELECT 1 / 0")).scalar_one())

    def forget_three(uow: UnitOfWork) -> int:
        return 3

    monkeypatch.setattr(housekeeping, "HOUSEKEEPING", (forget_too_much, forget_three))

    with counting() as set_aside:
        assert TIDY.run(units) == 3
    assert set_aside == ["housekeeping_failed"]
