"""Stripe over HTTP: joining, declines, confirmations, lost requests and answers, refunds, settlement."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from stripe import PaymentIntentService

from circle.billing.providers import stripe as stripe_module
from circle.billing.providers.base import Order, Outcome, OutcomeState, PayoutOrder, RefundOrder, Retry, number_of
from circle.billing.providers.stripe import Stripe
from circle.config import Settings
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.uow import NetworkInsideUnitOfWork
from tests.billing.stripes import CAREFUL_CARD, DECLINED_CARD, KEY, HonestStripe, number_for, pay
from tests.client import Api, World

CHARGES, REFUNDS = "/v1/payment_intents", "/v1/refunds"
MINUTES = timedelta(minutes=3)


def order(card: str, *, on_session: bool = False, amount: int = 1900) -> Order:
    return Order(
        number=number_of(new_id()),
        provider="stripe",
        method=card,
        amount=amount,
        currency="CNY",
        description="读书会",
        return_url="https://circle.example/checkout/1",
        on_session=on_session,
    )


def refund_of(charge: Order, outcome: Outcome, amount: int = 1900) -> RefundOrder:
    return RefundOrder(
        number=number_of(new_id()),
        provider="stripe",
        charge_number=charge.number,
        charge_reference=outcome.reference,
        amount=amount,
        currency="CNY",
        reason="买错了",
    )


def test_a_card_pays_and_is_kept_for_renewals(world: World, stripe: HonestStripe, adapter: Stripe) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    card = stripe.card()

    assert pay(person, checkout, card)["status"] == "succeeded"

    assert world.membership(person, circle)["status"] == "active"
    [sent] = stripe.calls(CHARGES)
    assert (sent["key"], sent["metadata[circle_number]"]) == (number_for(world, person, checkout),) * 2
    assert adapter.charge(order(card)).state == OutcomeState.SUCCEEDED


@pytest.mark.parametrize(
    ("decline_code", "retry"),
    [
        ("insufficient_funds", "soft"),
        ("a_code_of_next_year", "soft"),
        ("stolen_card", "hard"),
        ("expired_card", "hard"),
        ("authentication_required", "auth"),
    ],
)
def test_a_declined_card_gives_nothing(world: World, stripe: HonestStripe, decline_code: str, retry: str) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    stripe.network(decline_code=decline_code)

    answer = pay(person, checkout, stripe.card(DECLINED_CARD))

    assert answer == {"status": "failed", "action": None, "code": decline_code, "retry": retry}
    assert pay(person, checkout, stripe.card())["status"] == "succeeded"


@pytest.mark.parametrize("told_by", ["webhook", "sweeper"])
def test_a_payment_is_confirmed_at_the_bank(
    world: World, api: Api, clock: ManualClock, stripe: HonestStripe, told_by: str
) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)

    answer = pay(person, checkout, stripe.card(CAREFUL_CARD))
    assert answer["status"] == "requires_action"
    assert answer["action"]["url"].startswith("https://hooks.stripe.com/")
    number = number_for(world, person, checkout)
    stripe.confirm(number)
    if told_by == "webhook":
        headers, body = stripe.webhook(stripe.intents(number)[0], clock.now())
        api.request("POST", "/webhooks/stripe", headers=headers, data=body).ok(200)
        world.run_billing("inbox")
    else:
        clock.advance(MINUTES)
        world.run_billing("resolve")

    assert world.membership(person, circle)["status"] == "active"


def test_a_confirmation_that_fails_is_a_failure(world: World, clock: ManualClock, stripe: HonestStripe) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    pay(person, checkout, stripe.card(CAREFUL_CARD))
    stripe.confirm(number_for(world, person, checkout), success=False)

    clock.advance(MINUTES)
    world.run_billing("resolve")

    [attempt] = world.invoice(person, checkout["invoice_id"])["attempts"]
    assert (attempt["status"], attempt["failure_code"]) == ("failed", "payment_intent_authentication_failure")


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "error_before", "error_after"])
def test_a_payment_without_an_answer_is_charged_once(
    world: World, clock: ManualClock, stripe: HonestStripe, fault: str
) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    stripe.network(fault)

    assert pay(person, checkout, stripe.card())["status"] == "processing"
    # Impatience changes nothing.
    assert pay(person, checkout, stripe.card())["status"] == "processing"
    clock.advance(MINUTES)
    world.run_billing("resolve")

    assert world.membership(person, circle)["status"] == "active"
    assert [one["status"] for one in stripe.intents(number_for(world, person, checkout))] == ["succeeded"]


def test_one_key_is_one_charge_even_before_the_search_knows_it(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(), on_session=True)

    first, again = adapter.start(sent), adapter.start(sent)

    assert first == again
    assert len(stripe.intents(sent.number)) == 1


def test_a_replayed_answer_is_not_believed_once_it_is_old(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(CAREFUL_CARD), on_session=True)
    assert adapter.start(sent).state == OutcomeState.REQUIRES_ACTION
    stripe.confirm(sent.number)

    assert adapter.start(sent).state == OutcomeState.SUCCEEDED


def test_a_charge_that_is_sent_again_in_other_words_is_the_same_charge(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(), on_session=True)
    first = adapter.start(sent)

    assert adapter.start(replace(sent, description="另一个名字")) == first
    assert len(stripe.intents(sent.number)) == 1


def test_an_answer_that_takes_too_long_is_no_failure(
    stripe: HonestStripe, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_module, "READ_SECONDS", 0.5)
    hasty = Stripe(replace(settings, stripe_secret_key=KEY, stripe_webhook_secret="", stripe_api_base=stripe.url))
    sent = order(stripe.card(), on_session=True)
    stripe.network("slow")

    assert hasty.start(sent).state == OutcomeState.UNKNOWN

    assert len(stripe.calls(CHARGES)) == 1
    assert hasty.query(sent.number).state == OutcomeState.SUCCEEDED


def test_nobody_answers_at_all(settings: Settings, app: Any) -> None:
    nowhere = Stripe(
        replace(settings, stripe_secret_key=KEY, stripe_webhook_secret="", stripe_api_base="http://127.0.0.1:9")
    )

    assert nowhere.query(number_of(new_id())).state == OutcomeState.UNKNOWN


def test_a_renewal_needs_no_payer(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card())

    assert adapter.charge(sent).state == OutcomeState.SUCCEEDED

    [call] = stripe.calls(CHARGES)
    assert (call["off_session"], call["confirm"]) == ("true", "true")


def test_a_renewal_that_needs_its_payer_is_declined_until_they_are_there(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(CAREFUL_CARD))

    outcome = adapter.charge(sent)

    assert (outcome.state, outcome.retry, outcome.code) == (
        OutcomeState.FAILED,
        Retry.AUTH,
        "authentication_required",
    )
    assert adapter.query(sent.number).retry == Retry.AUTH


def test_a_card_that_stripe_does_not_know_needs_another(stripe: HonestStripe, adapter: Stripe) -> None:
    outcome = adapter.charge(order("pm_nobody"))

    assert (outcome.state, outcome.retry) == (OutcomeState.FAILED, Retry.HARD)


def test_a_declined_charge_is_known_by_its_reference(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(DECLINED_CARD), on_session=True)

    outcome = adapter.start(sent)

    assert (outcome.state, outcome.reference) == (OutcomeState.FAILED, stripe.intents(sent.number)[0]["id"])


def test_a_number_that_was_never_sent(stripe: HonestStripe, adapter: Stripe) -> None:
    number = number_of(new_id())

    assert adapter.query(number).state == OutcomeState.NOT_FOUND
    assert adapter.close(number).state == OutcomeState.NOT_FOUND
    assert adapter.query_refund(number).state == OutcomeState.NOT_FOUND


def test_somebody_elses_reference_is_not_ours(stripe: HonestStripe, adapter: Stripe) -> None:
    theirs = adapter.charge(order(stripe.card()))

    assert adapter.query(number_of(new_id()), theirs.reference).state == OutcomeState.NOT_FOUND


def test_what_was_given_up_can_not_be_paid(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card(CAREFUL_CARD), on_session=True)
    reference = adapter.start(sent).reference

    outcome = adapter.close(sent.number, reference)

    assert (outcome.state, outcome.retry, outcome.code) == (OutcomeState.FAILED, Retry.NEVER, "closed")
    assert stripe.intents(sent.number)[0]["status"] == "canceled"


def test_what_was_paid_can_not_be_given_up(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card())
    adapter.charge(sent)

    outcome = adapter.close(sent.number)

    assert (outcome.state, outcome.amount, outcome.currency) == (OutcomeState.SUCCEEDED, 1900, "CNY")


def test_what_has_a_reference_is_found_before_the_search_knows_it(
    stripe: HonestStripe, adapter: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, charged = order(stripe.card(CAREFUL_CARD), on_session=True), order(stripe.card())
    reference, paid = adapter.start(waiting).reference, adapter.charge(charged)
    monkeypatch.setattr(PaymentIntentService, "search", lambda *_: SimpleNamespace(data=[]))
    back = refund_of(charged, paid)

    assert adapter.query(waiting.number).state == OutcomeState.NOT_FOUND
    assert adapter.query(waiting.number, reference).state == OutcomeState.REQUIRES_ACTION
    assert adapter.close(waiting.number, reference).code == "closed"
    assert adapter.refund(replace(back, charge_reference=None)).state == OutcomeState.UNKNOWN
    assert adapter.refund(back).state == OutcomeState.SUCCEEDED


def test_creators_are_paid_by_hand(adapter: Stripe) -> None:
    order = PayoutOrder(number_of(new_id()), "stripe", "acct_1", 500, "CNY", "读书会")

    assert not adapter.accepts_payee(order.payee)
    assert (adapter.payout(order).state, adapter.payout(order).code) == (OutcomeState.FAILED, "not_offered")
    assert adapter.query_payout(order.number).state == OutcomeState.NOT_FOUND


@pytest.mark.parametrize("fault", [None, "lost_request", "lost_answer", "error_before", "error_after"])
def test_a_refund_gives_back_once(world: World, clock: ManualClock, stripe: HonestStripe, fault: str | None) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    pay(person, checkout, stripe.card())
    stripe.network(*([fault] if fault else []))

    world.refund(person, checkout["invoice_id"]).ok(201)
    clock.advance(MINUTES)
    world.run_billing("refund")

    assert world.invoice(person, checkout["invoice_id"])["status"] == "refunded"
    assert world.membership(person, circle)["status"] != "active"
    assert len({call["key"] for call in stripe.calls(REFUNDS)}) == 1


def test_more_than_was_paid_is_not_given_back(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card())
    paid = adapter.charge(sent)
    part = refund_of(sent, paid, 1000)
    assert adapter.refund(part).state == OutcomeState.SUCCEEDED

    refused = adapter.refund(refund_of(sent, paid, 901))
    assert (refused.state, refused.retry) == (OutcomeState.FAILED, Retry.NEVER)

    for reference in (None, paid.reference, adapter.query_refund(part.number).reference):
        assert adapter.query_refund(part.number, reference).amount == 1000


def test_the_books_of_a_day(stripe: HonestStripe, adapter: Stripe) -> None:
    sent = order(stripe.card())
    paid = adapter.charge(sent)
    back = refund_of(sent, paid, 500)
    adapter.refund(back)
    today = datetime.fromtimestamp(stripe.intents(sent.number)[0]["created"], UTC).date()

    lines = {
        line.number: (line.kind, line.amount, line.currency)
        for day in (today, today + timedelta(days=1))
        for line in adapter.settlement(day)
    }

    assert lines[sent.number] == ("charge", 1900, "CNY")
    assert lines[back.number] == ("refund", -500, "CNY")
    assert adapter.settlement(today - timedelta(days=400)) == []


def test_stripe_is_never_called_inside_a_transaction(world: World, adapter: Stripe) -> None:
    with pytest.raises(NetworkInsideUnitOfWork), world.units.write():
        adapter.query("0" * 32)


def test_keys_of_one_account_are_one_account(settings: Settings) -> None:
    def account(key: str) -> str:
        return Stripe(replace(settings, stripe_secret_key=key)).account

    first = account("sk_live_51AbCdEfGhIjKlMnOpSECRET1")
    assert account("rk_live_51AbCdEfGhIjKlMnOpSECRET2") == first
    assert account("sk_test_51AbCdEfGhIjKlMnOpSECRET1") != first
    assert account("sk_live_51ZZZZZZZZZZZZZZZZSECRET1") != first


@pytest.mark.parametrize("token", ["ok", "cus_1", "pm_", "pm_1/../x", "pm_" + "a" * 65])
def test_only_payment_methods_of_stripe_are_kept(world: World, stripe: HonestStripe, token: str) -> None:
    reply = world.person().api.post("/me/payment-methods", {"provider": "stripe", "token": token})

    assert reply.fields == {"token": "unknown_token"}
