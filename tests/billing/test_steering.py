"""Cancelling, pausing, resuming: nobody is charged afterwards, and what is paid stays."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.client import World

DAY_OF_NOTICE = "2026-03-24T04:00:00Z"
END_OF_TERM = "2026-04-01T04:00:00Z"
EIGHT_DAYS = timedelta(days=8)


def charges(sql: Any) -> int:
    """How often the sandbox kept somebody's money."""
    return len(
        sql(
            "SELECT 1 FROM sandbox_charges c WHERE state = 'succeeded'"
            " AND NOT EXISTS (SELECT 1 FROM sandbox_refunds r WHERE r.charge_number = c.number)"
        )
    )


def test_a_cancelled_member_is_not_charged(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, DAY_OF_NOTICE, every=EIGHT_DAYS)

    cancelled = world.steer(member, "cancel").ok(200)
    assert (cancelled["status"], cancelled["cancel_at_period_end"], cancelled["renewal"]) == ("active", True, None)
    world.live_until(clock, "2026-04-20T04:00:00Z", every=EIGHT_DAYS)

    assert [one["status"] for one in world.renewals(member)] == ["void"]
    assert world.subscription(member)["status"] == "canceled"
    assert world.membership(member, circle)["status"] == "expired"
    assert charges(sql) == 1


@pytest.mark.parametrize("way", ["slow", "lost_answer", "pending_then_ok", "lost_request"])
def test_cancelling_while_a_charge_is_under_way_brings_the_money_back(
    world: World, clock: ManualClock, sql: Any, way: str
) -> None:
    member = world.subscriber(world.circle(), way=way)
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    assert world.renewals(member)[0]["attempts"][0]["status"] == "processing"

    world.steer(member, "cancel").ok()
    for _ in range(4):
        world.live_for(clock, minutes=5)

    assert world.renewals(member)[0]["status"] == "void"
    assert world.subscription(member)["status"] == "canceled"
    assert charges(sql) == 1


def test_cancelling_what_is_overdue_ends_it_at_once(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_soft")
    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)

    assert world.steer(member, "cancel").ok()["status"] == "canceled"

    assert world.membership(member, circle)["status"] == "expired"
    world.live_for(clock, days=3)
    assert len(world.renewals(member)[0]["attempts"]) == 1


def test_a_cancellation_taken_back_renews_on_the_announced_day(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle())
    world.live_until(clock, "2026-03-28T04:00:00Z", every=EIGHT_DAYS)
    world.steer(member, "cancel").ok()

    world.steer(member, "uncancel").ok()
    world.live_until(clock, END_OF_TERM, every=timedelta(days=2))

    assert [one["status"] for one in world.renewals(member)] == ["void", "paid"]
    assert len(world.notices(member, "renewal_coming")) == 1
    assert world.subscription(member)["current_period_end"] == "2026-05-01T04:00:00Z"


@pytest.mark.parametrize("verb", ["cancel", "uncancel", "pause", "resume", "renew"])
def test_only_its_member_steers_a_subscription(world: World, verb: str) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    path = f"/subscriptions/{member.extra['subscription_id']}/{verb}"

    assert world.person().api.post(path).status == 404
    refused = circle.owner.api.post(path)

    assert (refused.status, refused.code) == (403, "not_your_subscription")
    assert world.subscription(member)["status"] == "active"


def test_a_paused_subscription_is_not_charged_and_keeps_its_term(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, DAY_OF_NOTICE, every=EIGHT_DAYS)

    assert world.steer(member, "pause").ok()["status"] == "paused"
    assert world.steer(member, "pause").ok()["status"] == "paused"
    assert world.membership(member, circle)["access_until"] == END_OF_TERM
    world.live_until(clock, "2026-04-20T04:00:00Z", every=EIGHT_DAYS)

    assert world.subscription(member)["status"] == "paused"
    assert world.membership(member, circle)["status"] == "expired"
    assert charges(sql) == 1


def test_a_subscription_resumed_before_its_end_goes_on(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle())
    world.live_until(clock, DAY_OF_NOTICE, every=EIGHT_DAYS)
    world.steer(member, "pause").ok()
    clock.advance(timedelta(days=2))

    assert world.steer(member, "resume").ok()["status"] == "active"
    world.live_until(clock, END_OF_TERM, every=timedelta(days=2))

    assert world.subscription(member)["current_period_end"] == "2026-05-01T04:00:00Z"


def test_a_subscription_resumed_after_its_end_is_renewed_by_paying(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.steer(member, "pause").ok()
    world.live_for(clock, days=40, every=timedelta(days=20))

    assert world.steer(member, "resume").code == "wrong_state"
    world.pay(member, world.steer(member, "renew").ok()["checkout"])

    subscription = world.subscription(member)
    assert (subscription["status"], subscription["paused_at"]) == ("active", None)
    assert world.membership(member, circle)["access_until"] == "2026-05-10T04:00:00Z"


def test_a_paused_subscription_can_be_cancelled(world: World) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.steer(member, "pause").ok()

    assert world.steer(member, "cancel").ok()["status"] == "canceled"

    assert world.membership(member, circle)["access_until"] == END_OF_TERM
    assert world.steer(member, "renew").code == "wrong_state"  # its term still runs: join or wait


def test_a_member_chooses_to_pay_by_themselves(world: World, clock: ManualClock, sql: Any) -> None:
    member = world.subscriber(world.circle())
    world.live_until(clock, DAY_OF_NOTICE, every=EIGHT_DAYS)
    path = f"/subscriptions/{member.extra['subscription_id']}/collection"

    assert member.api.put(path, {"collection": "manual"}).ok()["collection"] == "manual"
    world.live_until(clock, "2026-04-02T04:00:00Z", every=EIGHT_DAYS)

    assert world.subscription(member)["status"] == "past_due"
    assert charges(sql) == 1


@pytest.mark.parametrize("verb", ["pause", "resume", "uncancel"])
def test_what_has_ended_is_not_steered(world: World, verb: str) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    person.extra["subscription_id"] = checkout["subscription_id"]
    world.steer(person, "cancel").ok()

    assert world.steer(person, verb).code == "wrong_state"
