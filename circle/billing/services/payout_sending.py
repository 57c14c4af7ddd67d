"""Sending approved payouts through a provider: claimed with a lease, sent outside, applied by one function."""

import structlog
from sqlalchemy import select

from circle.billing.payout_models import Payout
from circle.billing.providers.base import Outcome, OutcomeState, PayoutOrder
from circle.billing.services.installation import original_providers
from circle.billing.services.leases import LEASE, SEND_FOR, Errand, next_look
from circle.billing.services.locks import lock
from circle.billing.services.payouts import fail, succeed
from circle.billing.states import PAYOUT, PayoutStatus
from circle.circles.models import Circle
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

_TO_SEND = (PayoutStatus.APPROVED, PayoutStatus.IN_TRANSIT)


def claim_due_payouts(uow: UnitOfWork, *, limit: int) -> list[Errand[PayoutOrder]]:
    """Claim approved payouts, and those whose lease ran out without an answer."""
    due = (
        select(Payout)
        .where(
            Payout.status.in_(_TO_SEND),
            Payout.provider.in_(original_providers(uow)),
            Payout.lease_until <= uow.now,
        )
        .order_by(Payout.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_take(uow, payout) for payout in uow.session.scalars(due).all()]


def _take(uow: UnitOfWork, payout: Payout) -> Errand[PayoutOrder]:
    if payout.status == PayoutStatus.APPROVED:
        payout.status = PAYOUT.require(PayoutStatus.APPROVED, PayoutStatus.IN_TRANSIT)
    payout.sent_at = payout.sent_at or uow.now
    payout.tries += 1
    payout.lease_until = uow.now + LEASE
    order = PayoutOrder(
        number=payout.number,
        provider=payout.provider or "",
        payee=payout.payee or "",
        amount=payout.amount,
        currency=payout.currency,
        description=uow.session.get_one(Circle, payout.circle_id).name,
    )
    return Errand(order, ask_first=payout.tries > 1, may_send=_may_send(uow, payout))


def _may_send(uow: UnitOfWork, payout: Payout) -> bool:
    return payout.sent_at is not None and uow.now - payout.sent_at < SEND_FOR


def apply_payout(uow: UnitOfWork, number: str, outcome: Outcome) -> Payout | None:
    """Record what became of a payout, whoever brings the news; the same news twice changes nothing.

    Returns None for a number that is not ours.
    """
    payout_id = uow.session.scalar(select(Payout.id).where(Payout.number == number))
    if payout_id is None:
        return None
    payout = lock(uow, Payout, payout_id)
    if payout.status != PayoutStatus.IN_TRANSIT:
        return payout
    if outcome.state == OutcomeState.SUCCEEDED and _figures_agree(payout, outcome):
        succeed(uow, payout, reference=outcome.reference)
    elif outcome.state == OutcomeState.FAILED or _was_never_sent(uow, payout, outcome):
        fail(uow, payout, code=outcome.code or "never_sent")
    else:
        payout.lease_until = next_look(uow, payout.tries)
    uow.session.flush()
    return payout


def _figures_agree(payout: Payout, outcome: Outcome) -> bool:
    agree = (outcome.amount, outcome.currency) == (payout.amount, payout.currency)
    if not agree:
        log.error("payout_figures_differ", number=payout.number, amount=outcome.amount, currency=outcome.currency)
    return agree


def _was_never_sent(uow: UnitOfWork, payout: Payout, outcome: Outcome) -> bool:
    return outcome.state == OutcomeState.NOT_FOUND and not _may_send(uow, payout)
