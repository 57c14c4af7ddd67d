"""The breaker: what breaks a rule is not sent, nothing else is charged unasked, and an operator releases it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from circle.billing import renewal_steps
from circle.billing.errors import BillingStopped
from circle.billing.oversight import breaker_is_closed
from circle.billing.services import breaker
from circle.config import Settings
from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World
from tests.conftest import START

PRICE = 1900


@pytest.fixture
def circle(world: World) -> BuiltCircle:
    return world.circle()


@pytest.fixture
def usual(world: World, settings: Settings) -> Iterator[Callable[[int], None]]:
    """Call to say how many automatic charges a day are usual."""
    before = world.units.adapters

    def set_usual(charges: int) -> None:
        world.units.adapters = {**before, Settings: replace(settings, usual_charges=charges)}

    yield set_usual
    world.units.adapters = before


def until_due(world: World, clock: ManualClock) -> None:
    """Let a month pass: the renewals are announced, and planned to be charged now."""
    clock.set(START + timedelta(days=24, minutes=1))
    world.run_billing("bill")
    clock.set(START + timedelta(days=31, minutes=5))
    world.run_billing("bill")


def paid(world: World, *members: Person) -> int:
    """How many of them have paid their renewal."""
    return sum(one["status"] == "paid" for member in members for one in world.renewals(member))


def trips(sql: Any) -> list[str]:
    return [row["rule"] for row in sql("SELECT rule FROM breaker_trips WHERE released_at IS NULL ORDER BY rule")]


def release(world: World) -> list[str]:
    with world.units.write() as uow:
        return breaker.release(uow)


def test_an_amount_above_the_price_is_not_charged(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    member, other = world.subscriber(circle), world.subscriber(circle)
    until_due(world, clock)
    (renewal,) = world.renewals(member)
    wrong = {"amount": PRICE + 1, "id": renewal["id"]}
    sql("UPDATE invoices SET amount = :amount WHERE id = :id", **wrong)
    sql("UPDATE payment_attempts SET amount = :amount WHERE invoice_id = :id", **wrong)

    world.run_billing("charge")

    [number] = [
        row["number"] for row in sql("SELECT number FROM payment_attempts WHERE invoice_id = :id", id=wrong["id"])
    ]
    assert paid(world, member, other) == 0, "not even those of the batch that are right"
    assert trips(sql) == ["too_much"]
    assert f"to be charged, {number} (too_much). Look, then run `circle billing release-breaker`" in (
        breaker_is_closed(world.units) or ""
    )
    assert sql("SELECT tries FROM payment_attempts WHERE status = 'created'") == [{"tries": 0}] * 2
    assert [row["action"] for row in sql("SELECT action FROM audit_log WHERE action LIKE 'breaker%'")] == [
        "breaker.trip"
    ]


def test_a_third_charge_for_one_period_is_not_sent(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    member = world.subscriber(circle)
    until_due(world, clock)
    (renewal,) = world.renewals(member)
    for number in ("first", "second"):
        sql(
            "INSERT INTO payment_attempts (id, number, invoice_id, provider, method_reference, on_session, amount,"
            " currency, status, tries, received, received_currency, surplus, created_at, settled_at)"
            " SELECT uuid_v7(), :number, id, 'elsewhere', 'ok', false, amount, currency, 'succeeded', 1, 0, currency,"
            " true, created_at, created_at FROM invoices WHERE id = :id",
            number=number,
            id=renewal["id"],
        )

    world.run_billing("charge")

    assert (paid(world, member), trips(sql)) == (0, ["too_often"])


def test_dunning_is_not_too_often(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    member = world.subscriber(circle, way="decline_soft")

    world.live_until(clock, "2026-04-10T05:00:00Z")

    (renewal,) = world.renewals(member)
    assert len(renewal["attempts"]) > breaker.MOST_CHARGES
    assert trips(sql) == []


def test_three_times_the_usual_volume_stops_within_one_batch(
    world: World,
    circle: BuiltCircle,
    clock: ManualClock,
    sql: Any,
    usual: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual(1)
    monkeypatch.setattr(renewal_steps, "BATCH", 2)
    members = [world.subscriber(circle) for _ in range(6)]
    until_due(world, clock)

    for _ in range(4):
        world.run_billing("charge")

    assert trips(sql) == ["too_many"]
    assert paid(world, *members) == 2, "the batch that would have been the fourth charge was not sent"
    assert release(world) == ["too_many"]
    world.run_billing("charge")
    assert paid(world, *members) == 6, "what was released is usual from then on"
    assert trips(sql) == []


def test_the_busiest_day_of_the_year_is_usual(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any, usual: Callable[[int], None]
) -> None:
    usual(1)
    members = [world.subscriber(circle) for _ in range(6)]
    clock.advance(timedelta(days=1, hours=6))
    world.run_billing("reconcile")
    assert sql("SELECT unasked, paid FROM charge_days") == [{"unasked": 0, "paid": 6}]

    until_due(world, clock)
    world.run_billing("charge")

    assert (paid(world, *members), trips(sql)) == (6, [])


def test_who_pays_at_a_checkout_is_not_stopped(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    stop(sql)
    with world.units.read() as uow, pytest.raises(BillingStopped):
        breaker.require_closed(uow)

    member = world.paying_member(circle)

    assert world.membership(member, circle)["status"] == "active"
    world.refund(member, member.extra["invoice_id"]).ok(201)


def stop(sql: Any) -> None:
    sql("INSERT INTO breaker_trips (id, rule, detail, tripped_at) VALUES (uuid_v7(), 'too_much', '{}', now())")


def test_what_is_under_way_is_asked_about_and_not_sent_again(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    lost, answered = world.subscriber(circle, way="lost_request"), world.subscriber(circle, way="lost_answer")
    until_due(world, clock)
    world.run_billing("charge")
    stop(sql)

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    assert (paid(world, lost), paid(world, answered)) == (0, 1)

    release(world)
    clock.advance(timedelta(minutes=5))
    world.run_billing("resolve")
    assert paid(world, lost) == 1


def test_a_closed_breaker_is_released_without_a_word(world: World, sql: Any) -> None:
    assert release(world) == []
    assert sql("SELECT 1 FROM audit_log WHERE action = 'breaker.release'") == []


def test_after_a_restore_nobody_is_charged_unasked_until_an_operator_has_compared_the_books(
    world: World, clock: ManualClock, circle: BuiltCircle, sql: Any
) -> None:
    member = world.subscriber(circle)
    until_due(world, clock)
    with world.units.write() as uow:
        breaker.stop_after_restore(uow)
        breaker.stop_after_restore(uow)

    world.run_billing("charge")
    stopped = paid(world, member)
    assert trips(sql) == ["restored"]
    assert release(world) == ["restored"]
    world.run_billing("charge")

    assert (stopped, paid(world, member)) == (0, 1)
