"""What follows a charge that did not go through: tries, grace, the end; and what brings it back."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.client import World

END_OF_TERM = "2026-04-01T04:00:00Z"
EIGHT_DAYS = timedelta(days=8)


def days_of_tries(renewal: Any) -> list[str]:
    return [one["created_at"][8:10] for one in renewal["attempts"]]


def test_a_soft_decline_is_tried_again_four_times_and_then_given_up(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_soft")

    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    assert world.subscription(member)["status"] == "past_due"
    assert world.membership(member, circle)["access_until"] == "2026-04-04T04:00:00Z"
    world.live_for(clock, days=3)
    assert world.membership(member, circle)["status"] == "expired"
    world.live_for(clock, days=6)

    [renewal] = world.renewals(member)
    assert days_of_tries(renewal) == ["01", "02", "04", "06", "08"]
    assert renewal["status"] == "uncollectible"
    assert world.subscription(member)["status"] == "canceled"
    told = ("renewal_coming", "renewal_failed", "grace_ending", "payment_method_failed", "subscription_ended")
    assert [len(world.notices(member, kind)) for kind in told] == [1, 1, 1, 1, 1]


def test_a_hard_decline_is_not_tried_again_until_the_card_changes(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_hard")

    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    world.live_for(clock, days=2)
    assert days_of_tries(world.renewals(member)[0]) == ["01"]
    world.change_card(member, "ok")
    world.run_renewals()

    subscription = world.subscription(member)
    assert (subscription["status"], subscription["current_period_end"]) == ("active", "2026-05-01T04:00:00Z")
    assert days_of_tries(world.renewals(member)[0]) == ["01", "03"]


def test_a_charge_that_needs_its_payer_waits_for_them(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="needs_auth")
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    world.live_for(clock, days=2)
    assert days_of_tries(world.renewals(member)[0]) == ["01"]

    checkout = world.steer(member, "renew").ok()["checkout"]
    assert world.pay(member, checkout, "ok")["status"] == "succeeded"

    assert world.subscription(member)["current_period_end"] == "2026-05-01T04:00:00Z"


def test_an_overdue_renewal_is_paid_by_hand_between_two_tries(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_soft")
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)

    world.pay(member, world.steer(member, "renew").ok()["checkout"], "ok")
    world.change_card(member, "decline_soft")
    world.live_for(clock, days=8)

    [renewal] = world.renewals(member)
    assert (renewal["status"], days_of_tries(renewal)) == ("paid", ["01", "01"])
    assert world.membership(member, circle)["access_until"] == "2026-05-01T04:00:00Z"


def test_paying_after_the_grace_starts_the_term_at_the_payment(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_hard")
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    world.live_for(clock, days=5)

    world.change_card(member, "ok")
    world.run_renewals()

    subscription = world.subscription(member)
    assert subscription["current_period_start"] == "2026-04-06T04:00:00Z"
    assert subscription["current_period_end"] == "2026-05-06T04:00:00Z"


def test_a_method_chosen_for_the_subscription_is_tried_at_once(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle(), way="decline_hard")
    path = f"/subscriptions/{member.extra['subscription_id']}/payment-method"
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    stranger = world.person()

    assert member.api.put(path, {"payment_method": world.method(stranger)}).code == "unknown_payment_method"
    member.api.put(path, {"payment_method": world.method(member)}).ok(200)
    world.run_renewals()

    assert world.subscription(member)["status"] == "active"


def test_somebody_given_up_may_come_back_by_paying(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_hard")
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    world.live_for(clock, days=9, every=timedelta(days=3))
    assert world.subscription(member)["status"] == "canceled"

    renewing = world.steer(member, "renew").ok()
    assert renewing["status"] == "incomplete"
    world.pay(member, renewing["checkout"])

    assert world.subscription(member)["status"] == "active"
    assert world.membership(member, circle)["access_until"] == "2026-05-10T04:00:00Z"


def test_a_return_that_is_not_paid_ends_again(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle(), collection="manual")
    world.live_until(clock, "2026-04-10T04:00:00Z", every=EIGHT_DAYS)
    world.steer(member, "renew").ok()

    clock.advance(timedelta(minutes=31))
    world.run_billing("expire_checkouts")

    assert world.subscription(member)["status"] == "expired"
    assert [one["status"] for one in world.renewals(member)] == ["void", "void"]


@pytest.mark.parametrize("way", ["decline_soft", "decline_hard", "needs_auth"])
def test_leaving_while_overdue_ends_everything(world: World, clock: ManualClock, way: str) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way=way)
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)

    member.api.post(f"{circle.path}/leave").ok()
    world.live_for(clock, days=2)

    assert world.renewals(member)[0]["status"] == "void"
    assert days_of_tries(world.renewals(member)[0]) == ["01"]
