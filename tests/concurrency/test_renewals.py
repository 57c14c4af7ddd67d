"""Races for renewals: overlapping billers, chargers, a member who pays, cancels or leaves meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from circle import jobs
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.billing import idempotency_key
from tests.builders.people import Person
from tests.client import World
from tests.concurrency.conftest import Race

_BEFORE_THE_END = timedelta(days=30, hours=23)


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    world.run_renewals()
    assert world.broken_rules() == []


def run(units: Units, *names: str) -> None:
    for name in names:
        jobs.load_job(f"billing.{name}").run(units)


def kept(units: Units, person: Person) -> int:
    """How many charges for somebody's subscription the sandbox kept the money of."""
    with units.read() as uow:
        return int(
            uow.session.scalar(
                text(
                    "SELECT count(*) FROM sandbox_charges s JOIN payment_attempts a ON a.number = s.number"
                    " JOIN invoices i ON i.id = a.invoice_id"
                    " WHERE i.payer_id = :payer AND s.state = 'succeeded' AND NOT EXISTS"
                    " (SELECT FROM sandbox_refunds r WHERE r.charge_number = s.number AND r.state = 'succeeded')"
                ),
                {"payer": person.id},
            )
            or 0
        )


def announced(world: World, clock: ManualClock, people: int, **how: Any) -> list[Person]:
    """Subscribers of one circle an hour before their term ends, told of the charge."""
    circle = world.circle()
    members = [world.subscriber(circle, **how) for _ in range(people)]
    clock.advance(timedelta(days=23))
    world.run_renewals()
    clock.advance(_BEFORE_THE_END - timedelta(days=23))
    return members


def test_overlapping_billers_open_and_charge_each_renewal_once(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    circle = world.circle()
    members = [world.subscriber(circle) for _ in range(12)]
    clock.advance(timedelta(days=23))
    race.many(6, lambda _: run(units, "bill"))
    assert [len(world.renewals(one)) for one in members] == [1] * 12
    clock.advance(timedelta(days=8, minutes=5))

    race.many(6, lambda _: run(units, "bill", "charge"))
    world.run_renewals()

    assert [kept(units, one) for one in members] == [2] * 12
    assert {world.subscription(one)["status"] for one in members} == {"active"}
    assert [len(world.renewals(one)[0]["attempts"]) for one in members] == [1] * 12


def test_chargers_share_a_batch_without_charging_anybody_twice(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    members = announced(world, clock, 8)
    clock.advance(timedelta(hours=2))
    run(units, "bill")

    race.many(4, lambda _: run(units, "charge"))

    assert [kept(units, one) for one in members] == [2] * 8


def test_a_checkout_and_a_renewal_by_itself_race(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    members = announced(world, clock, 4)
    checkouts = [world.steer(one, "renew").ok()["checkout"] for one in members]
    methods = [world.method(one) for one in members]
    clock.advance(timedelta(hours=2))

    def pay(n: int) -> None:
        sent = {"payment_method": methods[n]}
        members[n].api.post(f"/checkouts/{checkouts[n]['id']}/pay", sent, headers=idempotency_key())

    race.run(
        lambda: run(units, "bill", "charge"),
        lambda: run(units, "bill", "charge"),
        *(lambda n=n: pay(n) for n in range(4)),
    )
    world.run_renewals()

    assert [kept(units, one) for one in members] == [2] * 4
    assert {one["status"] for member in members for one in world.renewals(member)} == {"paid"}


@pytest.mark.parametrize("way", ["ok", "slow", "lost_answer"])
def test_cancelling_races_the_charger(world: World, units: Units, race: Race, clock: ManualClock, way: str) -> None:
    members = announced(world, clock, 4, way=way)
    clock.advance(timedelta(hours=2))
    run(units, "bill")

    race.run(lambda: run(units, "charge"), *(lambda one=one: world.steer(one, "cancel").ok() for one in members))
    for _ in range(4):
        clock.advance(timedelta(minutes=5))
        world.run_renewals()

    for one in members:
        [renewal] = world.renewals(one)
        assert renewal["status"] in {"void", "paid"}
        assert kept(units, one) == (2 if renewal["status"] == "paid" else 1)
        assert world.subscription(one)["cancel_at_period_end"] is True


def test_leaving_races_the_biller(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    members = [world.subscriber(circle) for _ in range(6)]
    clock.advance(timedelta(days=23))

    race.run(
        lambda: run(units, "bill"),
        lambda: run(units, "bill"),
        *(lambda one=one: one.api.post(f"{circle.path}/leave").ok() for one in members),
    )
    clock.advance(timedelta(days=9))
    world.run_renewals()

    assert [kept(units, one) for one in members] == [1] * 6
    assert {world.subscription(one)["status"] for one in members} == {"canceled"}


def test_enders_and_payers_agree(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    members = [world.subscriber(circle, collection="manual") for _ in range(4)]
    clock.advance(timedelta(days=20))
    world.run_renewals()
    checkouts = [world.steer(one, "renew").ok()["checkout"] for one in members]
    clock.advance(timedelta(days=11, hours=1))

    race.run(
        lambda: run(units, "end"),
        lambda: run(units, "end"),
        *(lambda n=n: world.pay(members[n], checkouts[n]) for n in range(4)),
    )
    world.run_renewals()

    assert {world.subscription(one)["status"] for one in members} == {"active"}
    assert [kept(units, one) for one in members] == [2] * 4
