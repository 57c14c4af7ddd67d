"""What talks to a provider: claim in one unit of work, call outside of any, apply in another.

A process may die between any two lines here: the row stays `processing`, its lease runs out, and the sweeper asks
the provider about the same number.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from circle.billing import ledger_queries, queries
from circle.billing.batches import SHARED_BATCH, Stretch, answers, together
from circle.billing.providers.base import Order, Outcome, OutcomeState, Providers, RefundOrder
from circle.billing.providers.sandbox import PAGE_TOKEN, Delivery, Sandbox
from circle.billing.services import attempts, checkouts, outcomes, refunds, releasing, webhooks
from circle.billing.services.leases import BATCH, Errand
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units


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
    outcome = _ask(units, errand)
    with units.write() as uow:
        outcomes.apply(uow, errand.number, outcome)


def settle(units: Units, what: str, stretch: Stretch, errands: Sequence[Errand[Order]]) -> None:
    """Do claimed charges side by side, and apply what became of them, some at a time; `what` names what fails."""
    for answered in answers(units, what, stretch, errands, partial(_ask, units)):
        news = {errand.number: outcome for errand, outcome in answered}
        together(units, what, list(news), partial(_apply, news))


def _apply(news: Mapping[str, Outcome], uow: UnitOfWork, numbers: Sequence[str]) -> list[str]:
    return outcomes.apply_each(uow, {number: news[number] for number in numbers})


def _ask(units: Units, errand: Errand[Order]) -> Outcome:
    """Say what an errand says to its provider."""
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    outcome = Outcome(OutcomeState.NOT_FOUND)
    if errand.give_up:
        outcome = _closed(provider.close(order.number, order.reference))
    elif errand.ask_first:
        outcome = provider.query(order.number, order.reference)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.start(order) if order.on_session else provider.charge(order)
    return outcome


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


def refund(
    units: Units, caller: Caller, invoice_id: UUID, *, amount: int | None, reason: str, pro_rata: bool = False
) -> Json:
    """Refund an invoice and return the refund."""
    with units.write() as uow:
        errand = refunds.refund_invoice(uow, caller, invoice_id, amount=amount, reason=reason, pro_rata=pro_rata)
    run_refund(units, errand)
    with units.read() as uow:
        return queries.refund(uow, errand.order.number)


def run_refund(units: Units, errand: Errand[RefundOrder]) -> None:
    """Do one claimed refund and apply what became of it."""
    outcome = _ask_back(units, errand)
    with units.write() as uow:
        refunds.apply_refund(uow, errand.number, outcome)


def _ask_back(units: Units, errand: Errand[RefundOrder]) -> Outcome:
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    outcome = Outcome(OutcomeState.NOT_FOUND)
    if errand.ask_first:
        outcome = provider.query_refund(order.number, order.charge_reference)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.refund(order)
    return outcome


def resolve(units: Units) -> int:
    """Find out what became of attempts without an answer."""
    stretch = Stretch()
    with units.write() as uow:
        errands = attempts.claim_unanswered(uow, limit=BATCH)
    settle(units, "attempt_poison", stretch, errands)
    return len(errands)


def send_refunds(units: Units) -> int:
    """Send refunds that wait, and find out about those without an answer."""
    stretch = Stretch()
    with units.write() as uow:
        errands = refunds.claim_due_refunds(uow, limit=BATCH)
    for answered in answers(units, "refund_poison", stretch, errands, partial(_ask_back, units)):
        for errand, outcome in answered:
            with isolated("refund_poison", number=errand.number), units.write() as uow:
                refunds.apply_refund(uow, errand.number, outcome)
    return len(errands)


def read_inbox(units: Units) -> int:
    """Ask about everything that notifications speak of, but for what has come to its end."""
    stretch = Stretch()
    with units.write() as uow:
        claimed, waiting = webhooks.claim_waiting(uow, limit=BATCH)
    for answered in answers(units, "notification_poison", stretch, waiting, partial(_look_up, units)):
        news = {one.number: (one, outcome) for one, outcome in answered}
        together(units, "notification_poison", list(news), partial(_take_news, news))
    return claimed


def _take_news(
    news: Mapping[str, tuple[webhooks.Waiting, Outcome]], uow: UnitOfWork, numbers: Sequence[str]
) -> list[str]:
    return webhooks.apply_each(uow, [news[number] for number in numbers])


def _look_up(units: Units, waiting: webhooks.Waiting) -> Outcome | None:
    """Ask for the truth; None if the provider can't be asked now."""
    provider = units.use(Providers).get(waiting.about.provider)
    asks = {"charge": provider.query, "refund": provider.query_refund, "payout": provider.query_payout}
    outcome = asks[waiting.about.kind](waiting.number, waiting.reference)
    return None if outcome.state == OutcomeState.UNKNOWN else outcome


def expire_checkouts(units: Units) -> int:
    """Close checkouts that nobody paid in time. Those with a payment under way wait for its end."""
    with units.read() as uow:
        due = queries.expired_checkouts(uow, limit=SHARED_BATCH)
    return len(together(units, "checkout_poison", due, checkouts.expire_each))


def release(units: Units) -> int:
    """Make the creators' money available whose refund window is over."""
    with units.read() as uow:
        due = ledger_queries.releasable(uow, limit=SHARED_BATCH)
    return len(together(units, "release_poison", due, releasing.release_each))


def run_sandbox(units: Units) -> int:
    """Let pending sandbox charges ripen, and deliver the sandbox's webhooks as a provider would."""
    if Sandbox.name not in units.use(Providers).by_name:
        return 0
    sandbox = units.use(Sandbox)
    sandbox.ripen()
    delivered = together(units, "sandbox_webhook_poison", sandbox.waiting_webhooks(), _receive)
    sandbox.mark_delivered([one.event_id for one in delivered])
    return len(delivered)


def _receive(uow: UnitOfWork, deliveries: Sequence[Delivery]) -> None:
    for one in deliveries:
        webhooks.receive(uow, Sandbox.name, one.headers, one.body)
