"""After an outage: the present period, no period nobody enjoyed, no burst of anything."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.client import World


def test_a_three_month_outage_bills_the_present_period_once(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)

    clock.advance(timedelta(days=100))  # 9 June; the last term ended on 1 April
    world.run_renewals()
    world.log_in(member)
    assert world.membership(member, circle)["status"] == "active"
    world.live_for(clock, days=9, every=timedelta(days=3))

    [renewal] = world.renewals(member)
    assert (renewal["period_start"], renewal["period_end"]) == ("2026-06-01T04:00:00Z", "2026-07-01T04:00:00Z")
    assert (renewal["status"], len(renewal["attempts"])) == ("paid", 1)
    assert world.subscription(member)["current_period_end"] == "2026-07-01T04:00:00Z"
    assert len(world.notices(member, "renewal_coming")) == 1
    world.live_until(clock, "2026-07-01T04:00:00Z", every=timedelta(days=3))
    assert world.renewals(member)[-1]["period_end"] == "2026-08-01T04:00:00Z"


def test_an_outage_after_the_notice_bills_the_present_period_too(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, "2026-03-25T04:00:00Z", every=timedelta(days=24))

    clock.advance(timedelta(days=76))  # 9 June
    world.run_renewals()
    world.log_in(member)

    [renewal] = world.renewals(member)
    assert (renewal["period_start"], renewal["period_end"]) == ("2026-06-01T04:00:00Z", "2026-07-01T04:00:00Z")
    assert renewal["status"] == "paid"
    assert world.membership(member, circle)["access_until"] == "2026-07-01T04:00:00Z"


def test_an_outage_over_a_manual_renewal_ends_it_quietly(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, collection="manual")

    clock.advance(timedelta(days=100))
    world.run_renewals()
    world.log_in(member)

    assert world.subscription(member)["status"] == "expired"
    assert world.renewals(member) == []
    assert [one["kind"] for one in world.notices(member)] == ["subscription_ended"]


def test_an_outage_during_dunning_charges_nobody_late(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="decline_soft")
    world.live_until(clock, "2026-04-01T04:00:00Z", every=timedelta(days=8))

    clock.advance(timedelta(days=90))
    world.run_billing("end", "dun", "charge")
    world.log_in(member)

    assert world.subscription(member)["status"] == "canceled"
    assert len(world.renewals(member)[0]["attempts"]) == 1


def test_a_trial_over_which_everything_stood_still_begins_when_it_is_charged(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["读者"] = world.tier(circle, "读者", 1, 1900, trial_days=30)
    person = world.person()
    world.method(person)
    person.extra["subscription_id"] = world.join(person, circle, collection="auto")["subscription"]["id"]

    clock.advance(timedelta(days=60))
    world.run_renewals()
    world.live_for(clock, days=7, every=timedelta(days=7))

    subscription = world.subscription(person)
    assert (subscription["status"], subscription["current_period_start"]) == ("active", "2026-05-07T04:00:00Z")
