"""Money going back: asked for, reserved on the invoice, sent, recorded."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select

from circle.billing import events
from circle.billing.errors import NotRefundable, RefundInPartNotYours, RefundTooLarge, RefundWindowOver
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt, Refund
from circle.billing.offer_errors import GiftNotYoursToRefund
from circle.billing.offer_models import Gift
from circle.billing.policy import require_visible_invoice
from circle.billing.providers.base import Outcome, OutcomeState, RefundOrder, number_of
from circle.billing.services import ledger
from circle.billing.services.charges import invoice_for
from circle.billing.services.checkouts import subject_of
from circle.billing.services.installation import original_providers, require_original
from circle.billing.services.leases import LEASE, SEND_FOR, Errand, next_look
from circle.billing.services.locks import lock_invoice, lock_refund
from circle.billing.services.subscriptions import end_refunded
from circle.billing.states import EARNING, INVOICE, REFUND, AttemptStatus, InvoiceStatus, RefundStatus
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.money import share
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Grant, GrantSource
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.memberships.services.access import revoke_access

__all__ = ["invoice_for", "request_refund"]

log = structlog.get_logger(__name__)

JOB = "billing.refund"
_WAITING = (RefundStatus.PENDING, RefundStatus.PROCESSING)
_INSTANT = timedelta(microseconds=1)


def refund_invoice(
    uow: UnitOfWork, caller: Caller, invoice_id: UUID, *, amount: int | None, reason: str, pro_rata: bool = False
) -> Errand[RefundOrder]:
    """Refund as its payer within the window, in full; or as the creator at any time, in full, in part or pro rata.

    Returns what to send. Errors: NotFound, RefundWindowOver, RefundInPartNotYours, MissingPermission, NotRefundable,
    InstallationMoved, Invalid (an amount and pro rata).
    """
    if pro_rata and amount is not None:
        raise Invalid.field("amount", "one_of", "金额和按比例退款只能选一个。", "Give an amount or pro_rata, not both.")
    invoice = require_visible_invoice(uow, caller, invoice_id)
    if invoice.payer_id == caller.user_id:
        invoice = lock_invoice(uow, invoice_id)
        if pro_rata:
            raise RefundInPartNotYours
        _require_payers_right(uow, invoice, amount)
    else:
        require_permission(uow, caller, invoice.circle_id, Permission.MOVE_MONEY)
        amount = _unused(uow, lock_invoice(uow, invoice_id)) if pro_rata else amount
    return take_refund(uow, request_refund(uow, invoice_id=invoice_id, amount=amount, reason=reason, actor=caller))


def _unused(uow: UnitOfWork, invoice: Invoice) -> int:
    """Return what the rest of the term is worth, of what was paid for it and not given back. Errors: NotRefundable."""
    term = uow.session.scalar(
        select(Grant).where(
            Grant.source == GrantSource.INVOICE, Grant.source_id == invoice.id, Grant.revoked_at.is_(None)
        )
    )
    if term is None or term.ends_at is None:
        raise NotRefundable
    left = max(term.ends_at - max(uow.now, term.starts_at), timedelta())
    unused = share(invoice.refundable, left // _INSTANT, (term.ends_at - term.starts_at) // _INSTANT)
    if unused <= 0:
        raise NotRefundable
    return unused


def _require_payers_right(uow: UnitOfWork, invoice: Invoice, amount: int | None) -> None:
    is_gift = invoice.kind == InvoiceKind.GIFT
    # What is used at once, such as an answered question, goes back by its own rules and not by the window.
    has_rules = invoice.subscription_id is None and not is_gift
    if invoice.status not in EARNING or not invoice.refundable or has_rules:
        raise NotRefundable
    if is_gift:
        _require_unclaimed(uow, invoice)
    elif invoice.refundable_until is None or invoice.refundable_until <= uow.now:
        raise RefundWindowOver
    if amount is not None and amount != invoice.refundable:
        # All but a cent back would keep the access.
        raise RefundInPartNotYours


def _require_unclaimed(uow: UnitOfWork, invoice: Invoice) -> None:
    """A gift goes back at any time, until somebody has it; whoever claims it waits for the invoice's lock."""
    claimed = select(Gift.id).where(Gift.invoice_id == invoice.id, Gift.claimed_by.is_not(None))
    if uow.session.scalar(claimed) is not None:
        raise GiftNotYoursToRefund


def request_refund(
    uow: UnitOfWork, *, invoice_id: UUID, amount: int | None, reason: str, actor: Caller | None
) -> Refund:
    """Reserve a refund of a paid invoice, all that is left of it by default; a worker sends it.

    Whoever calls this has made sure that `actor` may; None is the system. Errors: NotRefundable, RefundTooLarge.
    """
    invoice = lock_invoice(uow, invoice_id)
    if invoice.status not in EARNING or not invoice.refundable:
        raise NotRefundable
    wanted = invoice.refundable if amount is None else amount
    if wanted > invoice.refundable:
        raise RefundTooLarge(left=invoice.refundable)
    invoice.refunding += wanted
    paid_by = uow.session.scalars(
        select(PaymentAttempt).where(
            PaymentAttempt.invoice_id == invoice.id,
            PaymentAttempt.status == AttemptStatus.SUCCEEDED,
            PaymentAttempt.surplus.is_(False),
        )
    ).one()
    refund = _new_refund(uow, paid_by, amount=wanted, currency=invoice.currency, reason=reason, actor=actor)
    audit.record(
        uow,
        actor,
        "refund.request",
        circle_id=invoice.circle_id,
        subject_kind="invoice",
        subject_id=invoice.id,
        refund_id=str(refund.id),
        amount=wanted,
        currency=invoice.currency,
    )
    return refund


def give_back_surplus(uow: UnitOfWork, attempt: PaymentAttempt, *, amount: int, currency: str) -> Refund:
    """Send back what was paid for nothing."""
    refund = _new_refund(uow, attempt, amount=amount, currency=currency, reason="surplus", actor=None)
    refund.surplus = True
    uow.session.flush()
    return refund


def _new_refund(
    uow: UnitOfWork, attempt: PaymentAttempt, *, amount: int, currency: str, reason: str, actor: Caller | None
) -> Refund:
    row_id = new_id()
    refund = Refund(
        id=row_id,
        number=number_of(row_id),
        invoice_id=attempt.invoice_id,
        attempt_id=attempt.id,
        amount=amount,
        currency=currency,
        reason=reason,
        requested_by=actor.user_id if actor else None,
        status=RefundStatus.PENDING,
        lease_until=uow.now,
        created_at=uow.now,
    )
    uow.session.add(refund)
    uow.session.flush()
    uow.ring(JOB)
    return refund


def take_refund(uow: UnitOfWork, refund: Refund) -> Errand[RefundOrder]:
    """Claim a refund for sending, until its lease is over."""
    attempt = uow.session.get_one(PaymentAttempt, refund.attempt_id)
    require_original(uow, attempt.provider)
    if refund.status == RefundStatus.PENDING:
        refund.status = REFUND.require(RefundStatus.PENDING, RefundStatus.PROCESSING)
    refund.tries += 1
    refund.lease_until = uow.now + LEASE
    order = RefundOrder(
        number=refund.number,
        provider=attempt.provider,
        charge_number=attempt.number,
        charge_reference=attempt.reference,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
    )
    # A first sending can't be a second one, however long the refund has waited.
    may_send = refund.tries == 1 or uow.now - refund.created_at < SEND_FOR
    return Errand(order, ask_first=refund.tries > 1, may_send=may_send)


def claim_due_refunds(uow: UnitOfWork, *, limit: int) -> list[Errand[RefundOrder]]:
    """Claim refunds that nobody has sent, and those whose lease ran out without an answer."""
    due = (
        select(Refund)
        .join(PaymentAttempt, PaymentAttempt.id == Refund.attempt_id)
        .where(
            Refund.status.in_(_WAITING),
            Refund.lease_until <= uow.now,
            PaymentAttempt.provider.in_(original_providers(uow)),
        )
        .order_by(Refund.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Refund)
    )
    return [take_refund(uow, refund) for refund in uow.session.scalars(due).all()]


def apply_refund(uow: UnitOfWork, number: str, outcome: Outcome) -> Refund | None:
    """Record what became of a refund, whoever brings the news; the same news twice changes nothing."""
    found = lock_refund(uow, number)
    if found is None:
        return None
    invoice, refund = found
    if refund.status not in _WAITING:
        return refund
    if outcome.state == OutcomeState.SUCCEEDED and _figures_agree(refund, outcome):
        _succeed(uow, invoice, refund, outcome)
    elif outcome.state == OutcomeState.FAILED or _was_never_sent(uow, refund, outcome):
        _fail(uow, invoice, refund, outcome.code or "never_sent")
    else:
        refund.lease_until = next_look(uow, refund.tries)
    uow.session.flush()
    return refund


def _figures_agree(refund: Refund, outcome: Outcome) -> bool:
    agree = (outcome.amount, outcome.currency) == (refund.amount, refund.currency)
    if not agree:
        log.error("refund_figures_differ", number=refund.number, amount=outcome.amount, currency=outcome.currency)
    return agree


def _was_never_sent(uow: UnitOfWork, refund: Refund, outcome: Outcome) -> bool:
    return outcome.state == OutcomeState.NOT_FOUND and uow.now - refund.created_at >= SEND_FOR


def _succeed(uow: UnitOfWork, invoice: Invoice, refund: Refund, outcome: Outcome) -> None:
    refund.status = REFUND.require(RefundStatus(refund.status), RefundStatus.SUCCEEDED)
    refund.reference = outcome.reference
    refund.settled_at = uow.now
    provider = uow.session.get_one(PaymentAttempt, refund.attempt_id).provider
    if refund.surplus:
        ledger.post_surplus_refund(uow, refund, provider)
        return
    invoice.refunding -= refund.amount
    invoice.refunded += refund.amount
    full = invoice.refunded == invoice.amount
    new = InvoiceStatus.REFUNDED if full else InvoiceStatus.PARTIALLY_REFUNDED
    if invoice.status != new:
        invoice.status = INVOICE.require(InvoiceStatus(invoice.status), new)
    ledger.post_refund(uow, invoice, refund, provider)
    if full:
        revoke_access(uow, source=GrantSource.INVOICE, source_id=invoice.id, reason="refunded")
        end_refunded(uow, invoice)
    uow.emit(
        events.InvoiceRefunded(
            invoice.id,
            invoice.circle_id,
            invoice.payer_id,
            invoice.kind,
            subject_of(invoice),
            refund.amount,
            refund.currency,
            full=full,
        )
    )


def _fail(uow: UnitOfWork, invoice: Invoice, refund: Refund, code: str) -> None:
    refund.status = REFUND.require(RefundStatus(refund.status), RefundStatus.FAILED)
    refund.failure_code = code
    refund.settled_at = uow.now
    if not refund.surplus:
        invoice.refunding -= refund.amount
    audit.record(
        uow,
        None,
        "refund.fail",
        circle_id=invoice.circle_id,
        subject_kind="invoice",
        subject_id=invoice.id,
        refund_id=str(refund.id),
        code=code,
    )
