"""Price campaigns: the one way in which what a subscriber pays changes, with notice, and by consent where it rises."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

DAY = "2026-04-15"


def subscriber(world: World, circle: BuiltCircle) -> Person:
    """Somebody whose subscription renews by itself on the 1st."""
    person = world.person()
    checkout = world.join(person, circle, circle.tier(1), collection="auto")["checkout"]
    world.pay(person, checkout)
    person.extra["subscription_id"] = checkout["subscription_id"]
    return person


def consent(member: Person) -> Any:
    return member.api.post(f"/subscriptions/{member.extra['subscription_id']}/consent")


def paid(member: Person) -> list[int]:
    """What somebody has paid, in order."""
    invoices = reversed(member.api.get("/me/invoices").ok()["items"])
    return [one["amount"]["amount"] for one in invoices if one["status"] == "paid"]


def start(circle: BuiltCircle, before: Any, after: Any, day: str = DAY) -> Any:
    sent = {"from_price_id": str(before), "to_price_id": str(after), "effective_on": day}
    return circle.owner.api.post(f"{circle.path}/price-campaigns", sent)


def test_who_agrees_to_a_rise_pays_it_from_its_day_on(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    campaign = world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)

    agreed = consent(member).ok()
    world.live(clock, days=63)

    assert (campaign["rises"], campaign["effective_at"]) == (True, "2026-04-14T16:00:00Z")
    assert (agreed["needs_consent"], agreed["to_price"]["amount"]["amount"]) == (False, 2900)
    assert paid(member) == [1900, 1900, 2900]
    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert (shown["told"], shown["consented"], shown["moved"], shown["ending"]) == (1, 1, 1, 0)
    assert shown["closed_at"] is not None


def test_who_says_nothing_keeps_what_is_paid_and_pays_no_more(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)

    world.live(clock, days=60)
    assert world.membership(member, circle)["access_until"] == "2026-05-01T04:00:00Z"
    world.live(clock, days=3)

    assert paid(member) == [1900, 1900]
    assert world.subscription(member)["status"] == "canceled"


def test_subscribers_are_told_before_and_can_look_it_up(world: World) -> None:
    circle = world.circle()
    member, other = subscriber(world, circle), subscriber(world, world.circle())
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)

    [notice] = member.api.get("/me/notifications").ok()["items"]
    coming = member.api.get(f"/subscriptions/{member.extra['subscription_id']}/price-change").ok()

    assert notice["kind"] == "price_rises"
    assert "CNY 29.00" in notice["title"]
    assert DAY in notice["body"]
    assert (coming["needs_consent"], coming["from_price"]["amount"]["amount"]) == (True, 1900)
    assert other.api.get("/me/notifications").ok()["items"] == []
    assert consent(other).code == "nothing_to_consent_to"


def test_a_late_word_is_in_time_until_the_term_ends(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)
    world.live(clock, days=45)
    assert world.subscription(member)["cancel_at_period_end"] is True
    uncancel = f"/subscriptions/{member.extra['subscription_id']}/uncancel"
    assert member.api.post(uncancel).code == "consent_needed"

    consent(member).ok()

    assert world.subscription(member)["cancel_at_period_end"] is False
    world.live(clock, days=18)
    assert paid(member) == [1900, 1900, 2900]


def test_who_has_cancelled_stays_cancelled(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)
    world.live(clock, days=32)
    member.api.post(f"/subscriptions/{member.extra['subscription_id']}/cancel").ok()
    world.live(clock, days=10)

    consent(member).ok()

    assert world.subscription(member)["cancel_at_period_end"] is True


def test_a_lower_price_applies_by_itself(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 900), "2026-03-10")

    world.live(clock, days=33)

    assert paid(member) == [1900, 900]
    assert consent(member).code == "nothing_to_consent_to"
    kinds = [one["kind"] for one in member.api.get("/me/notifications").ok()["items"]]
    assert "price_falls" in kinds


def test_a_period_that_was_billed_stays_as_it_was_billed(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.live(clock, days=28)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 900), "2026-03-30")

    world.live(clock, days=36)

    assert paid(member) == [1900, 1900, 900]


def test_who_joins_later_pays_what_they_joined_for(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 900), "2026-03-02")
    clock.advance(timedelta(days=1))
    member = subscriber(world, circle)

    world.live(clock, days=33)

    assert paid(member) == [1900, 1900]


def test_who_chose_another_plan_is_left_alone(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)
    world.upgraded(member, circle.tier(2).price_id)

    world.live(clock, days=63)

    assert paid(member)[-1] == 9900
    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert (shown["moved"], shown["ending"]) == (0, 0)
    assert shown["closed_at"] is not None


def test_a_campaign_that_is_called_off_changes_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    made = world.campaign(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900), DAY)
    world.live(clock, days=45)
    assert world.subscription(member)["cancel_at_period_end"] is True

    circle.owner.api.delete(f"/price-campaigns/{made['id']}").ok(204)
    circle.owner.api.delete(f"/price-campaigns/{made['id']}").ok(204)

    assert consent(member).code == "nothing_to_consent_to"
    world.live(clock, days=18)
    assert paid(member) == [1900, 1900, 1900]


def test_one_campaign_at_a_time_moves_a_price(world: World) -> None:
    circle = world.circle()
    before, after = circle.tier(1).price_id, world.price(circle, circle.tier(1), 2900)
    start(circle, before, after).ok(201)

    assert start(circle, before, world.price(circle, circle.tier(1), 900)).code == "campaign_under_way"


def test_prices_of_one_plan_only(world: World, sql: Any) -> None:
    circle, other = world.circle(), world.circle()
    before = circle.tier(1).price_id
    yearly = world.price(circle, circle.tier(1), 19900, interval="year")
    life = world.price(circle, circle.tier(1), 99900, interval="lifetime")

    for wrong in ((before, before), (before, circle.tier(2).price_id), (before, yearly), (life, before)):
        assert start(circle, *wrong).code == "not_the_same_plan"
    assert start(circle, other.tier(1).price_id, before).code == "not_the_same_plan"
    for unknown in (other.tier(1).price_id, uuid4()):
        assert start(circle, before, unknown).code == "unknown_price"
    assert sql("SELECT 1 FROM price_campaigns") == []


@pytest.mark.parametrize(
    ("amount", "day"),
    [
        (2900, "2026-03-30"),
        (900, "2026-02-28"),
        (900, "2029-01-01"),
        (2900, "2026-02-30"),
        (2900, None),
        (2900, 20260415),
    ],
)
def test_the_day_gives_people_time(world: World, sql: Any, amount: int, day: Any) -> None:
    circle = world.circle()

    assert start(circle, circle.tier(1).price_id, world.price(circle, circle.tier(1), amount), day).status == 422
    assert sql("SELECT 1 FROM price_campaigns") == []


def test_only_the_owner_changes_prices(world: World) -> None:
    circle = world.circle()
    after = world.price(circle, circle.tier(1), 2900)
    partner = world.member(circle, role="partner")
    sent = {"from_price_id": str(circle.tier(1).price_id), "to_price_id": after, "effective_on": DAY}

    assert partner.api.post(f"{circle.path}/price-campaigns", sent).code == "missing_permission"
    assert partner.api.get(f"{circle.path}/price-campaigns").ok()["items"] == []
    assert world.person().api.get(f"{circle.path}/price-campaigns").status == 403
