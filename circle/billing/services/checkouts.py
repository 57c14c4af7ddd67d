"""Checkouts: an invoice put before a person, the address of its page, and what happens when nobody pays."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Uuid, any_, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from circle.billing import events
from circle.billing.models import Checkout, Invoice, InvoiceKind, PaymentAttempt, Subscription
from circle.billing.providers.base import Retry
from circle.billing.services.locks import lock_each, lock_invoices
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
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import GrantSource, Membership, Seat
from circle.memberships.services.access import SEAT_HOLD, release_seats, revoke_each

# As long as a seat is held for it.
CHECKOUT_LIFE = SEAT_HOLD
# For somebody who was let in by another and may not be looking.
APPROVED_LIFE = timedelta(hours=24)


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
    # It signs with the last of its keys.
    return URLSafeSerializer(settings.secret_keys[::-1], salt="checkout")


def has_payment_under_way(uow: UnitOfWork, invoice_id: UUID) -> bool:
    return bool(_being_paid(uow, [invoice_id]))


def expire_each(uow: UnitOfWork, checkout_ids: Sequence[UUID]) -> None:
    """Close checkouts that are past their time, but those that are paid or being paid by now."""
    ids = literal(list(checkout_ids), ARRAY(Uuid()))
    invoices = lock_invoices(
        uow, uow.session.scalars(select(Checkout.invoice_id).where(Checkout.id == any_(ids))).all()
    )
    late = {
        one.invoice_id
        for one in lock_each(uow, Checkout, checkout_ids).values()
        if one.status == CheckoutStatus.OPEN and one.expires_at <= uow.now
    }
    paying = _being_paid(uow, late)
    close_unpaid(uow, [one for one in invoices if one.id in late and one.id not in paying], InvoiceStatus.VOID)


def _being_paid(uow: UnitOfWork, invoice_ids: Collection[UUID]) -> set[UUID]:
    attempts = select(PaymentAttempt.invoice_id).where(
        PaymentAttempt.invoice_id == any_(literal(list(invoice_ids), ARRAY(Uuid()))),
        PaymentAttempt.status.in_(UNDER_WAY),
    )
    return set(uow.session.scalars(attempts))


def void_unpaid(uow: UnitOfWork, invoice: Invoice, *, canceled: bool = False) -> None:
    """Give up an unpaid invoice with all that waited for it: checkout, held seat, a subscription that never began.

    Money that comes for it later goes back by itself.
    """
    close_unpaid(uow, [invoice], InvoiceStatus.VOID, canceled=canceled)


def write_off(uow: UnitOfWork, invoices: Sequence[Invoice]) -> None:
    """Give up renewals that could not be collected: they stand for no period any more, others may take their place."""
    close_unpaid(uow, invoices, InvoiceStatus.UNCOLLECTIBLE)
    for invoice in invoices:
        invoice.period_no = None


def close_unpaid(
    uow: UnitOfWork, invoices: Sequence[Invoice], status: InvoiceStatus, *, canceled: bool = False
) -> None:
    """Give up unpaid invoices as `void_unpaid` does, in some statements for all; their locks are held."""
    still_open = [one for one in invoices if one.status == InvoiceStatus.OPEN]
    if not still_open:
        return
    for invoice in still_open:
        invoice.status = INVOICE.require(InvoiceStatus(invoice.status), status)
        invoice.closed_at = uow.now
    ids = literal([one.id for one in still_open], ARRAY(Uuid()))
    _drop_unsent(uow, ids)
    by_id = {one.id: one for one in still_open}
    waiting = select(Checkout).where(Checkout.invoice_id == any_(ids), Checkout.status == CheckoutStatus.OPEN)
    for checkout in uow.session.scalars(waiting.order_by(Checkout.id)).all():
        _close(uow, checkout, CheckoutStatus.EXPIRED)
        of = by_id[checkout.invoice_id]
        uow.emit(events.CheckoutExpired(checkout.id, of.id, of.circle_id, of.payer_id, of.kind, subject_of(of)))
    _let_go(uow, still_open, canceled=canceled)
    free_held_seats(uow, [(one.membership_id, one.tier_id) for one in still_open if one.membership_id and one.tier_id])
    uow.session.flush()


def complete_checkout(uow: UnitOfWork, checkout: Checkout | None) -> None:
    if checkout is not None and checkout.status == CheckoutStatus.OPEN:
        _close(uow, checkout, CheckoutStatus.COMPLETED)


def subject_of(invoice: Invoice) -> UUID | None:
    return invoice.subject_id or invoice.subscription_id


def _close(uow: UnitOfWork, checkout: Checkout, status: CheckoutStatus) -> None:
    checkout.status = CHECKOUT.require(CheckoutStatus(checkout.status), status)
    checkout.closed_at = uow.now


def _drop_unsent(uow: UnitOfWork, invoice_ids: Any) -> None:
    """Close charges that are planned and that nobody has taken up: they are never sent."""
    uow.session.execute(
        update(PaymentAttempt)
        .where(PaymentAttempt.invoice_id == any_(invoice_ids), PaymentAttempt.status == AttemptStatus.CREATED)
        .values(
            status=ATTEMPT.require(AttemptStatus.CREATED, AttemptStatus.FAILED),
            failure_code="closed",
            retry=Retry.NEVER,
            settled_at=uow.now,
            lease_until=None,
        )
    )


def _let_go(uow: UnitOfWork, invoices: Sequence[Invoice], *, canceled: bool) -> None:
    """Free subscriptions of their unpaid invoices, and end those that had not begun."""
    subscriptions = lock_each(uow, Subscription, {one.subscription_id for one in invoices if one.subscription_id})
    renewals = [one for one in invoices if one.kind == InvoiceKind.RENEWAL and one.subscription_id]
    for invoice in renewals:
        if invoice.subscription_id is not None:
            subscriptions[invoice.subscription_id].renewal_open = False
    revoke_each(uow, source=GrantSource.GRACE, source_ids=[one.id for one in renewals], reason="not_paid")
    for subscription in subscriptions.values():
        if subscription.status == SubscriptionStatus.INCOMPLETE:
            ended = SubscriptionStatus.CANCELED if canceled else SubscriptionStatus.EXPIRED
            subscription.status = SUBSCRIPTION.require(SubscriptionStatus.INCOMPLETE, ended)
            subscription.ended_at = uow.now
            subscription.canceled_at = uow.now if canceled else subscription.canceled_at


def free_held_seats(uow: UnitOfWork, places: Collection[tuple[UUID, UUID]]) -> None:
    """Free seats of `(membership, tier)` that waited for a payment; one that is taken, through a trial say, stays."""
    if not places:
        return
    memberships, tiers = zip(*sorted(set(places)), strict=True)
    pairs = func.unnest(literal(list(memberships), ARRAY(Uuid())), literal(list(tiers), ARRAY(Uuid())))
    wanted = pairs.table_valued("membership_id", "tier_id").render_derived()
    held = (
        select(Seat.membership_id, Seat.tier_id)
        .join(wanted, (Seat.membership_id == wanted.c.membership_id) & (Seat.tier_id == wanted.c.tier_id))
        .where(Seat.released_at.is_(None), Seat.held_until.is_not(None))
        .order_by(Seat.tier_id)
    )
    for membership_id, tier_id in uow.session.execute(held).all():
        release_seats(uow, uow.session.get_one(Membership, membership_id), tier_id=tier_id)
