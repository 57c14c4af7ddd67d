"""States of everything that money passes through, and the moves between them: one table per object, on one page.

docs/billing.md prints these tables; a test keeps it fresh.
"""

from enum import StrEnum

from circle.kernel.state import Machine


class SubscriptionStatus(StrEnum):
    INCOMPLETE = "incomplete"  # about to be paid for the first time, or again after it had run out
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"  # its term is over and the next is not paid
    PAUSED = "paused"  # nothing is charged; what is paid runs to its end
    CANCELED = "canceled"  # somebody ended it
    EXPIRED = "expired"  # it ran out, or was never paid


class InvoiceStatus(StrEnum):
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class AttemptStatus(StrEnum):
    CREATED = "created"  # not sent yet
    PROCESSING = "processing"  # sent, or about to be: the provider may have the money
    REQUIRES_ACTION = "requires_action"  # the payer has to do something
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundStatus(StrEnum):
    PENDING = "pending"  # not sent yet
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class PayoutStatus(StrEnum):
    REQUESTED = "requested"  # an operator has to approve it
    APPROVED = "approved"  # waits to be sent, by the provider or by hand
    IN_TRANSIT = "in_transit"  # sent, or about to be: the money may have left
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused, or it could not be sent; the money is available again
    CANCELED = "canceled"  # withdrawn by the creator


class CheckoutStatus(StrEnum):
    OPEN = "open"
    COMPLETED = "completed"
    EXPIRED = "expired"


_S, _I, _A, _R, _C = SubscriptionStatus, InvoiceStatus, AttemptStatus, RefundStatus, CheckoutStatus
_P = PayoutStatus

SUBSCRIPTION = Machine(
    "subscription",
    {
        _S.INCOMPLETE: frozenset({_S.ACTIVE, _S.CANCELED, _S.EXPIRED}),
        _S.TRIALING: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.CANCELED, _S.EXPIRED}),
        _S.ACTIVE: frozenset({_S.PAST_DUE, _S.PAUSED, _S.CANCELED, _S.EXPIRED}),
        _S.PAST_DUE: frozenset({_S.ACTIVE, _S.CANCELED, _S.EXPIRED}),
        _S.PAUSED: frozenset({_S.ACTIVE, _S.INCOMPLETE, _S.CANCELED, _S.EXPIRED}),
        _S.CANCELED: frozenset({_S.INCOMPLETE}),
        _S.EXPIRED: frozenset({_S.INCOMPLETE}),
    },
)

INVOICE = Machine(
    "invoice",
    {
        _I.OPEN: frozenset({_I.PAID, _I.VOID, _I.UNCOLLECTIBLE}),
        _I.PAID: frozenset({_I.PARTIALLY_REFUNDED, _I.REFUNDED}),
        _I.PARTIALLY_REFUNDED: frozenset({_I.REFUNDED}),
        _I.VOID: frozenset(),
        _I.UNCOLLECTIBLE: frozenset(),
        _I.REFUNDED: frozenset(),
    },
)

# A failed attempt may yet succeed: providers correct themselves, and the money is what counts. Never the reverse.
ATTEMPT = Machine(
    "attempt",
    {
        _A.CREATED: frozenset({_A.PROCESSING, _A.REQUIRES_ACTION, _A.SUCCEEDED, _A.FAILED}),
        _A.PROCESSING: frozenset({_A.REQUIRES_ACTION, _A.SUCCEEDED, _A.FAILED}),
        _A.REQUIRES_ACTION: frozenset({_A.PROCESSING, _A.SUCCEEDED, _A.FAILED}),
        _A.FAILED: frozenset({_A.SUCCEEDED}),
        _A.SUCCEEDED: frozenset(),
    },
)

REFUND = Machine(
    "refund",
    {
        _R.PENDING: frozenset({_R.PROCESSING, _R.SUCCEEDED, _R.FAILED}),
        _R.PROCESSING: frozenset({_R.SUCCEEDED, _R.FAILED}),
        _R.SUCCEEDED: frozenset(),
        _R.FAILED: frozenset(),
    },
)

PAYOUT = Machine(
    "payout",
    {
        _P.REQUESTED: frozenset({_P.APPROVED, _P.FAILED, _P.CANCELED}),
        _P.APPROVED: frozenset({_P.IN_TRANSIT, _P.SUCCEEDED, _P.FAILED}),
        _P.IN_TRANSIT: frozenset({_P.SUCCEEDED, _P.FAILED}),
        _P.SUCCEEDED: frozenset(),
        _P.FAILED: frozenset(),
        _P.CANCELED: frozenset(),
    },
)

CHECKOUT = Machine(
    "checkout",
    {
        _C.OPEN: frozenset({_C.COMPLETED, _C.EXPIRED}),
        _C.COMPLETED: frozenset(),
        _C.EXPIRED: frozenset(),
    },
)

MACHINES = (SUBSCRIPTION, INVOICE, ATTEMPT, REFUND, PAYOUT, CHECKOUT)

# A subscription that may still ask for money: at most one per membership.
LIVE = (_S.INCOMPLETE, _S.TRIALING, _S.ACTIVE, _S.PAST_DUE, _S.PAUSED)
# An attempt that may still bring money: at most one per invoice.
UNDER_WAY = (_A.CREATED, _A.PROCESSING, _A.REQUIRES_ACTION)
# An invoice that money was kept for.
EARNING = (_I.PAID, _I.PARTIALLY_REFUNDED)
