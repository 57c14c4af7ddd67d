"""What billing asks of a payment provider, and what a provider answers.

Everything is asked under a public number of ours, which is the key under which the provider acts once, however often
it is asked. An error of the network is `unknown`, never `failed`: the money may have moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from circle.billing.errors import UnknownProvider
from circle.kernel.db import Json


class OutcomeState(StrEnum):
    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"  # surely no money, now or later
    UNKNOWN = "unknown"  # no answer, or one that can't be understood
    NOT_FOUND = "not_found"  # the provider has never heard of the number


class Retry(StrEnum):
    """When a failed charge is worth another try."""

    SOFT = "soft"  # later
    HARD = "hard"  # with another method
    AUTH = "auth"  # when the payer is there to confirm it
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Order:
    """A charge to make. Amount in minor units; `method` is what the provider knows the payment method by."""

    number: str
    provider: str
    method: str
    amount: int
    currency: str
    description: str
    return_url: str
    on_session: bool
    # What the provider calls it, where it has answered before.
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to give back of the charge `charge_number`, whose id at the provider is `charge_reference`."""

    number: str
    provider: str
    charge_number: str
    charge_reference: str | None
    amount: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """Money to send to a creator; `payee` is what the provider knows them by."""

    number: str
    provider: str
    payee: str
    amount: int
    currency: str
    description: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a charge, refund or payout. Amount and currency are the provider's figures, where it names any."""

    state: OutcomeState
    reference: str | None = None
    amount: int | None = None
    currency: str | None = None
    retry: Retry | None = None
    code: str | None = None
    # What the payer has to do: {"type": "redirect", "url": …} or {"type": "qr", "text": …}
    action: Json | None = None


UNKNOWN = Outcome(OutcomeState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Notification:
    """A verified webhook: it says what to ask about, and is believed in nothing else."""

    event_id: str
    kind: str  # "charge", "refund" or "payout"
    number: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One movement by the provider's own books; refunds and payouts are negative, fees are the provider's."""

    number: str
    kind: str  # as in `Notification`
    amount: int
    currency: str
    fee: int
    at: datetime


class Provider(Protocol):
    """One payment provider. All but `accepts…` and `parse_webhook` talk to the outside, never in a unit of work.

    A `reference` is what the provider calls the thing: the quickest way to find it, never the only one.
    """

    name: str
    # Whose account is charged: part of the installation's fingerprint.
    account: str

    def start(self, order: Order) -> Outcome:
        """Charge while the payer is there: may ask for an action."""
        ...

    def charge(self, order: Order) -> Outcome:
        """Charge while nobody is there: never asks for an action."""
        ...

    def query(self, number: str, reference: str | None = None, /) -> Outcome: ...

    def accepts(self, method: str) -> bool:
        """Tell, without asking anybody, whether a payment method may have such a reference."""
        ...

    def close(self, number: str, reference: str | None = None, /) -> Outcome:
        """Give up an unpaid charge, so that it can't be paid any more; return what it is now."""
        ...

    def refund(self, order: RefundOrder) -> Outcome: ...

    def query_refund(self, number: str, reference: str | None = None, /) -> Outcome:
        """Ask what became of a refund; the reference may be its own or its charge's."""
        ...

    def accepts_payee(self, payee: str) -> bool:
        """Tell, without asking anybody, whether money can be sent to such a reference; never, where it sends none."""
        ...

    def payout(self, order: PayoutOrder) -> Outcome: ...

    def query_payout(self, number: str, reference: str | None = None, /) -> Outcome: ...

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notification:
        """Return what a notification is about. Errors: ForgedNotification, OldNotification, UnreadableNotification."""
        ...

    def settlement(self, day: date) -> Sequence[SettlementLine]:
        """Return the provider's books of one day in UTC."""
        ...


@dataclass(frozen=True)
class Providers:
    """The providers of this installation, by name."""

    by_name: Mapping[str, Provider] = field(default_factory=dict)

    def get(self, name: str) -> Provider:
        """Return a provider. Errors: UnknownProvider."""
        provider = self.by_name.get(name)
        if provider is None:
            raise UnknownProvider
        return provider


def number_of(row_id: UUID) -> str:
    """Return the public number of a row: 32 letters and digits, the most that WeChat Pay takes."""
    return row_id.hex
