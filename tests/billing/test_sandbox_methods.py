"""Every way in which a payment can go: declined, confirmed, pending, lost on the way there or back, slow."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import Api, World


@pytest.mark.parametrize(
    ("token", "code", "retry"),
    [("decline_soft", "insufficient_funds", "soft"), ("decline_hard", "card_lost", "hard")],
)
def test_a_declined_payment_gives_nothing_and_may_be_tried_again(
    world: World, token: str, code: str, retry: str
) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert world.pay(person, checkout, token) == {"status": "failed", "action": None, "code": code, "retry": retry}
    assert world.membership(person, circle)["status"] == "pending"

    assert world.pay(person, checkout)["status"] == "succeeded"
    invoice = world.invoice(person, checkout["invoice_id"])
    assert [attempt["status"] for attempt in invoice["attempts"]] == ["failed", "succeeded"]


def test_a_card_that_begins_to_work_again(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    method = world.method(person, "decline_soft")
    path, sent = f"/checkouts/{checkout['id']}/pay", {"payment_method": method}
    assert person.api.post(path, sent, headers=idempotency_key()).ok()["status"] == "failed"

    person.api.patch(f"/me/payment-methods/{method}", {"token": "ok"}).ok()

    assert person.api.post(path, sent, headers=idempotency_key()).ok()["status"] == "succeeded"


def test_a_payment_that_has_to_be_confirmed_succeeds_on_the_page(world: World, api: Api) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    answer = world.pay(person, checkout, "needs_auth")
    assert answer["status"] == "requires_action"
    assert answer["action"] == {"type": "redirect", "url": checkout["url"]}
    number = world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]
    world.sandbox.decide(number, approve=True)
    world.deliver_webhooks(api)
    world.run_billing("inbox")

    assert person.api.get(f"/checkouts/{checkout['id']}").ok()["payment"]["status"] == "succeeded"
    assert world.membership(person, circle)["status"] == "active"


def test_another_method_takes_the_place_of_one_to_be_confirmed(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "needs_auth")

    assert world.pay(person, checkout, "ok")["status"] == "succeeded"

    attempts = world.invoice(person, checkout["invoice_id"])["attempts"]
    assert [(one["status"], one["failure_code"]) for one in attempts] == [("failed", "closed"), ("succeeded", None)]


def test_a_confirmation_that_came_first_counts(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "needs_auth")
    number = world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]
    world.sandbox.decide(number, approve=True)

    assert world.pay(person, checkout, "ok")["status"] == "succeeded"

    assert len(world.invoice(person, checkout["invoice_id"])["attempts"]) == 1


def test_a_confirmation_without_a_webhook_is_found_by_the_sweeper(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "needs_auth")
    world.sandbox.decide(world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"], approve=True)

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    assert world.membership(person, circle)["status"] == "active"


@pytest.mark.parametrize("token", ["pending_then_ok", "lost_request", "lost_answer", "slow"])
def test_a_payment_without_an_answer_is_processing_and_charged_once(
    world: World, clock: ManualClock, sql: Any, token: str
) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    assert world.pay(person, checkout, token)["status"] == "processing"
    # Impatience changes nothing.
    assert world.pay(person, checkout, "ok")["status"] == "processing"
    assert world.membership(person, circle)["status"] == "pending"

    clock.advance(timedelta(minutes=3))
    assert world.run_billing("resolve") == 1

    assert world.membership(person, circle)["status"] == "active"
    assert len(world.invoice(person, checkout["invoice_id"])["attempts"]) == 1
    assert sql("SELECT count(*) AS n FROM sandbox_charges WHERE state = 'succeeded'")[0]["n"] == 1


def test_an_answer_that_stays_away_is_asked_for_ever_more_rarely(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person = world.person()
    world.pay(person, world.checkout(person, circle), "slow")
    sql("UPDATE sandbox_charges SET settles_at = settles_at + interval '100 years'")

    asked = []
    for minute in range(1, 31):
        clock.advance(timedelta(minutes=1))
        if world.run_billing("resolve"):
            asked.append(minute)

    assert asked == [2, 6, 14, 30]


def test_a_lost_request_is_not_sent_again_after_twenty_hours(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_request")

    clock.advance(timedelta(hours=21))
    world.run_billing("resolve")

    attempt = world.invoice(person, checkout["invoice_id"])["attempts"][0]
    assert (attempt["status"], attempt["failure_code"]) == ("failed", "never_sent")
    assert sql("SELECT state FROM sandbox_charges")[0]["state"] == "lost"


def test_a_lost_request_is_not_sent_again_once_nothing_is_owed(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_request")
    person.api.post(f"/subscriptions/{checkout['subscription_id']}/cancel").ok()

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    attempt = world.invoice(person, checkout["invoice_id"])["attempts"][0]
    assert (attempt["status"], attempt["failure_code"]) == ("failed", "closed")
    assert sql("SELECT state FROM sandbox_charges")[0]["state"] == "lost"


def test_a_person_manages_their_payment_methods(world: World) -> None:
    person, other = world.person(), world.person()
    method = world.method(person)

    assert [one["label"] for one in person.api.get("/me/payment-methods").ok()["items"]] == ["ok"]
    assert other.api.patch(f"/me/payment-methods/{method}", {"token": "ok"}).status == 404
    assert other.api.delete(f"/me/payment-methods/{method}").status == 404
    stale = person.api.patch(f"/me/payment-methods/{method}", {"token": "slow"}, headers={"If-Match": '"7-x"'})
    assert stale.status == 412
    assert person.api.delete(f"/me/payment-methods/{method}").status == 204
    assert person.api.get("/me/payment-methods").ok()["items"] == []
