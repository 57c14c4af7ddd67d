"""Withdrawals: a creator asks, an operator decides, the provider or the operator sends.

The money leaves the available balance when it is asked for, and comes back when it will not be sent.
"""

from uuid import UUID

from sqlalchemy import select

from circle.billing import events
from circle.billing.errors import BalanceTooLow, SentByProvider
from circle.billing.payout_models import Payout, PayoutAccount
from circle.billing.policy import require_visible_payout
from circle.billing.providers.base import number_of
from circle.billing.services import ledger
from circle.billing.services.installation import require_original
from circle.billing.services.locks import lock
from circle.billing.states import PAYOUT, PayoutStatus
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.events import CircleTransferred
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

JOB = "billing.pay_out"


def request_payout(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, *, amount: int, currency: str, note: str
) -> Payout:
    """Withdraw what is available of a circle's money. Errors: NotFound, MissingPermission, BalanceTooLow."""
    require_permission(uow, caller, circle_id, Permission.MOVE_MONEY)
    if not ledger.holds_available(uow, circle_id, currency, amount):
        raise BalanceTooLow
    account = uow.session.get(PayoutAccount, circle_id)
    row_id = new_id()
    payout = Payout(
        id=row_id,
        number=number_of(row_id),
        circle_id=circle_id,
        amount=amount,
        currency=currency,
        provider=account.provider if account else None,
        payee=account.reference if account else None,
        note=note,
        status=PayoutStatus.REQUESTED,
        requested_by=caller.user_id,
        tries=0,
        created_at=uow.now,
    )
    uow.session.add(payout)
    uow.session.flush()
    ledger.post_payout(uow, payout)
    _note(uow, caller, payout, "payout.request")
    return payout


def cancel_payout(uow: UnitOfWork, caller: Caller, payout_id: UUID) -> Payout:
    """Take back a request that nobody has approved. Errors: NotFound, MissingPermission, WrongState."""
    payout = require_visible_payout(uow, caller, payout_id)
    require_permission(uow, caller, payout.circle_id, Permission.MOVE_MONEY)
    payout = lock(uow, Payout, payout_id)
    _cancel(uow, caller, payout)
    return payout


def _cancel(uow: UnitOfWork, actor: Caller | None, payout: Payout) -> None:
    payout.status = PAYOUT.require(PayoutStatus(payout.status), PayoutStatus.CANCELED)
    payout.settled_at = uow.now
    ledger.post_payout_return(uow, payout)
    _note(uow, actor, payout, "payout.cancel")


def approve_payout(uow: UnitOfWork, number: str) -> Payout:
    """Let a payout be sent, as the operator. Errors: NotFound, WrongState, InstallationMoved."""
    payout = _lock_numbered(uow, number)
    payout.status = PAYOUT.require(PayoutStatus(payout.status), PayoutStatus.APPROVED)
    payout.approved_at = uow.now
    if payout.provider is not None:
        require_original(uow, payout.provider)
        payout.lease_until = uow.now
        uow.ring(JOB)
    _note(uow, None, payout, "payout.approve")
    return payout


def refuse_payout(uow: UnitOfWork, number: str, *, reason: str) -> Payout:
    """Refuse a payout that was not sent, as the operator. Errors: NotFound, WrongState."""
    payout = _lock_numbered(uow, number)
    if payout.status == PayoutStatus.IN_TRANSIT:
        raise WrongState(state=payout.status)
    fail(uow, payout, code="refused")
    _note(uow, None, payout, "payout.refuse", reason=reason)
    return payout


def mark_paid(uow: UnitOfWork, number: str, *, reference: str) -> Payout:
    """Record that the operator has paid an approved payout by hand. Errors: NotFound, SentByProvider, WrongState."""
    payout = _lock_numbered(uow, number)
    if payout.provider is not None:
        raise SentByProvider
    succeed(uow, payout, reference=reference)
    _note(uow, None, payout, "payout.pay", reference=reference)
    return payout


def succeed(uow: UnitOfWork, payout: Payout, *, reference: str | None) -> None:
    """Record that the money has left."""
    payout.status = PAYOUT.require(PayoutStatus(payout.status), PayoutStatus.SUCCEEDED)
    payout.reference = reference
    payout.settled_at = uow.now
    payout.lease_until = None
    ledger.post_payout_sent(uow, payout)
    _tell(uow, payout)


def fail(uow: UnitOfWork, payout: Payout, *, code: str) -> None:
    """Record that the money will not leave: it is available again."""
    payout.status = PAYOUT.require(PayoutStatus(payout.status), PayoutStatus.FAILED)
    payout.failure_code = code
    payout.settled_at = uow.now
    payout.lease_until = None
    ledger.post_payout_return(uow, payout)
    _tell(uow, payout)


def on_circle_transferred(uow: UnitOfWork, event: CircleTransferred) -> None:
    """Send nothing more to the owner before: what they asked for is available to the new one."""
    account = uow.session.get(PayoutAccount, event.circle_id)
    if account is not None:
        uow.session.delete(account)
    waiting = select(Payout.id).where(Payout.circle_id == event.circle_id, Payout.status == PayoutStatus.REQUESTED)
    for payout_id in uow.session.scalars(waiting.order_by(Payout.id)).all():
        payout = lock(uow, Payout, payout_id)
        if payout.status == PayoutStatus.REQUESTED:
            _cancel(uow, None, payout)


def _lock_numbered(uow: UnitOfWork, number: str) -> Payout:
    payout_id = uow.session.scalar(select(Payout.id).where(Payout.number == number))
    if payout_id is None:
        raise NotFound
    return lock(uow, Payout, payout_id)


def _tell(uow: UnitOfWork, payout: Payout) -> None:
    uow.session.flush()
    uow.emit(
        events.PayoutSettled(
            payout.id, payout.circle_id, payout.requested_by, payout.status, payout.amount, payout.currency
        )
    )


def _note(uow: UnitOfWork, actor: Caller | None, payout: Payout, action: str, **data: str) -> None:
    audit.record(
        uow,
        actor,
        action,
        circle_id=payout.circle_id,
        subject_kind="payout",
        subject_id=payout.id,
        amount=payout.amount,
        currency=payout.currency,
        **data,
    )
