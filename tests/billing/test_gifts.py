"""Gifts: one pays, another has it, once; and the money goes back until then."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

UNKNOWN = "7KQM-2XWF-RT4H-9BCD"


def test_a_gift_is_bought_and_claimed(world: World) -> None:
    circle = world.circle()
    buyer, receiver = world.person("送礼人"), world.person("收礼人")

    gift = world.paid_gift(circle, buyer, message="生日快乐！")
    claimed = world.claim(receiver, gift["code"]).ok(200)

    assert (gift["status"], gift["bought"], gift["price"]["amount"]["amount"]) == ("ready", True, 1900)
    assert claimed["membership"]["status"] == "active"
    assert claimed["membership"]["access_until"] == "2026-04-01T04:00:00Z"
    assert (claimed["gift"]["message"], claimed["gift"]["code"], claimed["gift"]["invoice_id"]) == (
        "生日快乐！",
        None,
        None,
    )
    assert world.gifts(receiver, "received") == [claimed["gift"]]
    assert (world.gifts(buyer)[0]["status"], world.gifts(buyer)[0]["code"]) == ("claimed", None)
    assert (world.gifts(receiver), world.gifts(buyer, "received")) == ([], [])
    [notice] = buyer.api.get("/me/notifications").ok()["items"]
    assert notice["kind"] == "gift_claimed"
    assert "收礼人" in notice["title"]


def test_the_code_is_there_once_it_is_paid_and_is_not_stored(world: World, sql: Any) -> None:
    circle = world.circle()
    buyer = world.person()

    bought = world.gift(circle, buyer)
    assert (bought["gift"]["status"], bought["gift"]["code"]) == ("unpaid", None)
    world.pay(buyer, bought["checkout"])

    code = world.gifts(buyer)[0]["code"]
    assert code == world.gifts(buyer)[0]["code"]
    stored = str(sql("SELECT * FROM gifts"))
    assert code not in stored
    assert code.replace("-", "") not in stored


def test_a_code_is_read_as_people_type_it(world: World) -> None:
    circle = world.circle()
    code = world.paid_gift(circle, world.person())["code"]

    assert world.claim(world.person(), f" {code.lower().replace('-', ' ')} ").status == 200


def test_nobody_gives_to_themselves(world: World) -> None:
    circle = world.circle()
    buyer = world.person()

    assert world.claim(buyer, world.paid_gift(circle, buyer)["code"]).code == "own_gift"


def test_a_gift_is_claimed_once(world: World) -> None:
    circle = world.circle()
    code = world.paid_gift(circle, world.person())["code"]
    receiver = world.person()
    world.claim(receiver, code).ok(200)

    assert world.claim(receiver, code).code == "gift_claimed"
    assert world.claim(world.person(), code).code == "gift_claimed"


def test_an_unpaid_gift_can_not_be_claimed(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    buyer, other = world.person(), world.person()
    bought = world.gift(circle, buyer)
    paid = world.paid_gift(circle, other)
    sql("UPDATE gifts SET code_hash = 'x' WHERE id = :id", id=paid["id"])
    sql("UPDATE gifts SET code_hash = sha256(:code) WHERE id = :id", code=b"ABCDEFGH", id=bought["gift"]["id"])

    assert world.claim(other, "ABCDEFGH").code == "gift_not_usable"
    clock.advance(timedelta(minutes=31))
    world.run_billing("expire_checkouts")

    assert world.claim(other, "ABCDEFGH").code == "gift_not_usable"
    assert world.claim(other, UNKNOWN).code == "gift_not_usable"
    assert world.gifts(buyer)[0]["status"] == "expired"
    assert [one["code"] for one in world.gifts(other)] == [None]


def test_the_buyer_has_the_money_back_until_it_is_claimed(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    buyer = world.person()
    gift = world.paid_gift(circle, buyer)
    clock.advance(timedelta(days=80))
    world.run_billing("release")

    assert world.refund(buyer, gift["invoice_id"], amount=1).code == "refund_in_full_only"
    assert world.refund(buyer, gift["invoice_id"]).ok(201)["status"] == "succeeded"

    assert world.gifts(buyer)[0]["status"] == "refunded"
    assert world.claim(world.person(), gift["code"]).code == "gift_not_usable"


def test_a_refund_on_its_way_keeps_a_gift_from_being_claimed(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    buyer = world.person()
    bought = world.gift(circle, buyer)
    world.pay(buyer, bought["checkout"], "pending_then_ok")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    gift = world.gifts(buyer)[0]
    world.refund(buyer, gift["invoice_id"]).ok(201)

    assert world.gifts(buyer)[0]["status"] == "refunding"
    assert world.claim(world.person(), gift["code"]).code == "gift_not_usable"
    clock.advance(timedelta(minutes=5))
    world.run_billing("refund")
    assert world.gifts(buyer)[0]["status"] == "refunded"


def test_a_claimed_gift_is_the_creators_to_refund(world: World) -> None:
    circle = world.circle()
    buyer, receiver = world.person(), world.person()
    gift = world.paid_gift(circle, buyer)
    world.claim(receiver, gift["code"]).ok(200)

    assert world.refund(buyer, gift["invoice_id"]).code == "gift_claimed_no_refund"
    assert world.refund(receiver, gift["invoice_id"]).status == 404
    world.refund(circle.owner, gift["invoice_id"]).ok(201)

    membership = world.membership(receiver, circle)
    assert (membership["status"], membership["tier"]) == ("expired", None)


def test_it_begins_where_what_they_have_ends(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    code = world.paid_gift(circle, world.person(), circle.tier(1))["code"]
    member = world.member(circle, days=10)

    claimed = world.claim(member, code).ok(200)

    assert claimed["gift"]["starts_at"] == "2026-03-11T04:00:00Z"
    assert claimed["membership"]["access_until"] == "2026-04-11T04:00:00Z"


def test_a_better_tier_begins_at_once(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    code = world.paid_gift(circle, world.person(), circle.tier(2))["code"]

    claimed = world.claim(member, code).ok(200)

    assert claimed["gift"]["starts_at"] == "2026-03-01T04:00:00Z"
    assert claimed["membership"]["tier"]["rank"] == 2


def subscriber(world: World, circle: BuiltCircle, rank: int = 1) -> Person:
    """Somebody whose subscription renews by itself."""
    person = world.person("订阅人")
    joined = world.join(person, circle, circle.tier(rank), collection="auto")
    world.pay(person, joined["checkout"])
    person.extra["subscription_id"] = joined["subscription"]["id"]
    return person


def test_a_gift_puts_the_renewal_off(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    code = world.paid_gift(circle, world.person())["code"]
    clock.advance(timedelta(days=20))

    claimed = world.claim(member, code).ok(200)
    world.live(clock, days=40)

    assert (claimed["gift"]["starts_at"], claimed["gift"]["ends_at"]) == (
        "2026-04-01T04:00:00Z",
        "2026-05-01T04:00:00Z",
    )
    assert len(member.api.get("/me/invoices").ok()["items"]) <= 2
    assert world.subscription(member)["current_period_end"] == "2026-05-01T04:00:00Z"
    world.live(clock, days=5)
    renewal = member.api.get("/me/invoices").ok()["items"][0]
    assert (renewal["status"], renewal["period_start"], renewal["period_end"]) == (
        "paid",
        "2026-05-01T04:00:00Z",
        "2026-06-01T04:00:00Z",
    )


def test_a_renewal_that_was_billed_already_is_taken_back(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    code = world.paid_gift(circle, world.person())["code"]
    world.live(clock, days=28)
    billed = member.api.get("/me/invoices").ok()["items"][0]

    world.claim(member, code).ok(200)

    assert billed["kind"] == "renewal"
    assert world.invoice(member, billed["id"])["status"] == "void"
    assert world.membership(member, circle)["access_until"] == "2026-05-01T04:00:00Z"


def test_a_gift_that_is_given_back_lets_the_subscription_renew_as_before(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = subscriber(world, circle)
    gift = world.paid_gift(circle, world.person())
    world.claim(member, gift["code"]).ok(200)

    world.refund(circle.owner, gift["invoice_id"]).ok(201)

    assert world.subscription(member)["current_period_end"] == "2026-04-01T04:00:00Z"
    world.live(clock, days=33)
    assert world.membership(member, circle)["access_until"] == "2026-05-01T04:00:00Z"


def test_a_lesser_gift_waits_until_the_subscription_is_cancelled(world: World) -> None:
    circle = world.circle()
    member = subscriber(world, circle, rank=2)
    code = world.paid_gift(circle, world.person(), circle.tier(1))["code"]

    assert world.claim(member, code).code == "subscription_renews"
    member.api.post(f"/subscriptions/{member.extra['subscription_id']}/cancel").ok()

    assert world.claim(member, code).ok(200)["gift"]["starts_at"] == "2026-04-01T04:00:00Z"


def test_who_has_it_for_good_leaves_it_to_others(world: World) -> None:
    circle = world.circle(tiers=())
    circle.tiers["终身"] = world.tier(circle, "终身", 1, 99900, interval="lifetime")
    member = world.paying_member(circle)
    code = world.paid_gift(circle, world.person())["code"]

    assert world.claim(member, code).code == "nothing_to_add"
    assert world.claim(world.person(), code).ok(200)["gift"]["ends_at"] is None


def test_a_gift_with_a_fixed_end_is_worth_nothing_after_it(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    end = clock.now() + timedelta(days=20)
    circle.tiers["训练营"] = world.tier(circle, "训练营", 1, 9900, interval="fixed", fixed_end_at=end)
    buyer, member = world.person(), world.paying_member(circle)
    gift = world.paid_gift(circle, buyer)

    assert world.claim(member, gift["code"]).code == "nothing_to_add"
    clock.set(end)
    assert world.claim(world.person(), gift["code"]).code == "gift_not_usable"
    world.run_billing("end")
    assert world.refund(buyer, gift["invoice_id"]).ok(201)["status"] == "succeeded"


def test_a_circle_that_chooses_its_members_chooses_here_too(world: World) -> None:
    circle = world.circle(join_policy="approval")
    receiver = world.person()
    code = world.paid_gift(circle, world.person())["code"]

    assert world.claim(receiver, code).code == "not_let_in"
    assert world.membership(receiver, circle)["status"] == "pending"
    circle.owner.api.post(f"{circle.path}/members/{receiver.id}/approve").ok()

    assert world.claim(receiver, code).ok(200)["membership"]["status"] == "active"


def test_a_banned_person_does_not_come_in_by_a_gift(world: World) -> None:
    circle = world.circle()
    banned = world.banned_member(circle)
    code = world.paid_gift(circle, world.person())["code"]

    assert world.claim(banned, code).code == "banned"
    assert banned.api.post(f"{circle.path}/gifts", {"price_id": str(circle.tier(1).price_id)}).code == "banned"


def test_a_gift_of_a_full_tier_waits_for_a_seat(world: World) -> None:
    circle = world.circle(tiers=())
    circle.tiers["小班"] = world.tier(circle, "小班", 1, 1900, seats=1)
    code = world.paid_gift(circle, world.person())["code"]
    world.paying_member(circle)

    assert world.claim(world.person(), code).code == "seats_taken"


def test_only_what_is_offered_for_money_is_given(world: World, sql: Any) -> None:
    circle, other = world.circle(tiers=(("免费", 1, 0), ("读者", 2, 1900))), world.circle()
    buyer = world.person()

    for price_id in (circle.tier(1).price_id, other.tier(1).price_id):
        sent = {"price_id": str(price_id)}
        assert buyer.api.post(f"{circle.path}/gifts", sent).code == "unknown_price"
    for extra in ({"amount": 1}, {"currency": "USD"}, {"message": "x" * 501}, {"price_id": 7}):
        sent = {"price_id": str(circle.tier(2).price_id), **extra}
        assert buyer.api.post(f"{circle.path}/gifts", sent).status == 422
    assert sql("SELECT 1 FROM gifts") == []
    assert sql("SELECT 1 FROM invoices") == []


@pytest.mark.parametrize("code", ["", "short", "x" * 41, None, 12345678])
def test_what_is_no_code_is_refused(world: World, code: object) -> None:
    assert world.person().api.post("/gifts/claim", {"code": code}).status == 422
