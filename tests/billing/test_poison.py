"""One bad row does not stop the others."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.client import World


def test_a_payment_that_can_not_be_asked_about_does_not_stop_the_others(
    world: World, clock: ManualClock, sql: Any
) -> None:
    circle = world.circle()
    people = [world.person() for _ in range(3)]
    for person in people:
        world.pay(person, world.checkout(person, circle), "slow")
    sql("UPDATE payment_attempts SET provider = 'gone' WHERE id = (SELECT min(id::text)::uuid FROM payment_attempts)")

    clock.advance(timedelta(minutes=3))
    assert world.run_billing("resolve") == 3

    statuses = [world.membership(person, circle)["status"] for person in people]
    assert sorted(statuses) == ["active", "active", "pending"]
    sql("UPDATE payment_attempts SET provider = 'sandbox'")


def test_jobs_find_nothing_to_do_in_an_empty_installation(world: World) -> None:
    names = ("resolve", "inbox", "refund", "expire_checkouts", "release", "lapse", "sandbox")

    assert world.run_billing(*names) == 0
