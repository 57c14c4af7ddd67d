"""What happened to money."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class InvoicePaid:
    """`kind` says what was paid (`join`, `renewal`, `question`, …); `subject_id` names it: a subscription, a post."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    kind: str
    subject_id: UUID | None


@dataclass(frozen=True, slots=True)
class InvoiceRefunded:
    """Money has gone back; `full` where nothing of it is left."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    kind: str
    subject_id: UUID | None
    amount: int
    currency: str
    full: bool


@dataclass(frozen=True, slots=True)
class CheckoutExpired:
    """Nobody paid in time; its invoice is void."""

    checkout_id: UUID
    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    kind: str
    subject_id: UUID | None


@dataclass(frozen=True, slots=True)
class PayoutSettled:
    """A withdrawal has come to its end: `succeeded`, or `failed` and its money is available again."""

    payout_id: UUID
    circle_id: UUID
    user_id: UUID
    status: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class ComingCharge:
    """Somebody will be charged for a renewal on the day `on`, in their zone."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    amount: int
    currency: str
    on: date


@dataclass(frozen=True, slots=True)
class RenewalsAnnounced:
    """A batch of renewals was opened; `coming` are those that are charged by themselves."""

    coming: tuple[ComingCharge, ...]


@dataclass(frozen=True, slots=True)
class UnpaidRenewal:
    """A renewal that its member pays by themselves: so many days before (negative) or after its day."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    amount: int
    currency: str
    on: date
    day: int


@dataclass(frozen=True, slots=True)
class RenewalsUnpaid:
    """A batch of members is reminded to pay."""

    unpaid: tuple[UnpaidRenewal, ...]


@dataclass(frozen=True, slots=True)
class FailedRenewal:
    """A charge did not go through; `code` says why, `again` whether it is tried again by itself."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    amount: int
    currency: str
    code: str
    again: bool


@dataclass(frozen=True, slots=True)
class RenewalsFailed:
    """A batch of charges did not go through."""

    failed: tuple[FailedRenewal, ...]


@dataclass(frozen=True, slots=True)
class EndingGrace:
    """The access of somebody whose renewal is not paid ends on the day `on`."""

    invoice_id: UUID
    circle_id: UUID
    user_id: UUID
    on: date


@dataclass(frozen=True, slots=True)
class GraceEnding:
    """A batch of members will lose access."""

    ending: tuple[EndingGrace, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionRenewed:
    """The next period is paid."""

    subscription_id: UUID
    invoice_id: UUID
    circle_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class EndedSubscription:
    """A term ran out and is not renewed, although nobody cancelled it."""

    subscription_id: UUID
    circle_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class SubscriptionsEnded:
    """A batch of subscriptions has come to its end."""

    ended: tuple[EndedSubscription, ...]
