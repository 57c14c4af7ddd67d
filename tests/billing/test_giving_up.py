"""What is given up unpaid lets go of all that waited for it, and of nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from circle.billing.services import collecting
from circle.kernel.clock import ManualClock
from tests.client import World

UNTIL_THE_NOTICE, UNTIL_THE_CHARGE = timedelta(days=23), timedelta(days=8)
LATE = timedelta(minutes=31)


@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_a_charge_that_is_planned_is_never_sent(world: World, clock: ManualClock, sql: Any, verb: str) -> None:
    member = world.subscriber(world.circle())
    clock.advance(UNTIL_THE_NOTICE)
    world.run_billing("bill")
    clock.advance(UNTIL_THE_CHARGE)
    world.run_billing("bill")

    world.steer(member, verb).ok()
    assert world.run_billing("charge") == 0

    [planned] = sql(
        "SELECT a.status, a.failure_code, a.retry, a.settled_at, a.lease_until FROM payment_attempts a"
        " JOIN invoices i ON i.id = a.invoice_id WHERE i.kind = 'renewal'"
    )
    assert [*planned.values()] == ["failed", "closed", "never", clock.now(), None]


def test_a_subscription_that_never_began_is_canceled_by_its_member_and_expires_by_itself(
    world: World, clock: ManualClock
) -> None:
    circle, person = world.circle(), world.person()
    path = f"/subscriptions/{world.checkout(person, circle)['subscription_id']}"
    canceled = person.api.post(f"{path}/cancel").ok()
    path = f"/subscriptions/{world.checkout(person, circle)['subscription_id']}"

    clock.advance(LATE)
    assert world.run_billing("expire_checkouts") == 1

    expired = person.api.get(path).ok()
    start, end = "2026-03-01T04:00:00Z", "2026-03-01T04:31:00Z"
    assert [canceled[name] for name in ("status", "canceled_at", "ended_at")] == ["canceled", start, start]
    assert [expired[name] for name in ("status", "canceled_at", "ended_at")] == ["expired", None, end]


def test_only_the_coupon_of_what_expired_has_its_use_back(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    for code in ("GONE", "KEPT"):
        world.coupon(circle, code, max_uses=1)
        world.join(world.person(), circle, coupon=code)
        clock.advance(timedelta(minutes=15))

    clock.advance(timedelta(minutes=1))
    assert world.run_billing("expire_checkouts") == 1

    coupons = circle.owner.api.get(f"{circle.path}/coupons").ok()["items"]
    assert {one["code"]: one["uses"] for one in coupons} == {"GONE": 0, "KEPT": 1}


def test_what_is_paid_does_not_expire(world: World, clock: ManualClock) -> None:
    world.paying_member(world.circle())

    clock.advance(LATE)

    assert world.run_billing("expire_checkouts") == 0


def test_a_renewal_outlives_an_upgrade_that_nobody_paid(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    clock.advance(UNTIL_THE_NOTICE)
    world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)
    assert world.run_billing("bill") == 1

    clock.advance(LATE)
    assert world.run_billing("expire_checkouts") == 1

    assert world.subscription(member)["renewal"]["amount"]["amount"] == 1900
    assert world.run_billing("bill") == 0
    clock.advance(UNTIL_THE_CHARGE)
    world.run_billing("bill", "charge")
    assert world.renewals(member)[0]["status"] == "paid"


def test_the_seat_of_an_unpaid_upgrade_is_free_again_and_no_other(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    sql("UPDATE tiers SET seats = 1 WHERE id = ANY (:ids)", ids=[circle.tier(rank).id for rank in (1, 2)])
    member, rival = world.paying_member(circle), world.person()
    world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)
    wishes = [{"price_id": str(circle.tier(rank).price_id), "collection": "manual"} for rank in (1, 2)]
    assert [rival.api.post(f"{circle.path}/join", wish).code for wish in wishes] == ["seats_taken", "seats_taken"]

    clock.advance(LATE)
    world.run_billing("expire_checkouts")

    assert [rival.api.post(f"{circle.path}/join", wish).code for wish in wishes] == ["seats_taken", None]
    assert world.membership(member, circle)["status"] == "active"


def test_a_renewal_that_was_given_up_meanwhile_is_not_collected(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member, _usual = world.subscriber(circle), world.subscriber(circle)
    clock.advance(UNTIL_THE_NOTICE)
    world.run_billing("bill")
    member.api.delete(f"/me/payment-methods/{member.extra['method_id']}").ok(204)
    clock.advance(UNTIL_THE_CHARGE)
    with world.units.read() as uow:
        [odd] = collecting.odd_ones(uow, limit=10)
    assert str(odd) == world.renewals(member)[0]["id"], "the other has a card"
    world.steer(member, "cancel").ok()
    before = len(world.notices(member))

    with world.units.write() as uow:
        assert collecting.collect_odd(uow, [odd]) == []

    assert sql("SELECT status, charge_at IS NULL AS asked FROM invoices WHERE id = :id", id=odd) == [
        {"status": "void", "asked": False}
    ]
    assert len(world.notices(member)) == before, "nobody is told that a payment failed"


def test_a_renewal_that_nobody_collected_is_moved_at_the_end_of_its_grace(
    world: World, clock: ManualClock, sql: Any
) -> None:
    member = world.subscriber(world.circle())
    clock.advance(UNTIL_THE_NOTICE)
    world.run_billing("bill")

    clock.set(sql("SELECT covered_until FROM invoices WHERE kind = 'renewal'")[0]["covered_until"])
    world.run_billing("bill", "charge")

    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["due_at"]) == ("paid", "2026-04-04T04:00:00Z")
    assert (renewal["period_start"], renewal["period_end"]) == ("2026-04-01T04:00:00Z", "2026-05-01T04:00:00Z")
