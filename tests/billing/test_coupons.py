"""Coupons: what they take off, whom they are for, and when they are used up."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World


def join_with(person: Person, circle: BuiltCircle, code: str = "SPRING", rank: int = 2) -> Any:
    sent = {"price_id": str(circle.tier(rank).price_id), "collection": "auto", "coupon": code}
    return person.api.post(f"{circle.path}/join", sent)


def test_a_percentage_comes_off_the_first_payment(world: World) -> None:
    circle = world.circle()
    world.coupon(circle, percent=20)
    person = world.person()

    checkout = join_with(person, circle, "spring").ok(201)["checkout"]

    assert checkout["amount"] == {"amount": 7920, "currency": "CNY"}
    assert world.pay(person, checkout)["status"] == "succeeded"
    assert world.membership(person, circle)["tier"]["rank"] == 2


@pytest.mark.parametrize(("percent", "due"), [(1, 1881), (33, 1273), (50, 950), (99, 19)])
def test_percentages_are_rounded_to_whole_cents(world: World, percent: int, due: int) -> None:
    circle = world.circle()
    world.coupon(circle, percent=percent)

    assert join_with(world.person(), circle, rank=1).ok(201)["checkout"]["amount"]["amount"] == due


def test_a_fixed_amount_takes_no_more_than_the_price(world: World) -> None:
    circle = world.circle()
    world.coupon(circle, "SMALL", amount=500, currency="CNY")
    world.coupon(circle, "LARGE", amount=5000, currency="CNY")
    person = world.person()

    assert join_with(world.person(), circle, "SMALL", 1).ok(201)["checkout"]["amount"]["amount"] == 1400
    joined = join_with(person, circle, "LARGE", 1).ok(201)

    assert (joined["checkout"], joined["subscription"]["status"]) == (None, "active")


def test_a_first_period_for_nothing_needs_no_payment(world: World, sql: Any, clock: ManualClock) -> None:
    circle = world.circle()
    world.coupon(circle, percent=100)
    person = world.person()

    joined = join_with(person, circle).ok(201)

    assert joined["membership"]["status"] == "active"
    assert world.membership(person, circle)["access_until"] == "2026-04-01T04:00:00Z"
    [invoice] = person.api.get("/me/invoices").ok()["items"]
    assert (invoice["status"], invoice["amount"]["amount"], invoice["attempts"]) == ("paid", 0, [])
    assert world.refund(person, invoice["id"]).code == "not_refundable"
    clock.advance(timedelta(hours=73))
    assert world.run_billing("release") == 0


@pytest.mark.parametrize(
    ("terms", "paid"),
    [
        ({"duration": "once"}, [7920, 9900, 9900]),
        ({"duration": "periods", "periods": 2}, [7920, 7920, 9900]),
        ({"duration": "forever"}, [7920, 7920, 7920]),
    ],
)
def test_renewals_are_cheaper_for_as_long_as_it_says(
    world: World, clock: ManualClock, terms: dict[str, Any], paid: list[int]
) -> None:
    circle = world.circle()
    world.coupon(circle, **terms)
    person = world.person()
    world.pay(person, join_with(person, circle).ok(201)["checkout"])

    for _ in range(2):
        world.live(clock, days=31)

    amounts = [one["amount"]["amount"] for one in person.api.get("/me/invoices").ok()["items"]]
    assert list(reversed(amounts))[:3] == paid


def test_a_coupon_is_used_once_a_person_unless_it_says_more(world: World) -> None:
    circle = world.circle()
    world.coupon(circle, "ONE")
    world.coupon(circle, "TWO", max_uses_per_user=2)
    person = world.person()

    for code, codes in (("ONE", [None, "coupon_used_up"]), ("TWO", [None, None, "coupon_used_up"])):
        given = []
        for _ in codes:
            reply = join_with(person, circle, code)
            given.append(reply.code)
            if reply.code is None:
                world.pay(person, reply.json["checkout"])
                world.refund(person, reply.json["checkout"]["invoice_id"]).ok(201)
        assert given == codes


def test_a_use_comes_back_when_nobody_pays(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    made = world.coupon(circle, max_uses=1)
    first, second = world.person(), world.person()
    join_with(first, circle).ok(201)
    assert join_with(second, circle).code == "coupon_used_up"

    clock.advance(timedelta(minutes=31))
    world.run_billing("expire_checkouts")

    assert join_with(second, circle).ok(201)["checkout"]["amount"]["amount"] == 7920
    [shown] = circle.owner.api.get(f"{circle.path}/coupons").ok()["items"]
    assert (shown["id"], shown["uses"]) == (made["id"], 1)


def test_joining_again_with_it_is_the_same_checkout(world: World) -> None:
    circle = world.circle()
    world.coupon(circle, max_uses=1)
    person = world.person()

    first, again = (join_with(person, circle).ok(201)["checkout"]["id"] for _ in range(2))
    full = world.checkout(person, circle, circle.tier(2))

    assert first == again
    assert full["amount"]["amount"] == 9900
    assert join_with(world.person(), circle).status == 201


def test_it_is_for_some_prices_only(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0), ("读者", 2, 1900), ("学员", 3, 9900)))
    world.coupon(circle, price_ids=[str(circle.tier(3).price_id)])
    world.coupon(circle, "ALL")

    assert join_with(world.person(), circle, rank=2).code == "coupon_not_for_price"
    assert join_with(world.person(), circle, rank=3).status == 201
    assert join_with(world.person(), circle, "ALL", rank=1).code == "coupon_not_for_price"


def test_an_expired_coupon_and_one_to_come_are_refused(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    start, end = clock.now() + timedelta(days=1), clock.now() + timedelta(days=2)
    world.coupon(circle, valid_from=start.isoformat(), valid_until=end.isoformat())
    person = world.person()

    assert join_with(person, circle).code == "coupon_expired"
    clock.set(start)
    assert join_with(world.person(), circle).status == 201
    clock.set(end)
    assert join_with(person, circle).code == "coupon_expired"
    assert sql("SELECT 1 FROM invoices WHERE payer_id = :id", id=person.id) == []


def test_anothers_coupon_and_an_archived_one_are_unknown(world: World) -> None:
    circle, other = world.circle(), world.circle()
    made = world.coupon(other)

    assert join_with(world.person(), circle).code == "unknown_coupon"
    assert circle.owner.api.delete(f"/coupons/{made['id']}").status == 403
    other.owner.api.delete(f"/coupons/{made['id']}").ok(204)
    assert join_with(world.person(), other).code == "unknown_coupon"
    assert world.coupon(other)["code"] == "SPRING"


def test_who_has_a_discount_keeps_it_when_the_coupon_goes(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    made = world.coupon(circle, duration="forever")
    person = world.person()
    world.pay(person, join_with(person, circle).ok(201)["checkout"])
    circle.owner.api.delete(f"/coupons/{made['id']}").ok(204)

    world.live(clock, days=31)

    assert person.api.get("/me/invoices").ok()["items"][0]["amount"]["amount"] == 7920


def test_an_applicant_has_it_after_the_approval(world: World) -> None:
    circle = world.circle(join_policy="approval")
    world.coupon(circle, max_uses=1)
    person = world.person()
    join_with(person, circle).ok(201)

    circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()

    assert join_with(person, circle).ok(201)["checkout"]["amount"]["amount"] == 7920


def test_a_trial_is_paid_with_it_afterwards(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["读者"] = world.tier(circle, "读者", 2, 1900, trial_days=14)
    world.coupon(circle)
    person = world.person()

    joined = join_with(person, circle).ok(201)

    assert joined["subscription"]["status"] == "trialing"
    assert circle.owner.api.get(f"{circle.path}/coupons").ok()["items"][0]["uses"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"percent": 0},
        {"percent": 101},
        {"percent": 12.5},
        {"percent": None},
        {"amount": 0, "currency": "CNY", "percent": None},
        {"amount": -1, "currency": "CNY", "percent": None},
        {"amount": 1.5, "currency": "CNY", "percent": None},
        {"amount": 2**63, "currency": "CNY", "percent": None},
        {"amount": 100, "currency": "USD", "percent": None},
        {"amount": 100, "percent": None},
        {"amount": 100, "currency": "CNY"},
        {"duration": "periods"},
        {"duration": "once", "periods": 3},
        {"duration": "sometimes"},
        {"max_uses": 0},
        {"max_uses_per_user": 0},
        {"max_uses": True},
        {"valid_until": "2026-02-01T00:00:00Z"},
        {"valid_from": "2026-05-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z"},
        {"price_ids": [str(uuid4())]},
        {"price_ids": []},
        {"code": "A B C"},
        {"code": "AB"},
        {"uses": 0},
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(world: World, sql: Any, wrong: dict[str, object]) -> None:
    circle = world.circle()

    reply = circle.owner.api.post(f"{circle.path}/coupons", {"code": "SPRING", "percent": 20, **wrong})

    assert reply.status == 422
    assert sql("SELECT 1 FROM coupons") == []


def test_a_refusal_names_the_field(world: World) -> None:
    circle, other = world.circle(), world.circle()
    refused = {
        ("periods", "one_of"): [{"duration": "periods"}, {"duration": "once", "periods": 3}],
        ("currency", "one_of"): [{"amount": 100, "percent": None}],
        ("currency", "other_currency"): [{"amount": 100, "currency": "USD", "percent": None}],
        ("valid_until", "in_the_past"): [
            {"valid_until": "2026-03-01T04:00:00Z"},
            {"valid_from": "2026-05-01T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z"},
        ],
        ("price_ids", "unknown_price"): [
            {"price_ids": [str(other.tier(1).price_id)]},
            {"price_ids": [str(circle.tier(1).price_id), str(other.tier(1).price_id)]},
        ],
    }

    for (field, code), bodies in refused.items():
        for wrong in bodies:
            reply = circle.owner.api.post(f"{circle.path}/coupons", {"code": "SPRING", "percent": 20, **wrong})
            assert (reply.status, reply.fields) == (422, {field: code})


def test_a_code_is_made_up_and_is_the_circles_own(world: World) -> None:
    circle, other = world.circle(), world.circle()
    partner = world.member(circle, role="partner")

    made = partner.api.post(f"{circle.path}/coupons", {"percent": 10}).ok(201)
    world.coupon(circle), world.coupon(other)

    assert len(made["code"]) == 8
    taken = circle.owner.api.post(f"{circle.path}/coupons", {"code": "spring", "percent": 10})
    assert taken.code == "coupon_code_taken"


def test_coupons_come_in_pages(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    for number in range(3):
        world.coupon(circle, f"CODE{number}")
        clock.advance(timedelta(minutes=1))
    owner = circle.owner.api

    first = owner.get(f"{circle.path}/coupons?limit=2").ok()
    second = owner.get(f"{circle.path}/coupons?limit=2&cursor={first['next_cursor']}").ok()

    assert [one["code"] for one in first["items"] + second["items"]] == ["CODE2", "CODE1", "CODE0"]
    assert second["next_cursor"] is None
