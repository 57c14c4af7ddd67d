"""Tiers and prices."""

from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.memberships.models import Role
from tests.builders.circles import BuiltCircle
from tests.client import Api, World

MONTH = {"amount": 1900, "currency": "CNY", "interval": "month"}


@pytest.fixture
def circle(world: World) -> BuiltCircle:
    return world.circle(tiers=())


def add_tier(circle: BuiltCircle, **fields: Any) -> Any:
    return circle.owner.api.post(f"{circle.path}/tiers", {"name": "读者", "rank": 1, **fields}).ok(201)


def test_a_tier_with_its_prices_is_shown_to_strangers(circle: BuiltCircle, api: Api) -> None:
    tier = add_tier(circle, description="读全部文章", seats=100)
    price = circle.owner.api.post(
        f"/tiers/{tier['id']}/prices",
        {
            "amount": 19900,
            "currency": "CNY",
            "interval": "year",
            "list_amount": 29900,
            "trial_days": 7,
            "renewal": {"advance_percent": 80, "grace_percent": 90},
        },
    ).ok(201)

    [shown] = api.get(f"{circle.path}/tiers").ok()["items"]

    assert shown == {**tier, "prices": [price]}
    assert (shown["seats"], shown["seats_left"]) == (100, 100)
    assert price["amount"] == {"amount": 19900, "currency": "CNY"}
    assert price["list_amount"] == {"amount": 29900, "currency": "CNY"}
    assert price["renewal"] == {"advance_percent": 80, "grace_percent": 90, "later_percent": 100}


def test_tiers_come_by_rank_and_prices_by_amount(circle: BuiltCircle, api: Api) -> None:
    high, low = add_tier(circle, name="学员", rank=20), add_tier(circle, name="读者", rank=10)
    for amount in (9900, 0, 1900):
        circle.owner.api.post(f"/tiers/{high['id']}/prices", {**MONTH, "amount": amount}).ok(201)

    items = api.get(f"{circle.path}/tiers").ok()["items"]

    assert [tier["id"] for tier in items] == [low["id"], high["id"]]
    assert [price["amount"]["amount"] for price in items[1]["prices"]] == [0, 1900, 9900]


def test_a_rank_is_taken_once(circle: BuiltCircle) -> None:
    add_tier(circle)

    assert circle.owner.api.post(f"{circle.path}/tiers", {"name": "别名", "rank": 1}).code == "rank_taken"


@pytest.mark.parametrize("role", [Role.PARTNER, Role.ADMIN, Role.GUEST, Role.MEMBER])
def test_only_the_owner_changes_offers(world: World, role: str) -> None:
    circle = world.circle()
    somebody, tier = world.member(circle, role=role), circle.tier(1)

    for refused in (
        somebody.api.post(f"{circle.path}/tiers", {"name": "x", "rank": 9}),
        somebody.api.patch(f"/tiers/{tier.id}", {"name": "x"}),
        somebody.api.post(f"/tiers/{tier.id}/prices", MONTH),
        somebody.api.delete(f"/prices/{tier.price_id}"),
    ):
        assert refused.code == "missing_permission"


def test_the_owner_of_another_circle_is_a_stranger(world: World) -> None:
    circle, other = world.circle(preview_policy="none"), world.circle()
    tier = circle.tier(1)

    for refused in (
        other.owner.api.patch(f"/tiers/{tier.id}", {"name": "x"}),
        other.owner.api.post(f"/tiers/{tier.id}/prices", MONTH),
        other.owner.api.delete(f"/prices/{tier.price_id}"),
    ):
        assert refused.code == "not_found"


def test_seats_can_not_be_fewer_than_are_taken(world: World) -> None:
    circle = world.circle()
    tier = circle.tier(1)
    for _ in range(2):
        world.member(circle, 1)

    refused = circle.owner.api.patch(f"/tiers/{tier.id}", {"seats": 1})

    assert refused.code == "seats_in_use"
    assert refused.json["data"] == {"taken": 2}
    assert circle.owner.api.patch(f"/tiers/{tier.id}", {"seats": 2}).ok()["seats_left"] == 0
    assert circle.owner.api.patch(f"/tiers/{tier.id}", {"seats": None}).ok()["seats_left"] is None


def test_a_stale_editor_of_a_tier_loses(circle: BuiltCircle) -> None:
    tier = add_tier(circle)
    circle.owner.api.patch(f"/tiers/{tier['id']}", {"name": "甲"}, headers={"If-Match": '"1"'}).ok()

    assert circle.owner.api.patch(f"/tiers/{tier['id']}", {"name": "乙"}, headers={"If-Match": '"1"'}).status == 412


def test_an_archived_tier_is_not_sold_but_not_lost(world: World, api: Api) -> None:
    circle = world.circle()
    member = world.member(circle, 1)

    circle.owner.api.patch(f"/tiers/{circle.tier(1).id}", {"archived": True}).ok()

    assert [tier["rank"] for tier in api.get(f"{circle.path}/tiers").ok()["items"]] == [2]
    assert [tier["rank"] for tier in circle.owner.api.get(f"{circle.path}/tiers").ok()["items"]] == [1, 2]
    assert circle.owner.api.post(f"/tiers/{circle.tier(1).id}/prices", MONTH).code == "tier_archived"
    assert member.api.get(circle.path).ok()["mine"]["tier"]["rank"] == 1


def test_an_archived_price_is_off_the_table(world: World, api: Api) -> None:
    circle = world.circle(tiers=(("读者", 1, 1900),))

    for _ in range(2):  # twice is once
        assert circle.owner.api.delete(f"/prices/{circle.tier(1).price_id}").status == 204

    assert api.get(f"{circle.path}/tiers").ok()["items"][0]["prices"] == []


def test_a_fixed_end_passes(circle: BuiltCircle, api: Api, clock: ManualClock) -> None:
    tier = add_tier(circle)
    end = {**MONTH, "interval": "fixed", "fixed_end_at": "2026-06-30T16:00:00Z"}
    circle.owner.api.post(f"/tiers/{tier['id']}/prices", end).ok(201)
    assert len(api.get(f"{circle.path}/tiers").ok()["items"][0]["prices"]) == 1

    clock.set(clock.now().replace(month=7))

    assert api.get(f"{circle.path}/tiers").ok()["items"][0]["prices"] == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"currency": "USD"}, {"currency": "other_currency"}),
        ({"interval": "fixed"}, {"fixed_end_at": "one_of"}),
        ({"fixed_end_at": "2027-01-01T00:00:00Z"}, {"fixed_end_at": "one_of"}),
        ({"interval": "fixed", "fixed_end_at": "2026-01-01T00:00:00Z"}, {"fixed_end_at": "in_the_past"}),
        ({"list_amount": 1900}, {"list_amount": "out_of_range"}),
        ({"amount": -1}, {"amount": "out_of_range"}),
        ({"amount": 19.9}, {"amount": "wrong_type"}),
        ({"amount": "1900"}, {"amount": "wrong_type"}),
        ({"amount": True}, {"amount": "wrong_type"}),
        ({"amount": 2**63}, {"amount": "out_of_range"}),
        ({"interval": "week"}, {"interval": "not_a_choice"}),
        ({"interval_count": 0}, {"interval_count": "out_of_range"}),
        ({"trial_days": 366}, {"trial_days": "out_of_range"}),
        ({"renewal": {"advance_percent": 0}}, {"renewal.advance_percent": "out_of_range"}),
        ({"renewal": {"surprise": 1}}, {"renewal.surprise": "unknown_field"}),
        ({"tier_id": "x"}, {"tier_id": "unknown_field"}),
        ({"circle_id": "x", "archived_at": None}, {"circle_id": "unknown_field", "archived_at": "unknown_field"}),
    ],
)
def test_prices_that_make_no_sense_are_refused(circle: BuiltCircle, fields: Any, wrong: Any, sql: Any) -> None:
    tier = add_tier(circle)

    refused = circle.owner.api.post(f"/tiers/{tier['id']}/prices", {**MONTH, **fields})

    assert refused.status == 422
    assert refused.fields == wrong
    assert sql("SELECT 1 FROM prices WHERE tier_id = :tier", tier=tier["id"]) == []
