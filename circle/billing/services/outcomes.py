"""What became of a payment attempt: one `apply` for the direct answer, the webhook, the sweeper, reconciliation."""

from datetime import timedelta
from uuid import UUID

import structlog

from circle.billing import events
from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt
from circle.billing.providers.base import Outcome, OutcomeState
from circle.billing.services import ledger
from circle.billing.services.checkouts import complete_checkout, subject_of, void_unpaid
from circle.billing.services.dunning import on_charge_failed
from circle.billing.services.leases import SEND_FOR, next_look
from circle.billing.services.locks import lock_attempt
from circle.billing.services.refunds import give_back_surplus
from circle.billing.services.terms import begin_first_term, begin_next_term
from circle.billing.services.upgrading import begin_upgrade
from circle.billing.states import ATTEMPT, INVOICE, AttemptStatus, InvoiceStatus
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.money import BASIS_POINTS, share
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

_STATUS = {
    OutcomeState.SUCCEEDED: AttemptStatus.SUCCEEDED,
    OutcomeState.PROCESSING: AttemptStatus.PROCESSING,
    OutcomeState.REQUIRES_ACTION: AttemptStatus.REQUIRES_ACTION,
    OutcomeState.FAILED: AttemptStatus.FAILED,
}


def apply(uow: UnitOfWork, number: str, outcome: Outcome) -> PaymentAttempt | None:
    """Record what a provider says about an attempt; the same news twice, or old news, changes nothing.

    `succeeded` may overwrite `failed`, never the reverse. Returns None for a number that is not ours.
    """
    found = lock_attempt(uow, number)
    if found is None:
        return None
    invoice, attempt = found
    new = _new_status(uow, attempt, outcome)
    if new == AttemptStatus.SUCCEEDED and not ATTEMPT.allows(AttemptStatus(attempt.status), new):
        return attempt
    if new == AttemptStatus.SUCCEEDED:
        _money_came(uow, invoice, attempt, outcome)
    elif new is not None and ATTEMPT.allows(AttemptStatus(attempt.status), new):
        _note(uow, attempt, new, outcome)
        if new == AttemptStatus.FAILED:
            on_charge_failed(uow, invoice, attempt)
    elif attempt.status in {AttemptStatus.CREATED, AttemptStatus.PROCESSING}:
        attempt.lease_until = next_look(uow, attempt.tries)
    uow.session.flush()
    return attempt


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


def _money_came(uow: UnitOfWork, invoice: Invoice, attempt: PaymentAttempt, outcome: Outcome) -> None:
    attempt.status = ATTEMPT.require(AttemptStatus(attempt.status), AttemptStatus.SUCCEEDED)
    attempt.reference = outcome.reference or attempt.reference
    attempt.received, attempt.received_currency = outcome.amount, outcome.currency
    attempt.failure_code = attempt.retry = attempt.action = attempt.lease_until = None
    attempt.settled_at = uow.now
    if (attempt.received, attempt.received_currency) != (attempt.amount, attempt.currency):
        _give_back(uow, invoice, attempt, why="wrong_amount")
    elif invoice.status != InvoiceStatus.OPEN:
        _give_back(uow, invoice, attempt, why=f"invoice_{invoice.status}")
    elif not _serve(uow, invoice, attempt.payment_method_id):
        _give_back(uow, invoice, attempt, why="nothing_left_to_sell")
        void_unpaid(uow, invoice)
    else:
        _settle(uow, invoice)
        ledger.post_payment(uow, invoice, attempt)
        _announce(uow, invoice)


def settle_free(uow: UnitOfWork, invoice: Invoice) -> bool:
    """Count an invoice over nothing as paid, without an attempt; False where it can't be served any more."""
    if invoice.amount or not _serve(uow, invoice, None):
        return False
    _settle(uow, invoice)
    invoice.released_at = uow.now
    _announce(uow, invoice)
    return True


def _serve(uow: UnitOfWork, invoice: Invoice, method_id: UUID | None) -> bool:
    """Give what was paid for; False where that is impossible by now."""
    if invoice.kind == InvoiceKind.UPGRADE:
        return begin_upgrade(uow, invoice)
    if invoice.kind == InvoiceKind.RENEWAL:
        return begin_next_term(uow, invoice, method_id)
    return invoice.subscription_id is None or begin_first_term(uow, invoice, method_id)


def _settle(uow: UnitOfWork, invoice: Invoice) -> None:
    settings = uow.use(Settings)
    invoice.status = INVOICE.require(InvoiceStatus(invoice.status), InvoiceStatus.PAID)
    invoice.paid_at = uow.now
    invoice.refundable_until = uow.now + timedelta(hours=settings.refund_window_hours)
    invoice.platform_fee = share(invoice.amount, settings.platform_fee_bps, BASIS_POINTS)
    complete_checkout(uow, invoice)
    uow.session.flush()


def _announce(uow: UnitOfWork, invoice: Invoice) -> None:
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
