"""Renewals that a coupon makes free: no charge, no checkout, and the term goes on."""

from datetime import timedelta

import pytest

from circle.kernel.clock import ManualClock
from tests.client import World


@pytest.mark.parametrize("collection", ["auto", "manual"])
def test_a_free_renewal_is_paid_without_a_payment(world: World, clock: ManualClock, collection: str) -> None:
    circle = world.circle()
    world.coupon(circle, percent=100, duration="forever")
    member = world.person()
    joined = world.join(member, circle, collection=collection, coupon="SPRING")
    member.extra["subscription_id"] = joined["subscription"]["id"]
    world.method(member)
    clock.advance(timedelta(days=23))
    assert world.run_billing("bill") == 1

    if collection == "manual":
        assert world.steer(member, "renew").ok()["checkout"] is None
        assert world.steer(member, "renew").code == "renewed_already"
    else:
        clock.advance(timedelta(days=8))
        assert world.run_billing("bill", "charge") == 1

    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["amount"]["amount"], renewal["attempts"]) == ("paid", 0, [])
    assert world.subscription(member)["current_period_end"] == "2026-05-01T04:00:00Z"
