"""Payments under lock: an invoice, what brings its money, and all that its being paid touches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from circle.billing.models import Checkout, Invoice, PaymentAttempt, Subscription
from circle.billing.services.locks import load_by, lock_each
from circle.circles.models import Price
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.services.access import seated


@dataclass(frozen=True, slots=True)
class Payment:
    """One invoice being paid. What it is not for is None, as is the attempt where it costs nothing."""

    invoice: Invoice
    attempt: PaymentAttempt | None
    membership: Membership | None
    subscription: Subscription | None
    price: Price | None
    checkout: Checkout | None
    # Whether the member has a seat of the tier, and for good.
    is_seated: bool

    @property
    def method_id(self) -> UUID | None:
        return self.attempt.payment_method_id if self.attempt else None


def lock_payments(uow: UnitOfWork, numbers: Collection[str]) -> list[Payment]:
    """Return the payments of attempts by their public numbers, without those that are not ours."""
    found = uow.session.execute(
        select(PaymentAttempt.id, PaymentAttempt.invoice_id, Invoice.membership_id)
        .join(Invoice, Invoice.id == PaymentAttempt.invoice_id)
        .where(PaymentAttempt.number == any_(literal(list(numbers), ARRAY(Text()))))
        .order_by(PaymentAttempt.id)
    ).all()
    memberships = lock_each(uow, Membership, {row.membership_id for row in found} - {None})
    invoices = lock_each(uow, Invoice, {row.invoice_id for row in found})
    attempts = lock_each(uow, PaymentAttempt, {row.id for row in found})
    due = [(invoices[row.invoice_id], attempts[row.id]) for row in found]
    return _gather(uow, due, memberships)


def free_payment(uow: UnitOfWork, invoice: Invoice) -> Payment:
    """Return an invoice that costs nothing as a payment; whoever calls this holds its lock."""
    membership = uow.session.get(Membership, invoice.membership_id) if invoice.membership_id else None
    return _gather(uow, [(invoice, None)], {membership.id: membership} if membership else {})[0]


def _gather(
    uow: UnitOfWork, due: Sequence[tuple[Invoice, PaymentAttempt | None]], memberships: dict[UUID, Membership]
) -> list[Payment]:
    invoices = [invoice for invoice, _ in due]
    subscriptions = lock_each(uow, Subscription, {one.subscription_id for one in invoices if one.subscription_id})
    prices = load_by(uow, Price, Price.id, {one.price_id for one in invoices if one.price_id})
    checkouts = load_by(uow, Checkout, Checkout.invoice_id, {one.id for one in invoices})
    places = {(one.membership_id, one.tier_id) for one in invoices if one.membership_id and one.tier_id}
    sitting = seated(uow, places)
    return [
        Payment(
            invoice,
            attempt,
            memberships[invoice.membership_id] if invoice.membership_id else None,
            subscriptions[invoice.subscription_id] if invoice.subscription_id else None,
            prices[invoice.price_id] if invoice.price_id else None,
            checkouts.get(invoice.id),
            (invoice.membership_id, invoice.tier_id) in sitting,
        )
        for invoice, attempt in due
    ]
