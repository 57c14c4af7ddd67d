"""Cancelling at every state that a subscription may have: whatever it was, nobody is charged afterwards."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from circle.billing.states import SubscriptionStatus
from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

_S = SubscriptionStatus
EIGHT_DAYS = timedelta(days=8)
# What a person may still pay is paid by nobody but them; what charges by itself has had its last chance by then.
LONG_AFTER = timedelta(days=64)


def incomplete(world: World, _clock: ManualClock, circle: BuiltCircle) -> Person:
    person = world.person()
    person.extra["subscription_id"] = world.checkout(person, circle)["subscription_id"]
    return person


def trialing(world: World, _clock: ManualClock, circle: BuiltCircle) -> Person:
    person = world.person()
    world.method(person)
    price = world.price(circle, circle.tier(1), 2900, trial_days=14)
    joined = person.api.post(f"{circle.path}/join", {"price_id": price, "collection": "auto"}).ok(201)
    person.extra["subscription_id"] = joined["subscription"]["id"]
    return person


def active(world: World, _clock: ManualClock, circle: BuiltCircle) -> Person:
    return world.subscriber(circle)


def past_due(world: World, clock: ManualClock, circle: BuiltCircle) -> Person:
    member = world.subscriber(circle, way="decline_soft")
    world.live_until(clock, "2026-04-01T04:00:00Z", every=EIGHT_DAYS)
    return member


def paused(world: World, _clock: ManualClock, circle: BuiltCircle) -> Person:
    member = world.subscriber(circle)
    world.steer(member, "pause").ok(200)
    return member


def canceled(world: World, clock: ManualClock, circle: BuiltCircle) -> Person:
    member = past_due(world, clock, circle)
    world.steer(member, "cancel").ok(200)
    return member


def expired(world: World, clock: ManualClock, circle: BuiltCircle) -> Person:
    member = world.subscriber(circle, collection="manual")
    world.live_until(clock, "2026-04-20T04:00:00Z", every=EIGHT_DAYS)
    return member


SITUATIONS: dict[SubscriptionStatus, Callable[[World, ManualClock, BuiltCircle], Person]] = {
    _S.INCOMPLETE: incomplete,
    _S.TRIALING: trialing,
    _S.ACTIVE: active,
    _S.PAST_DUE: past_due,
    _S.PAUSED: paused,
    _S.CANCELED: canceled,
    _S.EXPIRED: expired,
}


def charged(sql: Any) -> int:
    return int(sql("SELECT count(*) AS n FROM sandbox_charges WHERE state = 'succeeded'")[0]["n"])


@pytest.mark.parametrize("state", SubscriptionStatus)
def test_cancelling_at_every_state_charges_nobody_afterwards(
    world: World, clock: ManualClock, sql: Any, state: SubscriptionStatus
) -> None:
    member = SITUATIONS[state](world, clock, world.circle())
    before = charged(sql)
    assert world.subscription(member)["status"] == state

    reply = world.steer(member, "cancel")
    assert (reply.status, reply.code) == ((409, "wrong_state") if state == _S.EXPIRED else (200, None))
    # Whoever has a good card again is not charged by it either.
    world.method(member)
    world.live_until(clock, clock.now() + LONG_AFTER, every=EIGHT_DAYS)
    world.run_billing("expire_checkouts")

    world.log_in(member)
    assert world.subscription(member)["status"] == (_S.EXPIRED if state == _S.EXPIRED else _S.CANCELED)
    assert charged(sql) == before
