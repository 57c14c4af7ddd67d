"""Checkouts: an invoice put before a person, the address of its page, and what happens when nobody pays."""

from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import exists, select, update

from circle.billing import events
from circle.billing.models import Checkout, Invoice, InvoiceKind, PaymentAttempt, Subscription
from circle.billing.providers.base import Retry
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.states import (
    ATTEMPT,
    CHECKOUT,
    INVOICE,
    SUBSCRIPTION,
    UNDER_WAY,
    AttemptStatus,
    CheckoutStatus,
    InvoiceStatus,
    SubscriptionStatus,
)
from circle.config import Settings
from circle.kernel.ids import new_code, new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import GrantSource, Membership, Seat
from circle.memberships.services.access import SEAT_HOLD, release_seats, revoke_access

# As long as a seat is held for it.
CHECKOUT_LIFE = SEAT_HOLD
# For somebody who was let in by another and may not be looking.
APPROVED_LIFE = timedelta(hours=24)


def invoice_number(now: datetime) -> str:
    """Return a number that people can read out: the day and ten random letters."""
    return f"{now:%Y%m%d}{new_code(10)}"


def open_checkout(uow: UnitOfWork, invoice: Invoice, *, expires_at: datetime) -> Checkout:
    checkout = Checkout(
        id=new_id(),
        invoice_id=invoice.id,
        user_id=invoice.payer_id,
        status=CheckoutStatus.OPEN,
        expires_at=expires_at,
        created_at=uow.now,
    )
    uow.session.add(checkout)
    uow.session.flush()
    return checkout


def checkout_url(uow: UnitOfWork, checkout_id: UUID) -> str:
    """Return the address of the page: whoever holds it may pay, so it can't be guessed."""
    settings = uow.use(Settings)
    return f"{settings.site_url}/checkout/{_signer(settings).dumps(checkout_id.hex)}"


def read_checkout_token(settings: Settings, token: str) -> UUID | None:
    """Return whose page a token opens; None for one that we did not make."""
    try:
        return UUID(_signer(settings).loads(token))
    except BadSignature:
        return None


def _signer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(settings.secret_key, salt="checkout")


def has_payment_under_way(uow: UnitOfWork, invoice_id: UUID) -> bool:
    found = exists().where(PaymentAttempt.invoice_id == invoice_id, PaymentAttempt.status.in_(UNDER_WAY))
    return bool(uow.session.scalar(select(found)))


def expire_checkout(uow: UnitOfWork, checkout_id: UUID) -> bool:
    """Close a checkout that is past its time, unless a payment is under way; return whether it closed."""
    invoice_id = uow.session.scalars(select(Checkout.invoice_id).where(Checkout.id == checkout_id)).one()
    invoice = lock_invoice(uow, invoice_id)
    checkout = lock(uow, Checkout, checkout_id)
    if checkout.status != CheckoutStatus.OPEN or checkout.expires_at > uow.now:
        return False
    if has_payment_under_way(uow, invoice.id):
        return False
    void_unpaid(uow, invoice)
    return True


def void_unpaid(uow: UnitOfWork, invoice: Invoice, *, canceled: bool = False) -> None:
    """Give up an unpaid invoice with all that waited for it: checkout, held seat, a subscription that never began.

    Money that comes for it later goes back by itself.
    """
    if invoice.status == InvoiceStatus.OPEN:
        _close_unpaid(uow, invoice, InvoiceStatus.VOID, canceled=canceled)


def write_off(uow: UnitOfWork, invoice: Invoice) -> None:
    """Give up a renewal that could not be collected: it stands for no period any more, another may take its place."""
    _close_unpaid(uow, invoice, InvoiceStatus.UNCOLLECTIBLE, canceled=True)
    invoice.period_no = None


def _close_unpaid(uow: UnitOfWork, invoice: Invoice, status: InvoiceStatus, *, canceled: bool) -> None:
    invoice.status = INVOICE.require(InvoiceStatus(invoice.status), status)
    invoice.closed_at = uow.now
    _drop_unsent(uow, invoice)
    checkout = uow.session.scalar(select(Checkout).where(Checkout.invoice_id == invoice.id))
    if checkout is not None and checkout.status == CheckoutStatus.OPEN:
        _close(uow, checkout, CheckoutStatus.EXPIRED)
        uow.emit(
            events.CheckoutExpired(
                checkout.id, invoice.id, invoice.circle_id, invoice.payer_id, invoice.kind, subject_of(invoice)
            )
        )
    if invoice.subscription_id is not None:
        _let_go(uow, invoice, invoice.subscription_id, canceled=canceled)
    if invoice.membership_id is not None and invoice.tier_id is not None:
        free_held_seat(uow, invoice.membership_id, invoice.tier_id)
    uow.session.flush()


def complete_checkout(uow: UnitOfWork, checkout: Checkout | None) -> None:
    if checkout is not None and checkout.status == CheckoutStatus.OPEN:
        _close(uow, checkout, CheckoutStatus.COMPLETED)


def subject_of(invoice: Invoice) -> UUID | None:
    return invoice.subject_id or invoice.subscription_id


def _close(uow: UnitOfWork, checkout: Checkout, status: CheckoutStatus) -> None:
    checkout.status = CHECKOUT.require(CheckoutStatus(checkout.status), status)
    checkout.closed_at = uow.now


def _drop_unsent(uow: UnitOfWork, invoice: Invoice) -> None:
    """Close a charge that is planned and that nobody has taken up: it is never sent."""
    uow.session.execute(
        update(PaymentAttempt)
        .where(PaymentAttempt.invoice_id == invoice.id, PaymentAttempt.status == AttemptStatus.CREATED)
        .values(
            status=ATTEMPT.require(AttemptStatus.CREATED, AttemptStatus.FAILED),
            failure_code="closed",
            retry=Retry.NEVER,
            settled_at=uow.now,
            lease_until=None,
        )
    )


def _let_go(uow: UnitOfWork, invoice: Invoice, subscription_id: UUID, *, canceled: bool) -> None:
    """Free the subscription of its unpaid invoice, and end it where it had not begun."""
    subscription = lock(uow, Subscription, subscription_id)
    if invoice.kind == InvoiceKind.RENEWAL:
        subscription.renewal_open = False
        revoke_access(uow, source=GrantSource.GRACE, source_id=invoice.id, reason="not_paid")
    if subscription.status != SubscriptionStatus.INCOMPLETE:
        return
    ended = SubscriptionStatus.CANCELED if canceled else SubscriptionStatus.EXPIRED
    subscription.status = SUBSCRIPTION.require(SubscriptionStatus.INCOMPLETE, ended)
    subscription.ended_at = uow.now
    if canceled:
        subscription.canceled_at = uow.now


def free_held_seat(uow: UnitOfWork, membership_id: UUID, tier_id: UUID) -> None:
    """Free the seat that waited for a payment; one that is taken, through a trial say, stays."""
    held = exists().where(
        Seat.membership_id == membership_id,
        Seat.tier_id == tier_id,
        Seat.released_at.is_(None),
        Seat.held_until.is_not(None),
    )
    if uow.session.scalar(select(held)):
        release_seats(uow, uow.session.get_one(Membership, membership_id), tier_id=tier_id)
