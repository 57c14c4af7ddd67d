"""What Stripe says and what it means here: each of its words, without a network."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from circle.billing.providers import stripe as adapter
from circle.billing.providers import stripe_words as words
from circle.billing.providers.base import UNKNOWN, Outcome, OutcomeState, Retry, SettlementLine

CONFIRM = {"type": "stripe", "client_secret": "pi_1_secret"}
OURS = {"circle_number": "n1"}
AT_BANK = {"type": "redirect", "url": "https://bank.example"}


def intent(status: str, **more: Any) -> stripe.PaymentIntent:
    said = {
        "id": "pi_1",
        "status": status,
        "amount": 1900,
        "amount_received": 1800,
        "currency": "cny",
        "next_action": None,
        "client_secret": "pi_1_secret",
    }
    return stripe.PaymentIntent.construct_from(said | more, "sk_test")


def paid(state: OutcomeState, amount: int = 1900, **more: Any) -> Outcome:
    return Outcome(state, "pi_1", amount, "CNY", **more)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        # What was received counts, and not what was asked for.
        (intent("succeeded"), paid(OutcomeState.SUCCEEDED, 1800)),
        (intent("processing"), paid(OutcomeState.PROCESSING)),
        (intent("requires_capture"), paid(OutcomeState.PROCESSING)),
        (intent("requires_action"), paid(OutcomeState.REQUIRES_ACTION, action=CONFIRM)),
        (
            intent("requires_action", next_action={"redirect_to_url": {"url": "https://bank.example"}}),
            paid(OutcomeState.REQUIRES_ACTION, action=AT_BANK),
        ),
        (intent("canceled"), paid(OutcomeState.FAILED, code="closed", retry=Retry.NEVER)),
        (
            intent("requires_payment_method", last_payment_error={"code": "expired_card"}),
            Outcome(OutcomeState.FAILED, "pi_1", retry=Retry.HARD, code="expired_card"),
        ),
        (intent("requires_confirmation"), Outcome(OutcomeState.NOT_FOUND, "pi_1")),
    ],
    ids=lambda case: case.status if isinstance(case, stripe.PaymentIntent) else case.state.value,
)
def test_what_became_of_a_charge(said: stripe.PaymentIntent, meant: Outcome) -> None:
    assert words.charge_outcome(said) == meant


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (None, "declined", Retry.SOFT),
        ({"code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds", Retry.SOFT),
        ({"code": "card_declined", "decline_code": "stolen_card"}, "stolen_card", Retry.HARD),
        ({"code": "authentication_required"}, "authentication_required", Retry.AUTH),
        (
            {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "do_not_try_again"},
            "generic_decline",
            Retry.HARD,
        ),
        (
            {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "try_again_later"},
            "generic_decline",
            Retry.SOFT,
        ),
    ],
)
def test_why_a_charge_was_declined(error: Any, code: str, retry: Retry) -> None:
    told = stripe.StripeObject.construct_from(error, "sk_test") if error else None

    declined = words.declined(told, reference="pi_1")

    assert declined == Outcome(OutcomeState.FAILED, "pi_1", retry=retry, code=code)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("succeeded", OutcomeState.SUCCEEDED),
        ("failed", OutcomeState.FAILED),
        ("canceled", OutcomeState.FAILED),
        ("pending", OutcomeState.PROCESSING),
        ("requires_action", OutcomeState.PROCESSING),
    ],
)
def test_what_became_of_a_refund(status: str, state: OutcomeState) -> None:
    said = {"id": "re_1", "status": status, "amount": 700, "currency": "cny", "failure_reason": "lost_or_stolen_card"}

    meant = words.refund_outcome(stripe.Refund.construct_from(said, "sk_test"))

    assert meant == Outcome(state, "re_1", 700, "CNY", code="lost_or_stolen_card")


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (
            stripe.InvalidRequestError("No such method", "payment_method"),
            Outcome(OutcomeState.FAILED, retry=Retry.HARD, code="refused"),
        ),
        (
            stripe.InvalidRequestError("No such customer", "customer", code="resource_missing"),
            Outcome(OutcomeState.FAILED, retry=Retry.HARD, code="resource_missing"),
        ),
        (
            stripe.InvalidRequestError("Too little", "amount", code="amount_too_small"),
            Outcome(OutcomeState.FAILED, retry=Retry.NEVER, code="amount_too_small"),
        ),
        # The money may have moved.
        (stripe.APIConnectionError("cut off"), UNKNOWN),
        (stripe.RateLimitError("later"), UNKNOWN),
    ],
    ids=["method", "missing", "amount", "network", "rate"],
)
def test_what_went_wrong_on_the_way(error: stripe.StripeError, meant: Outcome) -> None:
    def refuse() -> Outcome:
        raise error

    assert adapter._asked(refuse) == meant


@pytest.mark.parametrize(
    ("movement", "line"),
    [
        # In the payer's currency, as it is in our books.
        (
            {"type": "charge", "source": {"id": "py_1", "amount": 1900, "currency": "cny", "metadata": OURS}},
            ("n1", "charge", 1900, "CNY"),
        ),
        (
            {"type": "payment_refund", "source": {"id": "re_1", "amount": 700, "currency": "cny", "metadata": {}}},
            ("re_1", "refund", -700, "CNY"),
        ),
        # Not ours: by what Stripe says.
        ({"type": "charge", "source": "ch_1"}, ("ch_1", "charge", 240, "EUR")),
        ({"type": "charge", "source": None}, ("txn_1", "charge", 240, "EUR")),
        ({"type": "adjustment", "source": {"id": "dp_1"}}, ("dp_1", "adjustment", 240, "EUR")),
    ],
    ids=["charge", "refund", "unexpanded", "without", "dispute"],
)  # fmt: skip
def test_a_line_of_the_books(movement: dict[str, Any], line: tuple[str, str, int, str]) -> None:
    said = {"id": "txn_1", "amount": 240, "currency": "eur", "fee": 9, "created": 1772337600, **movement}

    read = adapter._line(stripe.BalanceTransaction.construct_from(said, "sk_test"))

    assert read == SettlementLine(*line, 9, datetime(2026, 3, 1, 4, tzinfo=UTC))
