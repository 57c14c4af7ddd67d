"""Money going back: by the payer within the window, by the creator at any time, never too much."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World


def test_a_payer_has_everything_back_within_the_window(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    clock.advance(timedelta(hours=71))

    refund = world.refund(member, member.extra["invoice_id"]).ok(201)

    assert (refund["status"], refund["amount"]) == ("succeeded", {"amount": 1900, "currency": "CNY"})
    invoice = world.invoice(member, member.extra["invoice_id"])
    assert (invoice["status"], invoice["refunded"]["amount"]) == ("refunded", 1900)
    membership = world.membership(member, circle)
    assert (membership["status"], membership["tier"], membership["subscription"]) == ("expired", None, None)
    assert member.api.get(f"/subscriptions/{member.extra['subscription_id']}").ok()["status"] == "canceled"
    assert sql("SELECT revoked_for FROM grants") == [{"revoked_for": "refunded"}]
    balance = circle.owner.api.get(f"{circle.path}/balance").ok()
    assert balance["pending"]["amount"] == 0


def test_after_the_window_only_the_creator_refunds(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]
    clock.advance(timedelta(hours=72))

    assert world.refund(member, invoice_id).code == "refund_window_over"
    assert world.membership(member, circle)["status"] == "active"

    assert world.refund(circle.owner, invoice_id).ok(201)["status"] == "succeeded"
    assert world.membership(member, circle)["status"] == "expired"


def test_a_payer_may_not_keep_access_by_leaving_a_cent(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)

    assert world.refund(member, member.extra["invoice_id"], amount=1899).code == "refund_in_full_only"
    assert world.refund(member, member.extra["invoice_id"], amount=1900).status == 201


def test_a_creator_refunds_in_parts_up_to_the_whole(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    world.refund(circle.owner, invoice_id, amount=1000).ok(201)
    assert world.invoice(member, invoice_id)["status"] == "partially_refunded"
    assert world.membership(member, circle)["status"] == "active"
    too_large = world.refund(circle.owner, invoice_id, amount=901)
    assert (too_large.code, too_large.json["data"]) == ("refund_too_large", {"left": 900})
    world.refund(circle.owner, invoice_id, amount=900).ok(201)

    assert world.invoice(member, invoice_id)["status"] == "refunded"
    assert world.membership(member, circle)["status"] == "expired"
    assert world.refund(circle.owner, invoice_id).code == "not_refundable"


def test_a_creator_gives_back_the_rest_of_the_term(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    clock.advance(timedelta(days=20))
    refund = world.refund(circle.owner, invoice_id, pro_rata=True).ok(201)
    again = world.refund(circle.owner, invoice_id, pro_rata=True).ok(201)

    # Eleven of March's 31 days, then of what is left.
    assert refund["amount"]["amount"] == round(1900 * 11 / 31)
    assert again["amount"]["amount"] == round((1900 - round(1900 * 11 / 31)) * 11 / 31)
    assert world.invoice(member, invoice_id)["status"] == "partially_refunded"
    assert world.membership(member, circle)["status"] == "active"
    clock.advance(timedelta(days=12))
    world.run_billing("bill", "end")
    assert world.refund(circle.owner, invoice_id, pro_rata=True).code == "not_refundable"


def test_a_part_by_time_is_the_creators_to_give_and_stands_alone(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    assert world.refund(member, invoice_id, pro_rata=True).code == "refund_in_full_only"
    assert world.refund(circle.owner, invoice_id, pro_rata=True, amount=5).fields == {"amount": "one_of"}
    assert world.refund(circle.owner, invoice_id, pro_rata="yes").status == 422


def test_the_operators_share_goes_back_in_proportion(world: World, five_percent: None) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]

    for amount in (333, 333, 333, 901):
        world.refund(circle.owner, invoice_id, amount=amount).ok(201)

    movements = circle.owner.api.get(f"{circle.path}/ledger").ok()["items"]
    totals: dict[str, int] = {}
    for movement in movements:
        for entry in movement["entries"]:
            totals[entry["account"]] = totals.get(entry["account"], 0) + entry["amount"]["amount"]
    assert totals == {"clearing": 0, "creator_pending": 0, "platform_fee": 0}


def test_a_late_refund_may_make_the_balance_negative(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    first, _ = world.paying_member(circle), world.paying_member(circle)
    clock.advance(timedelta(hours=73))
    assert world.run_billing("release") == 2

    world.refund(circle.owner, first.extra["invoice_id"]).ok(201)

    balance = circle.owner.api.get(f"{circle.path}/balance").ok()
    assert (balance["pending"]["amount"], balance["available"]["amount"]) == (0, 1900)


def test_money_on_its_way_back_is_not_released(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "pending_then_ok")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    clock.advance(timedelta(hours=71))

    assert world.refund(person, checkout["invoice_id"]).ok(201)["status"] == "processing"
    clock.advance(timedelta(hours=2))
    assert world.run_billing("release") == 0
    assert world.run_billing("refund") == 1

    assert world.invoice(person, checkout["invoice_id"])["status"] == "refunded"
    assert circle.owner.api.get(f"{circle.path}/balance").ok()["available"]["amount"] == 0


@pytest.mark.parametrize("way", ["lost_request", "lost_answer", "slow"])
def test_a_refund_without_an_answer_is_made_once(world: World, clock: ManualClock, sql: Any, way: str) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, way)
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    assert world.refund(person, checkout["invoice_id"]).ok(201)["status"] == "processing"
    assert world.refund(person, checkout["invoice_id"]).code == "not_refundable"
    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert world.invoice(person, checkout["invoice_id"])["status"] == "refunded"
    assert sql("SELECT sum(amount) AS n FROM sandbox_refunds WHERE state = 'succeeded'")[0]["n"] == 1900


def test_a_refund_that_a_provider_refuses_can_be_asked_for_again(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    sql("UPDATE sandbox_charges SET state = 'frozen'")

    refund = world.refund(member, member.extra["invoice_id"]).ok(201)

    assert (refund["status"], refund["failure_code"]) == ("failed", "no_such_charge")
    assert world.membership(member, circle)["status"] == "active"
    sql("UPDATE sandbox_charges SET state = 'succeeded'")
    assert world.refund(member, member.extra["invoice_id"]).ok(201)["status"] == "succeeded"


def test_a_webhook_tells_of_a_refund(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "pending_then_ok")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    world.refund(person, checkout["invoice_id"]).ok(201)

    clock.advance(timedelta(seconds=70))
    world.run_billing("sandbox", "inbox")

    assert world.invoice(person, checkout["invoice_id"])["status"] == "refunded"


def test_only_payer_and_owner_refund(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]
    partner = world.member(circle, role="partner")

    assert world.refund(world.person(), invoice_id).status == 404
    assert world.refund(world.circle().owner, invoice_id).status == 404
    assert world.refund(world.paying_member(circle), invoice_id).status == 404
    assert world.refund(partner, invoice_id).code == "missing_permission"


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1900", 2**63, True])
def test_a_refund_is_a_positive_whole_number(world: World, amount: object) -> None:
    circle = world.circle()
    member = world.paying_member(circle)

    assert world.refund(circle.owner, member.extra["invoice_id"], amount=amount).status == 422
    assert world.invoice(member, member.extra["invoice_id"])["refunded"]["amount"] == 0


def test_an_unpaid_invoice_has_nothing_to_refund(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert world.refund(person, checkout["invoice_id"]).code == "not_refundable"
    assert world.refund(circle.owner, checkout["invoice_id"]).code == "not_refundable"


def test_a_refund_needs_an_idempotency_key_and_happens_once_for_one(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    path, sent = f"/invoices/{member.extra['invoice_id']}/refund", {"amount": 100, "reason": "补偿"}
    key = idempotency_key()

    assert circle.owner.api.post(path, sent).code == "idempotency_key_required"
    first, second = (circle.owner.api.post(path, sent, headers=key).ok(201) for _ in range(2))

    assert first == second
    assert world.invoice(member, member.extra["invoice_id"])["refunded"]["amount"] == 100
