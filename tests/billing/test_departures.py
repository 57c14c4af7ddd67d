"""Cancelling, leaving, being removed, deleting the account: nobody is charged afterwards."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World


def test_a_cancelled_subscription_runs_to_its_end(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    path = f"/subscriptions/{member.extra['subscription_id']}"

    cancelled = member.api.post(f"{path}/cancel").ok(200)
    assert (cancelled["status"], cancelled["cancel_at_period_end"]) == ("active", True)
    assert world.membership(member, circle)["status"] == "active"
    clock.advance(timedelta(days=32))
    world.run_billing("bill", "end")

    assert member.api.get(path).ok()["status"] == "canceled"
    assert member.api.post(f"{path}/uncancel").code == "wrong_state"
    assert member.api.post(f"{path}/cancel").ok()["status"] == "canceled"


def test_a_cancellation_can_be_taken_back(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    path = f"/subscriptions/{member.extra['subscription_id']}"
    member.api.post(f"{path}/cancel").ok()

    uncancelled = member.api.post(f"{path}/uncancel").ok()

    assert (uncancelled["cancel_at_period_end"], uncancelled["canceled_at"]) == (False, None)
    clock.advance(timedelta(days=40))
    world.run_billing("bill", "end")
    assert member.api.get(path).ok()["status"] == "expired"


def test_an_unpaid_subscription_is_cancelled_at_once(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    cancelled = person.api.post(f"/subscriptions/{checkout['subscription_id']}/cancel").ok()

    assert cancelled["status"] == "canceled"
    assert person.api.get(f"/checkouts/{checkout['id']}").ok()["status"] == "expired"
    sent = {"payment_method": world.method(person)}
    paying = person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key())
    assert paying.code == "checkout_expired"


def test_money_that_comes_after_a_cancellation_goes_back(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_answer")
    person.api.post(f"/subscriptions/{checkout['subscription_id']}/cancel").ok()

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve", "refund")
    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert world.membership(person, circle)["status"] == "pending"
    assert sql("SELECT status, surplus FROM refunds") == [{"status": "succeeded", "surplus": True}]


def test_only_its_member_cancels_a_subscription(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    path = f"/subscriptions/{member.extra['subscription_id']}"

    assert world.person().api.post(f"{path}/cancel").status == 404
    assert circle.owner.api.post(f"{path}/cancel").code == "not_your_subscription"
    assert circle.owner.api.get(path).ok()["status"] == "active"


def test_leaving_ends_the_subscription_and_keeps_the_money(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)

    assert member.api.post(f"{circle.path}/leave").status in {200, 204}

    assert member.api.get(f"/subscriptions/{member.extra['subscription_id']}").ok()["status"] == "canceled"
    assert world.invoice(member, member.extra["invoice_id"])["status"] == "paid"


def test_leaving_with_an_open_checkout_gives_it_up(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert person.api.post(f"{circle.path}/leave").status in {200, 204}

    assert world.invoice(person, checkout["invoice_id"])["status"] == "void"


def test_removal_refunds_where_that_is_chosen(world: World) -> None:
    circle = world.circle()
    kept, refunded = world.paying_member(circle), world.paying_member(circle)

    circle.owner.api.post(f"{circle.path}/members/{kept.id}/remove", {"refund": False}).ok()
    circle.owner.api.post(f"{circle.path}/members/{refunded.id}/ban", {"refund": True}).ok()
    assert world.run_billing("refund") == 1

    assert world.invoice(kept, kept.extra["invoice_id"])["status"] == "paid"
    given_back = world.invoice(refunded, refunded.extra["invoice_id"])
    assert (given_back["status"], given_back["refunds"][0]["reason"]) == ("refunded", "removed")
    for person in (kept, refunded):
        assert person.api.get(f"/subscriptions/{person.extra['subscription_id']}").ok()["status"] == "canceled"


def test_terms_that_are_over_are_not_refunded_by_a_removal(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    first = member.extra["invoice_id"]
    clock.advance(timedelta(days=40))
    world.run_billing("bill", "end")
    world.paying_member(circle, person=member)

    circle.owner.api.post(f"{circle.path}/members/{member.id}/remove", {"refund": True}).ok()
    world.run_billing("refund")

    assert world.invoice(member, first)["status"] == "paid"
    assert world.invoice(member, member.extra["invoice_id"])["status"] == "refunded"


def test_a_deleted_account_is_not_charged(world: World, clock: ManualClock, sql: Any) -> None:
    circle, other = world.circle(), world.circle()
    person = world.paying_member(circle)
    world.pay(person, world.checkout(person, other), "lost_answer")

    person.api.delete("/me", json={}).ok(204)
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve", "refund")
    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert {row["status"] for row in sql("SELECT status FROM subscriptions")} == {"canceled"}
    assert sql("SELECT 1 FROM payment_methods WHERE removed_at IS NULL") == []
    assert sql("SELECT status FROM refunds") == [{"status": "succeeded"}]
