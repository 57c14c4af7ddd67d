"""What talks to a provider: claim in one unit of work, call outside of any, apply in another.

A process may die between any two lines here: the row stays `processing`, its lease runs out, and the sweeper asks
the provider about the same number.
"""

from uuid import UUID

import structlog

from circle.billing import ledger_queries, queries
from circle.billing.providers.base import Order, Outcome, OutcomeState, Providers, RefundOrder
from circle.billing.providers.sandbox import PAGE_TOKEN, Sandbox
from circle.billing.services import attempts, checkouts, outcomes, refunds, releasing, webhooks
from circle.billing.services.leases import BATCH, Errand
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.isolation import isolated
from circle.kernel.uow import Units

log = structlog.get_logger(__name__)


def pay(units: Units, caller: Caller, checkout_id: UUID, *, payment_method: UUID) -> Json:
    """Pay a checkout with a payment method; return `{status, action, code}`."""
    with units.write() as uow:
        claim = attempts.claim_payment(uow, caller, checkout_id, payment_method)
    if claim.supersedes is not None:
        close_attempt(units, claim.supersedes)
        with units.write() as uow:
            claim = attempts.claim_payment(uow, caller, checkout_id, payment_method)
    if claim.errand is not None:
        run_errand(units, claim.errand)
    with units.read() as uow:
        return queries.payment(uow, checkout_id)


def pay_on_page(units: Units, checkout_id: UUID, *, approve: bool) -> None:
    """Let the holder of a sandbox checkout's page pay or decline."""
    with units.write() as uow:
        claim = attempts.claim_on_page(uow, checkout_id, Sandbox.name, PAGE_TOKEN)
    if claim.errand is not None:
        run_errand(units, claim.errand)
    with units.read() as uow:
        number = queries.awaiting_action(uow, checkout_id, Sandbox.name)
    if number is not None:
        outcome = units.use(Sandbox).decide(number, approve=approve)
        with units.write() as uow:
            outcomes.apply(uow, number, outcome)


def run_errand(units: Units, errand: Errand[Order]) -> None:
    """Do one claimed charge and apply what became of it."""
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    if errand.give_up:
        outcome = _closed(provider.close(order.number, order.reference))
    elif errand.ask_first:
        outcome = provider.query(order.number, order.reference)
    else:
        outcome = Outcome(OutcomeState.NOT_FOUND)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.start(order) if order.on_session else provider.charge(order)
    with units.write() as uow:
        outcomes.apply(uow, order.number, outcome)


def close_attempt(units: Units, number: str) -> None:
    """Give up an attempt that waits for its payer; if they have just paid, that counts."""
    with units.read() as uow:
        provider = queries.provider_of_attempt(uow, number)
    outcome = _closed(units.use(Providers).get(provider).close(number))
    with units.write() as uow:
        outcomes.apply(uow, number, outcome)


def _closed(outcome: Outcome) -> Outcome:
    """A charge that the provider has never seen, and that nobody sends any more, is closed too."""
    if outcome.state == OutcomeState.NOT_FOUND:
        return Outcome(OutcomeState.FAILED, code="closed")
    return outcome


def refund(units: Units, caller: Caller, invoice_id: UUID, *, amount: int | None, reason: str) -> Json:
    """Refund an invoice and return the refund."""
    with units.write() as uow:
        errand = refunds.refund_invoice(uow, caller, invoice_id, amount=amount, reason=reason)
    run_refund(units, errand)
    with units.read() as uow:
        return queries.refund(uow, errand.order.number)


def run_refund(units: Units, errand: Errand[RefundOrder]) -> None:
    """Do one claimed refund and apply what became of it."""
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    outcome = Outcome(OutcomeState.NOT_FOUND)
    if errand.ask_first:
        outcome = provider.query_refund(order.number, order.charge_reference)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.refund(order)
    with units.write() as uow:
        refunds.apply_refund(uow, order.number, outcome)


def resolve(units: Units) -> int:
    """Find out what became of attempts without an answer."""
    with units.write() as uow:
        errands = attempts.claim_unanswered(uow, limit=BATCH)
    for errand in errands:
        with isolated("attempt_poison", number=errand.order.number):
            run_errand(units, errand)
    return len(errands)


def send_refunds(units: Units) -> int:
    """Send refunds that wait, and find out about those without an answer."""
    with units.write() as uow:
        errands = refunds.claim_due_refunds(uow, limit=BATCH)
    for errand in errands:
        with isolated("refund_poison", number=errand.order.number):
            run_refund(units, errand)
    return len(errands)


def read_inbox(units: Units) -> int:
    """Ask about everything that notifications speak of."""
    with units.write() as uow:
        waiting = webhooks.claim_waiting(uow, limit=BATCH)
    for event in waiting:
        with isolated("notification_poison", event_id=str(event.id)) as reading:
            result = _look_up(units, event)
        if reading.error is None and result is not None:
            with units.write() as uow:
                webhooks.settle(uow, event, result)
    return len(waiting)


def _look_up(units: Units, event: webhooks.Waiting) -> str | None:
    """Ask for the truth and apply it; return a word on what was found, None if the provider can't be asked now."""
    provider = units.use(Providers).get(event.provider)
    with units.read() as uow:
        is_ours = webhooks.is_ours(uow, event)
    if not is_ours:
        return "not_ours"
    ask = {"refund": provider.query_refund, "payout": provider.query_payout}.get(event.kind, provider.query)
    outcome = ask(event.number, event.reference)
    if outcome.state == OutcomeState.UNKNOWN:
        return None
    with units.write() as uow:
        return webhooks.apply(uow, event, outcome)


def expire_checkouts(units: Units) -> int:
    """Close checkouts that nobody paid in time. Those with a payment under way wait for its end."""
    with units.read() as uow:
        due = queries.expired_checkouts(uow, limit=BATCH)
    closed = 0
    for checkout_id in due:
        with isolated("checkout_poison", checkout_id=str(checkout_id)), units.write() as uow:
            closed += checkouts.expire_checkout(uow, checkout_id)
    return closed


def release(units: Units) -> int:
    """Make the creators' money available whose refund window is over."""
    with units.read() as uow:
        due = ledger_queries.releasable(uow, limit=BATCH)
    released = 0
    for invoice_id in due:
        with isolated("release_poison", invoice_id=str(invoice_id)), units.write() as uow:
            released += releasing.release(uow, invoice_id)
    return released


def run_sandbox(units: Units) -> int:
    """Let pending sandbox charges ripen, and deliver the sandbox's webhooks as a provider would."""
    if Sandbox.name not in units.use(Providers).by_name:
        return 0
    sandbox = units.use(Sandbox)
    sandbox.ripen()
    delivered = list[UUID]()
    for delivery in sandbox.waiting_webhooks():
        with isolated("sandbox_webhook_poison", event_id=str(delivery.event_id)):
            with units.write() as uow:
                webhooks.receive(uow, Sandbox.name, delivery.headers, delivery.body)
            delivered.append(delivery.event_id)
    sandbox.mark_delivered(delivered)
    return len(delivered)
