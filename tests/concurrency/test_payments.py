"""Races for money: two clicks, two workers, two refunds, two people and one seat."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from circle import jobs
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.billing import idempotency_key
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Api, Reply, World
from tests.concurrency.conftest import Race


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    assert world.broken_rules() == []


def count(units: Units, sql: str, **params: Any) -> int:
    with units.read() as uow:
        return int(uow.session.scalar(text(sql), params) or 0)


def charges_of(units: Units, checkout: Any) -> int:
    """How often the sandbox took the money of a checkout."""
    return count(
        units,
        "SELECT count(*) FROM sandbox_charges s JOIN payment_attempts a ON a.number = s.number"
        " WHERE a.invoice_id = :invoice AND s.state = 'succeeded'",
        invoice=checkout["invoice_id"],
    )


def pay(person: Person, checkout: Any, method: str, headers: dict[str, str]) -> Reply:
    return person.api.post(f"/checkouts/{checkout['id']}/pay", {"payment_method": method}, headers=headers)


def statuses(replies: list[Reply]) -> set[int]:
    return {reply.status for reply in replies}


@pytest.mark.parametrize("way", ["ok", "lost_answer", "pending_then_ok"])
def test_many_clicks_charge_once(world: World, units: Units, race: Race, clock: ManualClock, way: str) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    method = world.method(person, way)

    replies = race.many(8, lambda _: pay(person, checkout, method, idempotency_key()))
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    assert statuses(replies) == {200}
    assert charges_of(units, checkout) == 1
    assert len(world.invoice(person, checkout["invoice_id"])["attempts"]) == 1
    assert world.membership(person, circle)["status"] == "active"


def test_one_key_sent_many_times_is_one_payment(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    method, key = world.method(person), idempotency_key()

    replies = race.many(8, lambda _: pay(person, checkout, method, key))

    assert statuses(replies) <= {200, 409}
    assert {reply.code for reply in replies} <= {None, "idempotency_key_in_use"}
    assert charges_of(units, checkout) == 1


def test_joining_many_times_at_once_opens_one_checkout(world: World, race: Race) -> None:
    circle = world.circle()
    person = world.person()

    joined = race.many(8, lambda _: world.join(person, circle))

    assert len({one["checkout"]["id"] for one in joined}) == 1


def test_the_last_seats_are_sold_once(world: World, race: Race) -> None:
    circle = world.circle(tiers=())
    tier = circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=2)
    people = [world.person() for _ in range(8)]
    sent = {"price_id": str(tier.price_id), "collection": "manual"}

    replies = race.many(8, lambda n: people[n].api.post(f"{circle.path}/join", sent))

    won = [person for person, reply in zip(people, replies, strict=True) if reply.status == 201]
    assert len(won) == 2
    assert {reply.code for reply in replies} == {None, "seats_taken"}
    race.many(2, lambda n: world.pay(won[n], world.checkout(won[n], circle, tier)))
    assert {world.membership(person, circle)["status"] for person in won} == {"active"}


def test_twenty_deliveries_of_one_event_are_one_payment(
    world: World, units: Units, race: Race, api: Api, clock: ManualClock
) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "slow")
    number = world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]
    clock.advance(timedelta(minutes=1))
    event = f"evt_{number}"
    headers, body = world.sandbox.sealed({"id": event, "kind": "charge", "number": number}, clock.now())

    replies = race.many(20, lambda _: api.request("POST", "/webhooks/sandbox", headers=headers, data=body))
    race.many(4, lambda _: jobs.load_job("billing.inbox").run(units))

    assert statuses(replies) == {200}
    assert count(units, "SELECT count(*) FROM provider_events WHERE event_id = :event", event=event) == 1
    assert world.invoice(person, checkout["invoice_id"])["status"] == "paid"


def test_workers_side_by_side_settle_each_payment_once(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    circle = world.circle()
    checkouts = []
    for way in ("lost_request", "lost_answer", "slow", "pending_then_ok") * 3:
        person = world.person()
        checkouts.append(world.checkout(person, circle))
        world.pay(person, checkouts[-1], way)
    clock.advance(timedelta(minutes=3))

    race.run(*[lambda name=name: jobs.load_job(f"billing.{name}").run(units) for name in ("resolve", "sandbox") * 3])
    race.many(3, lambda _: jobs.load_job("billing.inbox").run(units))

    assert {charges_of(units, checkout) for checkout in checkouts} == {1}


def test_refunds_in_parts_never_exceed_the_payment(world: World, race: Race) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    replies = race.many(10, lambda _: world.refund(circle.owner, invoice_id, amount=300))

    assert [reply.status for reply in replies].count(201) == 6
    assert {reply.code for reply in replies} == {None, "refund_too_large"}
    assert world.invoice(member, invoice_id)["refunded"]["amount"] == 1800


def test_payer_and_creator_refund_at_once(world: World, race: Race) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    replies = race.run(
        *[lambda: world.refund(member, invoice_id)] * 3, *[lambda: world.refund(circle.owner, invoice_id)] * 3
    )

    assert [reply.status for reply in replies].count(201) == 1
    assert world.invoice(member, invoice_id)["refunded"]["amount"] == 1900


def test_a_release_and_a_refund_at_once(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    members = [world.paying_member(circle) for _ in range(4)]
    clock.advance(timedelta(hours=73))

    race.run(
        *[lambda member=member: world.refund(circle.owner, member.extra["invoice_id"]) for member in members],
        *[lambda: jobs.load_job("billing.release").run(units)] * 2,
    )
    jobs.load_job("billing.release").run(units)

    balance = circle.owner.api.get(f"{circle.path}/balance").ok()
    assert (balance["pending"]["amount"], balance["available"]["amount"]) == (0, 0)


@pytest.mark.parametrize("way", ["ok", "lost_answer"])
def test_paying_and_cancelling_at_once_ends_paid_or_refunded(
    world: World, units: Units, race: Race, clock: ManualClock, way: str
) -> None:
    circle = world.circle()
    for _ in range(5):
        person = world.person()
        checkout = world.checkout(person, circle)
        method = world.method(person, way)
        cancel = f"/subscriptions/{checkout['subscription_id']}/cancel"

        race.run(
            lambda: pay(person, checkout, method, idempotency_key()),  # noqa: B023 - called at once
            lambda: person.api.post(cancel),  # noqa: B023
        )
        settle(world, clock)

        assert kept(units, checkout) == (world.membership(person, circle)["status"] == "active")


def test_paying_and_expiring_at_once_ends_paid_or_void(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "slow")
    clock.advance(timedelta(minutes=31))

    race.run(*[lambda name=name: jobs.load_job(f"billing.{name}").run(units) for name in NAMES * 2])
    settle(world, clock)

    assert kept(units, checkout)
    assert world.membership(person, circle)["status"] == "active"


def test_a_removal_and_a_payment_at_once(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    for _ in range(5):
        person, checkout, method = about_to_pay(world, circle)
        remove = f"{circle.path}/members/{person.id}/remove"

        race.run(
            lambda: pay(person, checkout, method, idempotency_key()),  # noqa: B023 - called at once
            lambda: circle.owner.api.post(remove, {"refund": True}),  # noqa: B023
        )
        settle(world, clock)

        assert kept(units, checkout) == (world.membership(person, circle)["status"] == "active")


NAMES = ("resolve", "expire_checkouts", "sandbox", "inbox")


def about_to_pay(world: World, circle: BuiltCircle) -> tuple[Person, Any, str]:
    person = world.person()
    return person, world.checkout(person, circle), world.method(person)


def settle(world: World, clock: ManualClock) -> None:
    """Let everything under way come to its end."""
    for _ in range(2):
        clock.advance(timedelta(minutes=3))
        world.run_billing("resolve", "sandbox", "inbox", "refund")


def kept(units: Units, checkout: Any) -> bool:
    """Whether the money of a checkout stayed: taken, and not given back."""
    taken = charges_of(units, checkout)
    given_back = count(
        units,
        "SELECT count(*) FROM refunds WHERE invoice_id = :invoice AND status = 'succeeded'",
        invoice=checkout["invoice_id"],
    )
    assert given_back <= taken <= 1
    return taken == 1 and given_back == 0
