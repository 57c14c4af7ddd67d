"""What became of a payment attempt: one `apply` for the direct answer, the webhook, the sweeper, reconciliation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt
from circle.billing.providers.base import Outcome, OutcomeState
from circle.billing.services import ledger
from circle.billing.services.checkouts import complete_checkout, subject_of, void_unpaid
from circle.billing.services.dunning import on_charges_failed
from circle.billing.services.leases import SEND_FOR, next_look
from circle.billing.services.payments import Payment, free_payment, lock_payments
from circle.billing.services.refunds import give_back_surplus
from circle.billing.services.terms import begin_first_term, is_in_time, next_term, subscription_of
from circle.billing.services.upgrading import begin_upgrade
from circle.billing.states import ATTEMPT, INVOICE, AttemptStatus, InvoiceStatus
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.money import BASIS_POINTS, share
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import GrantSource, Status
from circle.memberships.services.access import Term, give_each, revoke_each

log = structlog.get_logger(__name__)

_STATUS = {
    OutcomeState.SUCCEEDED: AttemptStatus.SUCCEEDED,
    OutcomeState.PROCESSING: AttemptStatus.PROCESSING,
    OutcomeState.REQUIRES_ACTION: AttemptStatus.REQUIRES_ACTION,
    OutcomeState.FAILED: AttemptStatus.FAILED,
}


@dataclass
class _Applied:
    """What a batch comes to, written for all of it at once."""

    terms: list[Term] = field(default_factory=list)
    # Renewals whose access while they were collected is replaced by the term.
    bridged: list[UUID] = field(default_factory=list)
    paid: list[Payment] = field(default_factory=list)
    failed: list[Payment] = field(default_factory=list)


def apply(uow: UnitOfWork, number: str, outcome: Outcome) -> None:
    """Record what a provider says about an attempt; the same news twice, or old news, changes nothing.

    `succeeded` may overwrite `failed`, never the reverse. A number that is not ours is passed over.
    """
    apply_each(uow, {number: outcome})


def apply_each(uow: UnitOfWork, news: Mapping[str, Outcome]) -> list[str]:
    """Record what providers say about many attempts, in some statements for all of them.

    Returns the numbers that are left, to be applied each in a unit of its own: they need rows that members share, for
    which a batch would let others wait. Of one attempt alone nothing is left.
    """
    payments = lock_payments(uow, news)
    applied, left = _Applied(), list[str]()
    for payment in payments:
        attempt = _attempt_of(payment)
        outcome = news[attempt.number]
        new = _new_status(uow, attempt, outcome)
        if new is None or not ATTEMPT.allows(AttemptStatus(attempt.status), new):
            _look_again(uow, attempt, new)
        elif new != AttemptStatus.SUCCEEDED:
            _note(uow, attempt, new, outcome)
            if new == AttemptStatus.FAILED:
                applied.failed.append(payment)
        elif len(payments) > 1 and not _keeps_to_itself(payment, outcome):
            left.append(attempt.number)
        else:
            _money_came(uow, payment, outcome, applied)
    _write(uow, applied)
    return left


def _attempt_of(payment: Payment) -> PaymentAttempt:
    if payment.attempt is None:
        raise ValueError(f"nothing was asked for invoice {payment.invoice.number}")
    return payment.attempt


def _look_again(uow: UnitOfWork, attempt: PaymentAttempt, new: AttemptStatus | None) -> None:
    """Ask later about what has no answer yet."""
    if new != AttemptStatus.SUCCEEDED and attempt.status in {AttemptStatus.CREATED, AttemptStatus.PROCESSING}:
        attempt.lease_until = next_look(uow, attempt.tries)


def _keeps_to_itself(payment: Payment, outcome: Outcome) -> bool:
    """Whether money changes rows of one member alone: not a tier's seats, a circle's numbers, or another room's."""
    invoice = payment.invoice
    return (
        invoice.kind == InvoiceKind.RENEWAL
        and invoice.status == InvoiceStatus.OPEN
        and (outcome.amount, outcome.currency) == (invoice.amount, invoice.currency)
        and payment.is_seated
        and payment.membership is not None
        and payment.membership.status == Status.ACTIVE
    )


def _new_status(uow: UnitOfWork, attempt: PaymentAttempt, outcome: Outcome) -> AttemptStatus | None:
    """Return what the attempt becomes; None where nothing is known yet."""
    if outcome.state == OutcomeState.NOT_FOUND and uow.now - (attempt.sent_at or attempt.created_at) >= SEND_FOR:
        return AttemptStatus.FAILED
    if outcome.state == OutcomeState.SUCCEEDED and (outcome.amount is None or outcome.currency is None):
        log.error("payment_without_figures", number=attempt.number)
        return None
    return _STATUS.get(outcome.state)


def _note(uow: UnitOfWork, attempt: PaymentAttempt, new: AttemptStatus, outcome: Outcome) -> None:
    """Record a failure, or what the payer has to do."""
    attempt.status = ATTEMPT.require(AttemptStatus(attempt.status), new)
    attempt.reference = outcome.reference or attempt.reference
    attempt.action = outcome.action
    if new == AttemptStatus.FAILED:
        attempt.failure_code = outcome.code or ("never_sent" if outcome.state == OutcomeState.NOT_FOUND else "unknown")
        attempt.retry = outcome.retry
        attempt.settled_at = uow.now
    attempt.lease_until = None if new == AttemptStatus.FAILED else next_look(uow, attempt.tries)


def _money_came(uow: UnitOfWork, payment: Payment, outcome: Outcome, applied: _Applied) -> None:
    invoice, attempt = payment.invoice, _attempt_of(payment)
    attempt.status = ATTEMPT.require(AttemptStatus(attempt.status), AttemptStatus.SUCCEEDED)
    attempt.reference = outcome.reference or attempt.reference
    attempt.received, attempt.received_currency = outcome.amount, outcome.currency
    attempt.failure_code = attempt.retry = attempt.action = attempt.lease_until = None
    attempt.settled_at = uow.now
    if (attempt.received, attempt.received_currency) != (attempt.amount, attempt.currency):
        _give_back(uow, invoice, attempt, why="wrong_amount")
    elif invoice.status != InvoiceStatus.OPEN:
        _give_back(uow, invoice, attempt, why=f"invoice_{invoice.status}")
    elif not _serve(uow, payment, applied):
        _give_back(uow, invoice, attempt, why="nothing_left_to_sell")
        void_unpaid(uow, invoice)
    else:
        _settle(uow, payment, applied)


def settle_free(uow: UnitOfWork, invoice: Invoice) -> bool:
    """Count an invoice over nothing as paid, without an attempt; False where it can't be served any more."""
    applied, payment = _Applied(), free_payment(uow, invoice)
    if invoice.amount or not _serve(uow, payment, applied):
        return False
    _settle(uow, payment, applied)
    invoice.released_at = uow.now
    _write(uow, applied)
    return True


def _serve(uow: UnitOfWork, payment: Payment, applied: _Applied) -> bool:
    """Give what was paid for; False where that is impossible by now."""
    invoice = payment.invoice
    if invoice.kind == InvoiceKind.UPGRADE:
        return begin_upgrade(uow, invoice)
    if invoice.kind != InvoiceKind.RENEWAL:
        return invoice.subscription_id is None or begin_first_term(uow, payment)
    term = next_term(uow, payment)
    if term is None:
        return False
    applied.terms.append(term)
    if is_in_time(uow, invoice):
        applied.bridged.append(invoice.id)
    return True


def _settle(uow: UnitOfWork, payment: Payment, applied: _Applied) -> None:
    settings, invoice = uow.use(Settings), payment.invoice
    invoice.status = INVOICE.require(InvoiceStatus(invoice.status), InvoiceStatus.PAID)
    invoice.paid_at = uow.now
    invoice.refundable_until = uow.now + timedelta(hours=settings.refund_window_hours)
    invoice.platform_fee = share(invoice.amount, settings.platform_fee_bps, BASIS_POINTS)
    complete_checkout(uow, payment.checkout)
    applied.paid.append(payment)


def _write(uow: UnitOfWork, applied: _Applied) -> None:
    """Give access, post to the ledger and announce, for all that was paid or has failed."""
    uow.session.flush()
    give_each(uow, applied.terms)
    # The term itself gives access from where the last one ended.
    revoke_each(uow, source=GrantSource.GRACE, source_ids=applied.bridged, reason="paid")
    ledger.post_payments(uow, [(one.invoice, one.attempt) for one in applied.paid if one.attempt is not None])
    on_charges_failed(uow, applied.failed)
    for payment in applied.paid:
        _announce(uow, payment)
    uow.session.flush()


def _announce(uow: UnitOfWork, payment: Payment) -> None:
    invoice = payment.invoice
    if invoice.kind == InvoiceKind.RENEWAL:
        about = subscription_of(payment)
        uow.emit(events.SubscriptionRenewed(about.id, invoice.id, about.circle_id, about.user_id))
    uow.emit(events.InvoicePaid(invoice.id, invoice.circle_id, invoice.payer_id, invoice.kind, subject_of(invoice)))


def _give_back(uow: UnitOfWork, invoice: Invoice, attempt: PaymentAttempt, *, why: str) -> None:
    """Book money that pays for nothing, and send it back."""
    amount, currency = attempt.received or 0, attempt.received_currency or attempt.currency
    attempt.surplus = True
    uow.session.flush()
    if amount > 0:
        ledger.post_surplus(uow, attempt, amount, currency)
        give_back_surplus(uow, attempt, amount=amount, currency=currency)
    audit.record(
        uow,
        None,
        "payment.surplus",
        circle_id=invoice.circle_id,
        subject_kind="invoice",
        subject_id=invoice.id,
        attempt=attempt.number,
        why=why,
        amount=amount,
        currency=currency,
    )
