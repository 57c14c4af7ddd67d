"""What happened to money."""

from dataclasses import dataclass
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
