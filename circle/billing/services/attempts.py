"""Payment attempts: claiming one to be sent, by the payer, on the page, or by the sweeper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select

from circle.billing.errors import CheckoutClosed
from circle.billing.models import Checkout, Invoice, PaymentAttempt, PaymentMethod
from circle.billing.policy import require_own_checkout, require_usable_method
from circle.billing.providers.base import Order, Providers, number_of
from circle.billing.services import breaker
from circle.billing.services.checkouts import CHECKOUT_LIFE, checkout_url
from circle.billing.services.installation import original_providers, require_original
from circle.billing.services.leases import LEASE, SEND_FOR, Errand
from circle.billing.services.locks import load_by, lock, lock_invoice
from circle.billing.states import ATTEMPT, UNDER_WAY, AttemptStatus, CheckoutStatus, InvoiceStatus
from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.services.access import hold_seat

_SENT = (AttemptStatus.PROCESSING, AttemptStatus.REQUIRES_ACTION)


@dataclass(frozen=True, slots=True)
class Claim:
    """What to do next for a payer: run `errand`; or first close `supersedes`; or, with neither, just look."""

    errand: Errand[Order] | None = None
    supersedes: str | None = None


def claim_payment(uow: UnitOfWork, caller: Caller, checkout_id: UUID, method_id: UUID) -> Claim:
    """Claim the payment of one's checkout with one's method.

    A checkout that is paid, or whose payment is under way, is not charged again, whatever the Idempotency-Key.
    Errors: NotFound, CheckoutClosed, UnknownPaymentMethod, SeatsTaken, InstallationMoved.
    """
    require_own_checkout(uow, caller, checkout_id)
    method = require_usable_method(uow, caller, method_id)
    checkout, invoice = _lock_checkout(uow, checkout_id)
    if checkout.status == CheckoutStatus.COMPLETED:
        return Claim()
    waiting = attempt_under_way(uow, invoice.id)
    if waiting is not None and _may_be_superseded(waiting, method):
        return Claim(supersedes=waiting.number)
    if waiting is not None:
        return Claim()
    attempt = _open_attempt(
        uow, checkout, invoice, provider=method.provider, reference=method.reference, method_id=method.id
    )
    return Claim(errand=take_attempt(uow, attempt))


def claim_on_page(uow: UnitOfWork, checkout_id: UUID, provider: str, reference: str) -> Claim:
    """Claim the payment of a checkout for whoever holds the address of its page."""
    checkout, invoice = _lock_checkout(uow, checkout_id)
    if checkout.status == CheckoutStatus.COMPLETED or attempt_under_way(uow, invoice.id) is not None:
        return Claim()
    attempt = _open_attempt(uow, checkout, invoice, provider=provider, reference=reference, method_id=None)
    return Claim(errand=take_attempt(uow, attempt))


def _lock_checkout(uow: UnitOfWork, checkout_id: UUID) -> tuple[Checkout, Invoice]:
    invoice_id = uow.session.get_one(Checkout, checkout_id).invoice_id
    invoice = lock_invoice(uow, invoice_id)
    return lock(uow, Checkout, checkout_id), invoice


def attempt_under_way(uow: UnitOfWork, invoice_id: UUID) -> PaymentAttempt | None:
    return uow.session.scalar(
        select(PaymentAttempt).where(PaymentAttempt.invoice_id == invoice_id, PaymentAttempt.status.in_(UNDER_WAY))
    )


def _may_be_superseded(waiting: PaymentAttempt, method: PaymentMethod) -> bool:
    """Whether a payer who was asked to confirm one payment chose another method instead."""
    return waiting.status == AttemptStatus.REQUIRES_ACTION and waiting.payment_method_id != method.id


def _open_attempt(
    uow: UnitOfWork, checkout: Checkout, invoice: Invoice, *, provider: str, reference: str, method_id: UUID | None
) -> PaymentAttempt:
    if not checkout.is_open(uow.now):
        raise CheckoutClosed
    uow.use(Providers).get(provider)
    require_original(uow, provider)
    if invoice.membership_id is not None and invoice.tier_id is not None:
        # From now on the seat waits for this payment, even where the checkout's own hold has ended.
        hold_seat(uow, uow.session.get_one(Membership, invoice.membership_id), invoice.tier_id)
    row_id = new_id()
    attempt = PaymentAttempt(
        id=row_id,
        number=number_of(row_id),
        invoice_id=invoice.id,
        provider=provider,
        payment_method_id=method_id,
        method_reference=reference,
        on_session=True,
        amount=invoice.amount,
        currency=invoice.currency,
        status=AttemptStatus.CREATED,
        tries=0,
        surplus=False,
        created_at=uow.now,
    )
    uow.session.add(attempt)
    uow.session.flush()
    return attempt


def take_attempt(uow: UnitOfWork, attempt: PaymentAttempt) -> Errand[Order]:
    """Claim an attempt for sending, until its lease is over; it is `processing` from here on."""
    return _take_each(uow, [attempt])[0]


def _take_each(uow: UnitOfWork, attempts: Sequence[PaymentAttempt]) -> list[Errand[Order]]:
    ids = {one.invoice_id for one in attempts}
    invoices = load_by(uow, Invoice, Invoice.id, ids)
    circles = load_by(uow, Circle, Circle.id, {one.circle_id for one in invoices.values()})
    checkouts = load_by(uow, Checkout, Checkout.invoice_id, ids)
    return [
        _take(uow, one, invoice, checkouts.get(invoice.id), circles[invoice.circle_id].name)
        for one in attempts
        for invoice in (invoices[one.invoice_id],)
    ]


def _take(
    uow: UnitOfWork, attempt: PaymentAttempt, invoice: Invoice, checkout: Checkout | None, description: str
) -> Errand[Order]:
    if attempt.status == AttemptStatus.CREATED:
        attempt.status = ATTEMPT.require(AttemptStatus.CREATED, AttemptStatus.PROCESSING)
    attempt.tries += 1
    attempt.sent_at = attempt.sent_at or uow.now
    attempt.lease_until = uow.now + LEASE
    order = Order(
        number=attempt.number,
        provider=attempt.provider,
        method=attempt.method_reference,
        amount=attempt.amount,
        currency=attempt.currency,
        description=description,
        return_url=checkout_url(uow, checkout.id) if checkout else "",
        on_session=attempt.on_session,
        reference=attempt.reference,
    )
    return Errand(
        order,
        ask_first=attempt.tries > 1,
        may_send=attempt.status == AttemptStatus.PROCESSING and uow.now - attempt.sent_at < SEND_FOR,
        give_up=_is_pointless(uow, attempt, invoice, checkout),
    )


def _is_pointless(uow: UnitOfWork, attempt: PaymentAttempt, invoice: Invoice, checkout: Checkout | None) -> bool:
    """Whether nothing is to be paid any more, or the payer let the time pass."""
    if invoice.status != InvoiceStatus.OPEN:
        return True
    too_late = attempt.created_at + CHECKOUT_LIFE <= uow.now or (checkout is not None and not checkout.is_open(uow.now))
    return attempt.status == AttemptStatus.REQUIRES_ACTION and too_late


def claim_unanswered(uow: UnitOfWork, *, limit: int) -> list[Errand[Order]]:
    """Claim attempts whose lease ran out: whoever sent them may be dead, or the payer has confirmed unheard."""
    due = (
        select(PaymentAttempt)
        .where(
            PaymentAttempt.status.in_(_SENT),
            PaymentAttempt.lease_until <= uow.now,
            PaymentAttempt.provider.in_(original_providers(uow)),
        )
        .order_by(PaymentAttempt.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    errands = _take_each(uow, uow.session.scalars(due).all())
    if errands and breaker.is_open(uow):
        # What nobody waits for is only asked about.
        return [replace(one, may_send=one.may_send and one.order.on_session) for one in errands]
    return errands
