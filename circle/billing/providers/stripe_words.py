"""What Stripe says, in our words: the state of a payment, and when a declined one is worth another try."""

from typing import Any

import stripe

from circle.billing.providers.base import Outcome, OutcomeState, Retry
from circle.kernel.db import Json

# Under which our number stands in the metadata of everything that we make.
NUMBER = "circle_number"

# https://docs.stripe.com/declines/codes: what time or money on the account may cure; what is not listed is soft too.
_HARD = frozenset(
    {
        "card_not_supported",
        "currency_not_supported",
        "expired_card",
        "fraudulent",
        "incorrect_address",
        "incorrect_cvc",
        "incorrect_number",
        "incorrect_pin",
        "incorrect_zip",
        "invalid_account",
        "invalid_amount",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "not_permitted",
        "payment_method_provider_decline",
        "payment_method_unactivated",
        "pickup_card",
        "resource_missing",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "service_not_allowed",
        "stolen_card",
        "stop_payment_order",
        "testmode_decline",
        "transaction_not_allowed",
    }
)
_AUTH = frozenset(
    {
        "authentication_required",
        "authentication_not_handled",
        "payment_intent_action_required",
        "payment_intent_authentication_failure",
    }
)


def retry_of(code: str | None) -> Retry:
    """Return when a charge that was declined with a code is worth another try."""
    if code in _AUTH:
        return Retry.AUTH
    return Retry.HARD if code in _HARD else Retry.SOFT


def charge_outcome(intent: stripe.PaymentIntent) -> Outcome:
    """Say what became of a charge."""
    match intent.status:
        case "succeeded":
            return _outcome(intent, OutcomeState.SUCCEEDED, amount=intent.amount_received)
        case "processing" | "requires_capture":
            return _outcome(intent, OutcomeState.PROCESSING)
        case "requires_action":
            return _outcome(intent, OutcomeState.REQUIRES_ACTION, action=_action(intent))
        case "canceled":
            return _outcome(intent, OutcomeState.FAILED, code="closed", retry=Retry.NEVER)
        case "requires_payment_method":
            return declined(intent.last_payment_error, reference=intent.id)
        case _:
            # Made but never confirmed, as when Stripe failed half-way: nothing was asked of the card.
            return Outcome(OutcomeState.NOT_FOUND, intent.id)


def declined(error: stripe.StripeObject | None, *, reference: str | None) -> Outcome:
    """Say why a charge failed, and whether the bank says that asking again is of no use."""
    said = error.to_dict() if error else {}
    code = said.get("decline_code") or said.get("code") or "declined"
    retry = Retry.HARD if said.get("advice_code") == "do_not_try_again" else retry_of(code)
    return Outcome(OutcomeState.FAILED, reference, retry=retry, code=code)


def refund_outcome(refund: stripe.Refund) -> Outcome:
    """Say what became of a refund."""
    match refund.status:
        case "succeeded":
            state = OutcomeState.SUCCEEDED
        case "failed" | "canceled":
            state = OutcomeState.FAILED
        case _:
            state = OutcomeState.PROCESSING
    code = getattr(refund, "failure_reason", None)  # there only where it failed
    return Outcome(state, refund.id, refund.amount, refund.currency.upper(), code=code)


def noted(thing: Any, key: str) -> str | None:
    """Return what we wrote into the metadata of a thing; None where nothing is."""
    metadata = thing.metadata
    return str(metadata[key]) if metadata is not None and key in metadata else None


def _outcome(
    intent: stripe.PaymentIntent,
    state: OutcomeState,
    *,
    amount: int | None = None,
    action: Json | None = None,
    code: str | None = None,
    retry: Retry | None = None,
) -> Outcome:
    return Outcome(
        state,
        intent.id,
        intent.amount if amount is None else amount,
        intent.currency.upper(),
        retry,
        code,
        action,
    )


def _action(intent: stripe.PaymentIntent) -> Json:
    """Return where the payer confirms: at their bank's page, or inside the app by Stripe's own library."""
    redirect = getattr(intent.next_action, "redirect_to_url", None)
    if redirect is not None:
        return {"type": "redirect", "url": redirect.url}
    return {"type": "stripe", "client_secret": intent.client_secret}
