"""What a dry run tells of the work that is due: the truth, and nothing of it remains."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from circle.billing.rehearsal import Rehearsal, rehearse
from circle.billing.services import breaker
from circle.config import Settings
from circle.kernel.clock import ManualClock
from tests.client import World

UNTIL_THE_NOTICE, UNTIL_THE_CHARGE = timedelta(days=23), timedelta(days=8)
BOTH = 1900 + 9900


@pytest.fixture
def moved(world: World, settings: Settings) -> Iterator[Any]:
    """Call to make the installation a copy at another address."""
    before = world.units.adapters

    def move() -> None:
        world.units.adapters = {**before, Settings: replace(settings, site_url="https://copy.example.org")}

    yield move
    world.units.adapters = before


def written(sql: Any) -> list[Any]:
    """What billing and the notices about it have written."""
    tables = ("invoices", "payment_attempts", "grants", "notifications", "outbox")
    return [sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables]  # noqa: S608 - our own words


def test_a_rehearsal_tells_what_would_be_billed_and_charged(
    world: World, clock: ManualClock, sql: Any, doorbell: Any
) -> None:
    circle = world.circle()
    for rank in (1, 2):
        world.subscriber(circle, circle.tier(rank))
    assert rehearse(world.units) == Rehearsal(0, {}, 0, {}, None)

    clock.advance(UNTIL_THE_NOTICE)
    before = written(sql)
    doorbell.rung.clear()
    for _ in range(2):
        assert rehearse(world.units) == Rehearsal(2, {"CNY": BOTH}, 0, {}, None)
    assert (written(sql), doorbell.rung) == (before, [])

    assert world.run_billing("bill") == 2
    clock.advance(UNTIL_THE_CHARGE)
    before = written(sql)
    for _ in range(2):
        assert rehearse(world.units) == Rehearsal(0, {}, 2, {"CNY": BOTH}, None)
    assert written(sql) == before
    assert world.run_billing("bill", "charge") == 4
    assert rehearse(world.units) == Rehearsal(0, {}, 0, {}, None)


def test_a_rehearsal_says_why_nothing_would_be_sent(world: World, moved: Any) -> None:
    world.paying_member(world.circle())

    with world.units.write() as uow:
        breaker.stop_after_restore(uow)
    assert rehearse(world.units).stopped == "the breaker is open"
    with world.units.write() as uow:
        breaker.release(uow)
    moved()

    assert rehearse(world.units).stopped == "this database belongs to another site"
