"""Renewing by hand, as is the norm in China: three prices, reminders, and what a lapse changes."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.client import World

END_OF_TERM = "2026-04-01T04:00:00Z"
EIGHT_DAYS = timedelta(days=8)


def three_prices(world: World) -> BuiltCircle:
    """A circle where renewing costs 80 % in advance, 90 % shortly after the end, and 100 % later."""
    circle = world.circle(tiers=())
    phases = {"advance_percent": 80, "grace_percent": 90, "later_percent": 100}
    circle.tiers["读者"] = world.tier(circle, "读者", 1, 1905, **phases)
    return circle


def test_a_renewal_opens_a_fortnight_ahead_and_nobody_is_charged(world: World, clock: ManualClock) -> None:
    member = world.subscriber(three_prices(world), collection="manual")

    world.live_until(clock, "2026-03-18T03:00:00Z", every=EIGHT_DAYS)
    assert world.renewals(member) == []
    world.live_until(clock, "2026-03-18T04:00:00Z")

    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["amount"]["amount"], renewal["due_at"]) == ("open", 1524, END_OF_TERM)
    world.live_until(clock, "2026-04-03T04:00:00Z", every=EIGHT_DAYS)
    assert world.renewals(member)[0]["attempts"] == []


@pytest.mark.parametrize(
    ("day", "amount", "ends"),
    [
        ("2026-03-20T04:00:00Z", 1524, "2026-05-01T04:00:00Z"),
        ("2026-04-03T04:00:00Z", 1715, "2026-05-03T04:00:00Z"),
        ("2026-04-20T04:00:00Z", 1905, "2026-05-20T04:00:00Z"),
    ],
)
def test_the_price_and_the_term_follow_from_the_day_of_payment(
    world: World, clock: ManualClock, day: str, amount: int, ends: str
) -> None:
    circle = three_prices(world)
    member = world.subscriber(circle, collection="manual")
    world.live_until(clock, day, every=EIGHT_DAYS)

    checkout = world.steer(member, "renew").ok()["checkout"]
    assert checkout["amount"]["amount"] == amount
    assert world.pay(member, checkout)["status"] == "succeeded"

    assert world.subscription(member)["current_period_end"] == ends
    assert world.membership(member, circle)["access_until"] == ends


def test_the_price_of_who_is_charged_by_itself_stays_when_no_card_is_left(world: World, clock: ManualClock) -> None:
    member = world.subscriber(three_prices(world))
    member.api.delete(f"/me/payment-methods/{member.extra['method_id']}").ok(204)
    clock.advance(timedelta(days=23))
    world.run_billing("bill")
    clock.advance(timedelta(days=8, hours=1))

    world.run_billing("bill", "end")

    assert world.subscription(member)["status"] == "past_due"
    assert world.renewals(member)[0]["amount"]["amount"] == 1524


def test_a_coupon_of_one_price_takes_off_what_is_paid_late(world: World, clock: ManualClock) -> None:
    circle = three_prices(world)
    world.coupon(circle, percent=20, duration="forever", price_ids=[str(circle.tier(1).price_id)])
    member = world.person()
    joined = world.join(member, circle, coupon="SPRING")
    world.pay(member, joined["checkout"])
    member.extra["subscription_id"] = joined["subscription"]["id"]
    clock.advance(timedelta(days=20))
    world.run_billing("bill")
    assert world.renewals(member)[0]["amount"]["amount"] == 1219, "80 % of 80 %"

    clock.advance(timedelta(days=12))
    world.run_billing("end")

    assert world.renewals(member)[0]["amount"]["amount"] == 1372, "80 % of 90 %"


def test_the_anchor_survives_an_early_payment_and_moves_with_a_late_one(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")
    world.live_until(clock, "2026-03-29T04:00:00Z", every=timedelta(days=14))
    world.pay(member, world.steer(member, "renew").ok()["checkout"])
    world.live_until(clock, "2026-05-04T04:00:00Z", every=timedelta(days=6))
    world.pay(member, world.steer(member, "renew").ok()["checkout"])
    world.live_until(clock, "2026-06-01T04:00:00Z", every=timedelta(days=14))
    world.log_in(member)

    world.pay(member, world.steer(member, "renew").ok()["checkout"])

    ends = [one["period_end"][:10] for one in world.renewals(member) if one["status"] == "paid"]
    assert ends == ["2026-05-01", "2026-06-04", "2026-07-04"]


def test_reminders_that_were_missed_are_not_sent_in_a_burst(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle(), collection="manual")
    world.live_until(clock, "2026-03-20T04:00:00Z", every=timedelta(days=19))

    clock.advance(timedelta(days=11))
    world.run_renewals()

    assert len(world.notices(member, "membership_expiring")) == 1


def test_an_unpaid_renewal_has_no_access_and_ends_after_a_week(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")

    world.live_until(clock, END_OF_TERM, every=EIGHT_DAYS)
    assert world.subscription(member)["status"] == "past_due"
    assert world.membership(member, circle)["status"] == "expired"
    world.live_for(clock, days=7, every=timedelta(days=7))

    assert world.subscription(member)["status"] == "expired"
    assert world.renewals(member)[0]["status"] == "void"


def test_a_lapsed_member_may_also_join_anew(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")
    old = member.extra["subscription_id"]
    world.live_until(clock, "2026-04-02T04:00:00Z", every=EIGHT_DAYS)

    world.paying_member(circle, circle.tier(2), person=member)

    assert member.api.get(f"/subscriptions/{old}").ok()["status"] == "expired"
    assert world.subscription(member)["status"] == "active"


def test_who_was_removed_does_not_come_back_by_renewing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")
    circle.owner.api.post(f"{circle.path}/members/{member.id}/remove", {"refund": False}).ok()
    clock.advance(timedelta(days=40))

    assert world.steer(member, "renew").code == "not_renewable"


def test_a_price_that_is_not_sold_any_more_is_not_renewed_after_the_end(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")
    world.live_until(clock, "2026-04-10T04:00:00Z", every=EIGHT_DAYS)
    circle.owner.api.delete(f"/prices/{circle.tier(1).price_id}").ok(204)

    assert world.steer(member, "renew").code == "unknown_price"


def test_a_checkout_of_a_renewal_stays_open_as_long_as_the_renewal(world: World, clock: ManualClock, sql: Any) -> None:
    member = world.subscriber(world.circle(), collection="manual")
    world.live_until(clock, "2026-03-20T04:00:00Z", every=EIGHT_DAYS)
    checkout = world.steer(member, "renew").ok()["checkout"]
    assert checkout["expires_at"] == "2026-04-08T04:00:00Z"

    clock.advance(timedelta(days=5))
    assert world.run_billing("expire_checkouts") == 0
    assert world.pay(member, checkout)["status"] == "succeeded"

    assert len(world.renewals(member)) == 1
