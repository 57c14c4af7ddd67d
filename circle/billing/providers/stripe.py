"""Stripe, by PaymentIntents: the schedule is ours, the money moves there.

Our number is the idempotency key of all that we make (Stripe keeps a key for a day, we send for 20 hours) and stands in
the metadata, by which is found what has no reference yet. Imported only where Stripe is used: its SDK takes 30 MB.

Sources: docs.stripe.com/api/idempotent_requests, /payments/save-during-payment, /search, /webhooks#verify-manually.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
import stripe
import structlog

from circle.billing.errors import ForgedNotification, OldNotification, UnreadableNotification
from circle.billing.providers import stripe_words as words
from circle.billing.providers.base import (
    UNKNOWN,
    Notification,
    Order,
    Outcome,
    OutcomeState,
    PayoutOrder,
    RefundOrder,
    Retry,
    SettlementLine,
)
from circle.config import Settings
from circle.kernel.uow import forbid_inside_unit_of_work

log = structlog.get_logger(__name__)

SIGNATURE = "Stripe-Signature"
# A notification older than this is refused: somebody may be replaying it.
TOLERANCE = timedelta(seconds=300)
# Both together are far below a lease, so that nobody else asks while the first still waits.
CONNECT_SECONDS = 5.0
READ_SECONDS = 25.0

_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,64}")
_STAMP = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)")
# Keys of one account begin alike, after their kind and mode: sk_live_51….
_ACCOUNT_LETTERS = 16
_PAGE = 100
# Where our line of the books comes from; every other kind (disputes, Stripe's own fees) keeps Stripe's word for it.
_LINES = {"charge": "charge", "payment": "charge", "refund": "refund", "payment_refund": "refund"}
# Between Stripe and the operator's bank: nobody's payment.
_NOT_OURS = frozenset({"payout", "payout_cancel", "payout_failure"})


class Stripe:
    """The provider."""

    name = "stripe"

    def __init__(self, settings: Settings) -> None:
        mode, _, rest = settings.stripe_secret_key.partition("_")[2].partition("_")
        self.account = f"{mode} {rest[:_ACCOUNT_LETTERS]}"
        self._webhook_secret = settings.stripe_webhook_secret
        addresses: Any = {"api": settings.stripe_api_base} if settings.stripe_api_base else None
        self._client = stripe.StripeClient(
            settings.stripe_secret_key,
            max_network_retries=0,  # whether to send again is for leases and keys to say
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
            base_addresses=addresses,
        ).v1

    def accepts(self, method: str) -> bool:
        return _METHOD.fullmatch(method) is not None

    def start(self, order: Order) -> Outcome:
        return _asked(lambda: self._send(order))

    def charge(self, order: Order) -> Outcome:
        return _asked(lambda: self._send(order))

    def _send(self, order: Order) -> Outcome:
        params: Any = {
            "amount": order.amount,
            "currency": order.currency.lower(),
            "customer": self._customer_of(order),
            "payment_method": order.method,
            "payment_method_types": ["card"],
            "confirm": True,
            "description": order.description,
            "metadata": {words.NUMBER: order.number},
        }
        if order.on_session:
            # Asks the bank's leave for renewals too, and keeps the card with the customer.
            params |= {"setup_future_usage": "off_session", "return_url": order.return_url}
        else:
            params["off_session"] = True
        try:
            made = self._client.payment_intents.create(params, {"idempotency_key": order.number})
        except stripe.IdempotencyError:
            # Sent before with other words, such as the circle's former name: what was made then counts.
            return self._query(order.number, None)
        if _is_replay(made):
            # The first answer once more, which may be old news by now.
            made = self._client.payment_intents.retrieve(made.id)
        return words.charge_outcome(made)

    def _customer_of(self, order: Order) -> str:
        """Return the customer who holds the payment method; one that nobody holds gets a customer of its own."""
        method = self._client.payment_methods.retrieve(order.method)
        if method.customer is not None:
            return method.customer if isinstance(method.customer, str) else method.customer.id
        made = self._client.customers.create({}, {"idempotency_key": f"customer-{method.id}"})
        if not order.on_session:
            # While the payer is there, the payment itself brings the method to its customer.
            self._client.payment_methods.attach(method.id, {"customer": made.id})
        return made.id

    def query(self, number: str, reference: str | None = None, /) -> Outcome:
        return _asked(lambda: self._query(number, reference))

    def _query(self, number: str, reference: str | None) -> Outcome:
        intent = self._find(number, reference)
        return Outcome(OutcomeState.NOT_FOUND) if intent is None else words.charge_outcome(intent)

    def _find(self, number: str, reference: str | None) -> stripe.PaymentIntent | None:
        """Return the charge under a number, as it is now.

        The search knows of a charge within a minute or so. What it doesn't know yet is sent again under the same key,
        and Stripe then answers with the first one.
        """
        if reference is None:
            found = self._client.payment_intents.search({"query": f"metadata['{words.NUMBER}']:'{number}'"})
            reference = found.data[0].id if found.data else None
        if reference is None:
            return None
        intent = self._client.payment_intents.retrieve(reference)
        return intent if words.noted(intent, words.NUMBER) == number else None

    def close(self, number: str, reference: str | None = None, /) -> Outcome:
        return _asked(lambda: self._close(number, reference))

    def _close(self, number: str, reference: str | None) -> Outcome:
        intent = self._find(number, reference)
        if intent is None:
            return Outcome(OutcomeState.NOT_FOUND)
        if intent.status in {"succeeded", "processing", "canceled"}:
            return words.charge_outcome(intent)
        return self._cancel(intent)

    def _cancel(self, intent: stripe.PaymentIntent) -> Outcome:
        try:
            return words.charge_outcome(self._client.payment_intents.cancel(intent.id))
        except stripe.InvalidRequestError:
            # The payer was quicker: what it is now counts.
            return words.charge_outcome(self._client.payment_intents.retrieve(intent.id))

    def refund(self, order: RefundOrder) -> Outcome:
        return _asked(lambda: self._refund(order))

    def _refund(self, order: RefundOrder) -> Outcome:
        charge = order.charge_reference
        if charge is None:
            found = self._find(order.charge_number, None)
            if found is None:
                return UNKNOWN
            charge = found.id
        made = self._client.refunds.create(
            {"payment_intent": charge, "amount": order.amount, "metadata": {words.NUMBER: order.number}},
            {"idempotency_key": order.number},
        )
        return words.refund_outcome(self._client.refunds.retrieve(made.id) if _is_replay(made) else made)

    def query_refund(self, number: str, reference: str | None = None, /) -> Outcome:
        return _asked(lambda: self._query_refund(number, reference))

    def _query_refund(self, number: str, reference: str | None) -> Outcome:
        found = next(
            (one for one in self._refunds(number, reference) if words.noted(one, words.NUMBER) == number), None
        )
        return Outcome(OutcomeState.NOT_FOUND) if found is None else words.refund_outcome(found)

    def _refunds(self, number: str, reference: str | None) -> Iterator[stripe.Refund]:
        """Return the refunds among which one of ours is: itself, its charge's, or all since its number was made."""
        refunds = self._client.refunds
        if reference is not None and reference.startswith("re_"):
            return iter((refunds.retrieve(reference),))
        if reference is not None:
            return iter(refunds.list({"payment_intent": reference, "limit": _PAGE}).auto_paging_iter())
        since = _made_at(number)
        return iter(refunds.list({"created": {"gte": since}, "limit": _PAGE}).auto_paging_iter())

    def accepts_payee(self, payee: str) -> bool:  # noqa: ARG002 - creators are paid by hand, from the operator's bank
        return False

    def payout(self, order: PayoutOrder) -> Outcome:  # noqa: ARG002
        return Outcome(OutcomeState.FAILED, code="not_offered")

    def query_payout(self, number: str, reference: str | None = None, /) -> Outcome:  # noqa: ARG002
        return Outcome(OutcomeState.NOT_FOUND)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:
        header = headers.get(SIGNATURE, "")
        try:
            stripe.WebhookSignature.verify_header(body, header, self._webhook_secret)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise ForgedNotification from error
        stamp = _STAMP.search(header)
        if stamp is None or abs(now.timestamp() - int(stamp[1])) > TOLERANCE.total_seconds():
            raise OldNotification
        try:
            event = orjson.loads(body)
            return _notification(event["id"], event["data"]["object"])
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableNotification from error

    def settlement(self, day: date) -> Sequence[SettlementLine]:
        """Return the books of a day; what is not ours keeps Stripe's own id for a number."""
        forbid_inside_unit_of_work()
        start = datetime.combine(day, time(), UTC)
        end = start + timedelta(days=1)
        found = self._client.balance_transactions.list(
            {
                "created": {"gte": int(start.timestamp()), "lt": int(end.timestamp())},
                "expand": ["data.source"],
                "limit": _PAGE,
            }
        )
        lines = [_line(movement) for movement in found.auto_paging_iter() if movement.type not in _NOT_OURS]
        return sorted(lines, key=lambda line: (line.at, line.number))


def _asked(call: Callable[[], Outcome]) -> Outcome:
    """Ask Stripe. What it refused for good has failed; whatever else goes wrong leaves the outcome unknown."""
    forbid_inside_unit_of_work()
    try:
        return call()
    except stripe.CardError as error:
        intent = getattr(error.error, "payment_intent", None)
        return words.declined(error.error, reference=intent.id if intent else None)
    except stripe.InvalidRequestError as error:
        log.warning("stripe_refused", code=error.code, param=error.param)
        missing_method = error.param == "payment_method" or error.code == "resource_missing"
        retry = Retry.HARD if missing_method else Retry.NEVER
        return Outcome(OutcomeState.FAILED, retry=retry, code=error.code or "refused")
    except stripe.StripeError as error:
        log.warning("stripe_without_answer", kind=type(error).__name__, status=error.http_status, code=error.code)
        return UNKNOWN


def _is_replay(made: Any) -> bool:
    """Whether Stripe did nothing but repeat its answer to an earlier request under the same key."""
    return made.last_response is not None and made.last_response.headers.get("Idempotent-Replayed") == "true"


def _notification(event_id: str, about: Mapping[str, Any]) -> Notification:
    number = (about.get("metadata") or {}).get(words.NUMBER) or ""
    if about["object"] == "charge":
        return Notification(event_id, "charge", number, about.get("payment_intent"))
    kind = {"payment_intent": "charge", "refund": "refund"}.get(about["object"], about["object"])
    return Notification(event_id, kind, number, about.get("id"))


def _line(movement: stripe.BalanceTransaction) -> SettlementLine:
    """Return a movement in the payer's currency, as it is in our books, where Stripe says what it came from."""
    source: Any = movement.source
    at = datetime.fromtimestamp(movement.created, UTC)
    kind = _LINES.get(movement.type)
    if kind is None or source is None or isinstance(source, str):
        number = source if isinstance(source, str) else getattr(source, "id", movement.id)
        return SettlementLine(
            number, kind or movement.type, movement.amount, movement.currency.upper(), movement.fee, at
        )
    number = words.noted(source, words.NUMBER) or source.id
    amount = source.amount if kind == "charge" else -source.amount
    return SettlementLine(number, kind, amount, source.currency.upper(), movement.fee, at)


def _made_at(number: str) -> int:
    """Return the Unix second in which a number was made: the first 48 bits of a UUIDv7 are its milliseconds."""
    return (UUID(number).int >> 80) // 1000
