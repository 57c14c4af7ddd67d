"""Changing the plan: a better tier when it is paid, anything else at the end of the term; and what undoes it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World


def subscriber(world: World, circle: BuiltCircle, rank: int = 1, *, collection: str = "auto") -> Person:
    """Somebody who joined and paid."""
    person = world.person()
    checkout = world.join(person, circle, circle.tier(rank), collection=collection)["checkout"]
    world.pay(person, checkout)
    person.extra |= {"subscription_id": checkout["subscription_id"], "invoice_id": checkout["invoice_id"]}
    return person


def newest_invoice(person: Person) -> Any:
    return person.api.get("/me/invoices").ok()["items"][0]


def test_an_upgrade_begins_when_it_is_paid_and_keeps_the_day(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    clock.advance(timedelta(days=10))
    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    changed = world.change(member, quote).ok(200)
    assert (changed["subscription"]["tier"]["rank"], changed["checkout"]["kind"]) == (1, "upgrade")
    assert changed["checkout"]["amount"] == quote["due"]
    world.pay(member, changed["checkout"])

    after = world.subscription(member)
    assert (after["tier"]["rank"], after["current_period_end"]) == (2, "2026-04-01T04:00:00Z")
    assert world.membership(member, circle)["tier"]["rank"] == 2
    world.live(clock, days=23)
    renewal = newest_invoice(member)
    assert (renewal["kind"], renewal["amount"], renewal["period_start"]) == (
        "renewal",
        quote["renewal_amount"],
        "2026-04-01T04:00:00Z",
    )
    assert renewal["status"] == "paid"


def test_an_upgrade_to_another_interval_renews_by_it(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    yearly = world.price(circle, circle.tier(2), 99000, interval="year")

    world.upgraded(member, yearly)
    world.live(clock, days=33)

    renewal = newest_invoice(member)
    assert (renewal["amount"]["amount"], renewal["status"]) == (99000, "paid")
    assert (renewal["period_start"], renewal["period_end"]) == ("2026-04-01T04:00:00Z", "2027-04-01T04:00:00Z")


def test_a_downgrade_takes_effect_at_the_end_of_the_term(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle, 2)
    quote = world.quote(member, circle.tier(1).price_id).ok(201)

    changed = world.change(member, quote).ok(200)

    assert changed["checkout"] is None
    assert changed["subscription"]["next_price"]["id"] == str(circle.tier(1).price_id)
    assert world.membership(member, circle)["tier"]["rank"] == 2
    world.live(clock, days=33)
    assert (newest_invoice(member)["amount"], newest_invoice(member)["status"]) == (quote["renewal_amount"], "paid")
    assert world.subscription(member)["tier"]["rank"] == 1
    assert world.membership(member, circle)["tier"]["rank"] == 1


def test_a_planned_change_is_taken_back_by_quoting_the_present_price(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle, 2)
    world.change(member, world.quote(member, circle.tier(1).price_id).ok(201)).ok(200)

    back = world.quote(member, circle.tier(2).price_id).ok(201)
    world.change(member, back).ok(200)

    assert world.subscription(member)["next_price"] is None


def test_a_renewal_that_was_billed_already_is_billed_anew(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle, 2, collection="manual")
    world.live(clock, days=20)
    billed = newest_invoice(member)
    assert (billed["kind"], billed["status"]) == ("renewal", "open")

    world.change(member, world.quote(member, circle.tier(1).price_id).ok(201)).ok(200)
    world.live(clock, days=1)

    assert world.invoice(member, billed["id"])["status"] == "void"
    assert (newest_invoice(member)["amount"]["amount"], newest_invoice(member)["status"]) == (1900, "open")


def test_a_quote_is_used_once(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)
    world.change(member, quote).ok(200)

    assert world.change(member, quote).code == "quote_used"
    lower = world.quote(member, circle.tier(2).price_id).ok(201)
    assert world.change(member, lower).status == 200


def test_a_quote_expires(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    clock.advance(timedelta(minutes=30))

    assert world.change(member, quote).code == "quote_expired"
    assert sql("SELECT 1 FROM invoices WHERE kind = 'upgrade'") == []


def test_a_quote_is_stale_once_anything_has_changed(world: World) -> None:
    circle = world.circle()
    circle.tiers["导师"] = world.tier(circle, "导师", 3, 29900)
    member = subscriber(world, circle)
    quotes = [world.quote(member, circle.tier(rank).price_id).ok(201) for rank in (2, 3)]

    assert world.change(member, quotes[0], price_id=str(circle.tier(3).price_id)).code == "quote_stale"
    world.refund(circle.owner, member.extra["invoice_id"], amount=100).ok(201)
    assert world.change(member, quotes[0]).code == "quote_stale"
    world.upgraded(member, circle.tier(2).price_id)
    assert world.change(member, quotes[1]).code == "quote_stale"


def test_somebody_elses_quote_does_not_exist(world: World) -> None:
    circle = world.circle()
    member, other = subscriber(world, circle), subscriber(world, circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)
    sent = {"price_id": str(circle.tier(2).price_id), "quote_id": quote["id"]}

    for who, subscription in ((other, other), (other, member)):
        path = f"/subscriptions/{subscription.extra['subscription_id']}/change"
        assert who.api.post(path, sent).status == 404
    assert world.change(member, {**quote, "id": str(uuid4())}).status == 404


def test_an_archived_price_can_not_be_changed_to(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)
    circle.owner.api.delete(f"/prices/{circle.tier(2).price_id}").ok(204)

    assert world.change(member, quote).code == "unknown_price"


def test_another_upgrade_gives_the_first_checkout_up(world: World) -> None:
    circle = world.circle()
    circle.tiers["导师"] = world.tier(circle, "导师", 3, 29900)
    member = subscriber(world, circle)
    first = world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)["checkout"]

    second = world.change(member, world.quote(member, circle.tier(3).price_id).ok(201)).ok(200)["checkout"]

    assert world.invoice(member, first["invoice_id"])["status"] == "void"
    assert world.pay(member, second)["status"] == "succeeded"
    assert world.subscription(member)["tier"]["rank"] == 3


def test_an_upgrade_that_nobody_pays_changes_nothing(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)

    clock.advance(timedelta(minutes=31))
    world.run_billing("expire_checkouts")

    assert newest_invoice(member)["status"] == "void"
    assert world.subscription(member)["tier"]["rank"] == 1


def test_an_upgrade_respects_the_seats_of_the_better_tier(world: World) -> None:
    circle = world.circle()
    circle.tiers["小班"] = world.tier(circle, "小班", 3, 29900, seats=1)
    member, rival = subscriber(world, circle), subscriber(world, circle)
    quote = world.quote(member, circle.tier(3).price_id).ok(201)
    world.upgraded(rival, circle.tier(3).price_id)

    assert world.change(member, quote).code == "seats_taken"
    assert world.subscription(member)["tier"]["rank"] == 1


def test_a_planned_change_keeps_a_seat_until_it_is_taken_back(world: World) -> None:
    circle = world.circle()
    small = circle.tiers["小班"] = world.tier(circle, "小班", 3, 900, seats=1)
    circle.tiers["导师"] = world.tier(circle, "导师", 4, 29900)
    member, rival = subscriber(world, circle, 4), world.person()
    world.change(member, world.quote(member, small.price_id).ok(201)).ok(200)
    sent = {"price_id": str(small.price_id), "collection": "manual"}
    assert rival.api.post(f"{circle.path}/join", sent).code == "seats_taken"

    world.change(member, world.quote(member, circle.tier(4).price_id).ok(201)).ok(200)

    assert rival.api.post(f"{circle.path}/join", sent).status == 201


def test_money_for_an_upgrade_that_came_too_late_goes_back(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    checkout = world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)["checkout"]
    world.pay(member, checkout, "slow")

    world.refund(circle.owner, member.extra["invoice_id"]).ok(201)
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve", "refund")

    assert world.invoice(member, checkout["invoice_id"])["status"] == "void"
    assert world.membership(member, circle)["tier"] is None


def test_an_upgrade_that_is_given_back_leaves_the_tier_before_it(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.upgraded(member, circle.tier(2).price_id)

    world.refund(member, member.extra["upgrade_id"]).ok(201)

    after = world.subscription(member)
    assert (after["status"], after["tier"]["rank"], after["price"]["amount"]["amount"]) == ("active", 1, 1900)
    assert world.membership(member, circle)["tier"]["rank"] == 1


def test_with_the_whole_term_its_upgrade_is_given_back_too(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.upgraded(member, circle.tier(2).price_id)

    world.refund(member, member.extra["invoice_id"]).ok(201)
    world.run_billing("refund")

    assert world.invoice(member, member.extra["upgrade_id"])["status"] == "refunded"
    assert world.membership(member, circle)["tier"] is None
    assert circle.owner.api.get(f"{circle.path}/balance").ok()["pending"]["amount"] == 0


def test_a_free_upgrade_ends_with_its_term_too(world: World) -> None:
    circle = world.circle(tiers=(("旧", 1, 9900), ("新", 2, 1900)))
    member = subscriber(world, circle)
    world.upgraded(member, circle.tier(2).price_id)

    world.refund(member, member.extra["invoice_id"]).ok(201)

    assert world.membership(member, circle)["tier"] is None


def test_two_upgrades_in_one_term_cost_as_much_as_one(world: World) -> None:
    circle = world.circle()
    circle.tiers["导师"] = world.tier(circle, "导师", 3, 29900)
    member = subscriber(world, circle)

    first = world.upgraded(member, circle.tier(2).price_id)
    second = world.upgraded(member, circle.tier(3).price_id)

    assert first["due"]["amount"] + second["due"]["amount"] + 1900 == 29900


def test_a_change_of_price_does_not_touch_existing_subscriptions(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    world.price(circle, circle.tier(1), 2900)
    circle.owner.api.delete(f"/prices/{circle.tier(1).price_id}").ok(204)

    world.live(clock, days=33)

    assert (newest_invoice(member)["amount"]["amount"], newest_invoice(member)["status"]) == (1900, "paid")


@pytest.mark.parametrize("extra", [{"amount": 1}, {"quote_id": None}, {"quote_id": "1"}, {"price_id": 2**63}])
def test_what_a_client_may_not_say_is_refused(world: World, sql: Any, extra: dict[str, object]) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    assert world.change(member, quote, **extra).status == 422
    assert sql("SELECT 1 FROM invoices WHERE kind = 'upgrade'") == []
