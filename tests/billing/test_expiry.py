"""Checkouts that nobody pays in time, and money that comes too late."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World

LATE = timedelta(minutes=31)


def test_an_unpaid_checkout_expires(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    method = world.method(person)

    clock.advance(LATE)
    assert person.api.get(f"/checkouts/{checkout['id']}").ok()["status"] == "expired"
    paying = person.api.post(f"/checkouts/{checkout['id']}/pay", {"payment_method": method}, headers=idempotency_key())
    assert paying.code == "checkout_expired"
    assert world.run_billing("expire_checkouts") == 1

    assert world.invoice(person, checkout["invoice_id"])["status"] == "void"
    assert person.api.get(f"/subscriptions/{checkout['subscription_id']}").ok()["status"] == "expired"
    assert world.membership(person, circle)["subscription"] is None


def test_a_new_checkout_follows_an_expired_one_even_before_the_sweep(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    first = world.checkout(person, circle)
    clock.advance(LATE)

    second = world.checkout(person, circle)

    assert first["id"] != second["id"]
    assert world.pay(person, second)["status"] == "succeeded"


def test_a_payment_under_way_outlives_its_checkout(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "pending_then_ok")

    clock.advance(LATE)
    assert world.run_billing("expire_checkouts") == 0
    world.run_billing("resolve")

    assert world.membership(person, circle)["status"] == "active"


def test_a_confirmation_that_never_came_is_closed(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "needs_auth")

    clock.advance(LATE)
    world.run_billing("resolve", "expire_checkouts")

    invoice = world.invoice(person, checkout["invoice_id"])
    assert (invoice["status"], invoice["attempts"][0]["failure_code"]) == ("void", "closed")


def test_money_for_an_expired_checkout_goes_back_by_itself(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "decline_soft")
    clock.advance(LATE)
    world.run_billing("expire_checkouts")
    sql("UPDATE sandbox_charges SET state = 'succeeded', code = NULL")
    sql("UPDATE sandbox_events SET delivered_at = NULL")

    world.run_billing("sandbox", "inbox", "refund")

    assert world.membership(person, circle)["status"] == "pending"
    assert world.invoice(person, checkout["invoice_id"])["attempts"][0]["surplus"] is True
    assert sql("SELECT status, amount FROM refunds") == [{"status": "succeeded", "amount": 1900}]


def test_seats_are_held_while_somebody_pays(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    tier = circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    first, second = world.person(), world.person()
    sent = {"price_id": str(tier.price_id), "collection": "manual"}
    checkout = world.checkout(first, circle, tier)

    assert second.api.post(f"{circle.path}/join", sent).code == "seats_taken"
    clock.advance(LATE)
    world.run_billing("expire_checkouts")
    late = world.checkout(second, circle, tier)

    assert world.pay(second, late)["status"] == "succeeded"
    assert first.api.post(f"{circle.path}/join", sent).code == "seats_taken"
    assert world.invoice(first, checkout["invoice_id"])["status"] == "void"


def test_the_last_seat_went_to_somebody_else_meanwhile(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle(tiers=())
    tier = circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    first, second = world.person(), world.person()
    checkout = world.checkout(first, circle, tier)
    world.pay(first, checkout, "slow")
    # The hold has ended and was swept although the payment is still under way.
    sql("UPDATE seats SET released_at = now()")
    sql("UPDATE tiers SET seats_taken = 0")
    world.pay(second, world.checkout(second, circle, tier))

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve", "refund")
    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert world.membership(first, circle)["status"] == "pending"
    assert world.invoice(first, checkout["invoice_id"])["status"] == "void"
    assert sql("SELECT status, surplus FROM refunds") == [{"status": "succeeded", "surplus": True}]
    payment = first.api.get(f"/checkouts/{checkout['id']}").ok()["payment"]
    assert (payment["status"], payment["code"]) == ("failed", "refunded")


def test_a_seat_that_was_lost_before_paying_is_refused(world: World, sql: Any) -> None:
    circle = world.circle(tiers=())
    tier = circle.tiers["小班"] = world.tier(circle, "小班", 1, 9900, seats=1)
    first, second = world.person(), world.person()
    checkout = world.checkout(first, circle, tier)
    sql("UPDATE seats SET released_at = now()")
    sql("UPDATE tiers SET seats_taken = 0")
    world.checkout(second, circle, tier)

    sent = {"payment_method": world.method(first)}
    reply = first.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key())

    assert reply.code == "seats_taken"
    assert world.invoice(first, checkout["invoice_id"])["attempts"] == []
