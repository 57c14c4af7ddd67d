"""Stripe's notifications: verified, kept once, and believed in nothing but where to look."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from stripe import PaymentIntentService

from circle.kernel.clock import ManualClock
from tests.billing.stripes import HonestStripe, number_for, pay
from tests.client import Api, World


def test_webhooks_of_stripe_are_verified(world: World, api: Api, clock: ManualClock, stripe: HonestStripe) -> None:
    about = {"id": "pi_1", "object": "payment_intent", "metadata": {"circle_number": "0" * 32}}
    headers, body = stripe.webhook(about, clock.now())

    def code_of(headers: dict[str, str], body: bytes) -> str | None:
        return api.request("POST", "/webhooks/stripe", headers=headers, data=body).code

    assert code_of(headers, body) is None
    assert code_of(headers, body.replace(b"0", b"1")) == "bad_signature"
    assert code_of(headers, b"\xff" + body) == "bad_signature"
    assert code_of({}, body) == "bad_signature"
    assert code_of({"Stripe-Signature": "t=1,v1=00"}, body) == "bad_signature"
    for age in (timedelta(seconds=301), -timedelta(seconds=301)):
        assert code_of(*stripe.webhook(about, clock.now() - age)) == "notification_too_old"
    assert code_of(*stripe.webhook({"id": "x"}, clock.now())) == "unreadable_notification"


@pytest.mark.parametrize(
    ("about", "result"),
    [
        ({"id": "pi_1", "object": "payment_intent", "metadata": {}}, "not_ours"),
        ({"id": "dp_1", "object": "dispute", "metadata": {}}, "not_ours"),
        ({"id": "re_1", "object": "refund", "metadata": {"circle_number": "0" * 32}}, "not_ours"),
        ({"id": "ch_1", "object": "charge", "payment_intent": None, "metadata": None}, "not_ours"),
    ],
)
def test_news_of_other_business_is_taken_and_left_alone(
    world: World, api: Api, clock: ManualClock, stripe: HonestStripe, sql: Any, about: dict[str, Any], result: str
) -> None:
    headers, body = stripe.webhook(about, clock.now())
    api.request("POST", "/webhooks/stripe", headers=headers, data=body).ok(200)

    world.run_billing("inbox")

    assert sql("SELECT result FROM provider_events") == [{"result": result}]


def test_a_webhook_about_the_charge_itself_leads_to_the_payment(
    world: World, api: Api, clock: ManualClock, stripe: HonestStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    stripe.network("lost_answer")
    pay(person, checkout, stripe.card())
    number = number_for(world, person, checkout)
    [intent] = stripe.intents(number)
    # Before the search knows of it.
    monkeypatch.setattr(PaymentIntentService, "search", lambda *_: SimpleNamespace(data=[]))

    about = {"id": "ch_1", "object": "charge", "payment_intent": intent["id"], "metadata": {"circle_number": number}}
    headers, body = stripe.webhook(about, clock.now())
    api.request("POST", "/webhooks/stripe", headers=headers, data=body).ok(200)
    world.run_billing("inbox")

    assert world.membership(person, circle)["status"] == "active"
