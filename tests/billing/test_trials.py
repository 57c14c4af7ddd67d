"""Trials that convert, and those that don't."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World


def with_trial(world: World, days: int = 14) -> BuiltCircle:
    circle = world.circle(tiers=())
    circle.tiers["读者"] = world.tier(circle, "读者", 1, 1900, trial_days=days)
    return circle


def trying(world: World, circle: BuiltCircle, *, collection: str = "auto", way: str | None = "ok") -> Person:
    """Somebody in a trial, with a payment method or without."""
    person = world.person()
    if way is not None:
        person.extra["method_id"] = world.method(person, way)
    person.extra["subscription_id"] = world.join(person, circle, collection=collection)["subscription"]["id"]
    return person


def test_a_trial_converts_after_a_notice(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    person = trying(world, circle)

    world.live_until(clock, "2026-03-15T04:00:00Z", every=timedelta(days=2))

    subscription = world.subscription(person)
    assert (subscription["status"], subscription["current_period_end"]) == ("active", "2026-04-15T04:00:00Z")
    assert len(world.notices(person, "renewal_coming")) == 1
    assert [(one["status"], one["amount"]["amount"]) for one in world.renewals(person)] == [("paid", 1900)]


def test_a_trial_shorter_than_the_notice_is_charged_when_the_notice_is_over(world: World, clock: ManualClock) -> None:
    circle = with_trial(world, days=3)
    person = trying(world, circle)
    world.run_renewals()

    world.live_until(clock, "2026-03-08T04:00:00Z")

    assert world.subscription(person)["current_period_end"] == "2026-04-08T04:00:00Z"
    assert world.membership(person, circle)["status"] == "active"


def test_a_trial_without_a_payment_method_ends(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    person = trying(world, circle, way=None)

    world.live_until(clock, "2026-03-15T04:00:00Z", every=timedelta(days=7))

    assert world.subscription(person)["status"] == "expired"
    assert world.membership(person, circle)["status"] == "expired"
    assert world.renewals(person) == []


def test_a_method_added_during_the_trial_is_charged_at_its_end(world: World, clock: ManualClock) -> None:
    person = trying(world, with_trial(world), way=None)
    clock.advance(timedelta(days=1))
    world.method(person)

    world.live_until(clock, "2026-03-15T04:00:00Z", every=timedelta(days=2))

    assert world.subscription(person)["status"] == "active"


def test_a_manual_trial_ends_unless_it_is_paid(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    paying, leaving = trying(world, circle, collection="manual"), trying(world, circle, collection="manual")

    world.pay(paying, world.steer(paying, "renew").ok()["checkout"])
    world.live_until(clock, "2026-03-15T04:00:00Z", every=timedelta(days=7))

    assert world.subscription(paying)["current_period_end"] == "2026-04-15T04:00:00Z"
    assert world.subscription(leaving)["status"] == "expired"


def test_a_cancelled_trial_is_not_charged(world: World, clock: ManualClock, sql: Any) -> None:
    person = trying(world, with_trial(world))
    world.live_until(clock, "2026-03-10T04:00:00Z", every=timedelta(days=9))
    world.steer(person, "cancel").ok()

    world.live_until(clock, "2026-03-16T04:00:00Z", every=timedelta(days=3))

    assert world.subscription(person)["status"] == "canceled"
    assert sql("SELECT 1 FROM sandbox_charges") == []


def test_trial_abuse_gains_one_trial_and_one_grace(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    person = trying(world, circle, way="decline_hard")
    world.live_until(clock, "2026-03-24T04:00:00Z", every=timedelta(days=3))
    assert world.subscription(person)["status"] == "canceled"
    assert world.membership(person, circle)["status"] == "expired"

    again = world.join(person, circle, collection="auto")

    assert again["subscription"]["status"] == "incomplete"
    assert again["checkout"]["amount"]["amount"] == 1900
