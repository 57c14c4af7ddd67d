"""Provider notifications: verified, kept once each, and used only to know where to look."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import ForgedNotification, OldNotification, UnreadableNotification
from circle.billing.inbox_models import ProviderEvent
from circle.billing.models import PaymentAttempt, Refund
from circle.billing.payout_models import Payout
from circle.billing.providers.base import Notification, Outcome, Providers
from circle.billing.services import outcomes, payout_sending, refunds
from circle.billing.services.leases import next_look
from circle.kernel import audit
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

JOB = "billing.inbox"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed notification, outside any transaction."""

    id: UUID
    provider: str
    kind: str
    number: str
    reference: str | None


def receive(uow: UnitOfWork, provider: str, headers: Mapping[str, str], body: bytes) -> None:
    """Keep a notification for the worker; one that was kept before changes nothing.

    Errors: NotFound (no such provider), ForgedNotification, OldNotification, UnreadableNotification.
    """
    known = uow.use(Providers).by_name.get(provider)
    if known is None:
        raise NotFound
    try:
        notification = known.parse_webhook(headers, body, uow.now)
    except (ForgedNotification, OldNotification, UnreadableNotification) as refusal:
        _note_refused(uow, provider, refusal.code)
        raise
    _keep(uow, provider, notification)


def _note_refused(uow: UnitOfWork, provider: str, code: str) -> None:
    log.warning("notification_refused", provider=provider, code=code)
    audit.record(
        uow,
        None,
        "notification.refuse",
        circle_id=None,
        subject_kind="provider",
        subject_id=None,
        provider=provider,
        code=code,
    )
    uow.session.flush()


def _keep(uow: UnitOfWork, provider: str, notification: Notification) -> None:
    uow.session.execute(
        insert(ProviderEvent)
        .values(
            id=new_id(),
            provider=provider,
            event_id=notification.event_id,
            kind=notification.kind,
            number=notification.number,
            reference=notification.reference,
            received_at=uow.now,
            lease_until=uow.now,
            tries=0,
        )
        .on_conflict_do_nothing(index_elements=["provider", "event_id"])
    )
    uow.ring(JOB)


def claim_waiting(uow: UnitOfWork, *, limit: int) -> list[Waiting]:
    """Claim notifications that nobody has looked into, by moving their lease."""
    due = (
        select(ProviderEvent)
        .where(ProviderEvent.processed_at.is_(None), ProviderEvent.lease_until <= uow.now)
        .order_by(ProviderEvent.lease_until, ProviderEvent.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = uow.session.scalars(due).all()
    for event in claimed:
        event.tries += 1
        event.lease_until = next_look(uow, event.tries)
    return [Waiting(event.id, event.provider, event.kind, event.number, event.reference) for event in claimed]


def is_ours(uow: UnitOfWork, event: Waiting) -> bool:
    """Tell whether a notification speaks of something that we asked its provider to do."""
    if event.kind == "payout":
        ours = exists().where(Payout.number == event.number, Payout.provider == event.provider)
    elif event.kind == "refund":
        ours = exists().where(
            Refund.number == event.number,
            Refund.attempt_id == PaymentAttempt.id,
            PaymentAttempt.provider == event.provider,
        )
    else:
        ours = exists().where(PaymentAttempt.number == event.number, PaymentAttempt.provider == event.provider)
    return bool(uow.session.scalar(select(ours)))


def apply(uow: UnitOfWork, event: Waiting, outcome: Outcome) -> str:
    """Apply the truth about what a notification speaks of; return what that was."""
    if event.kind == "payout":
        payout_sending.apply_payout(uow, event.number, outcome)
    elif event.kind == "refund":
        refunds.apply_refund(uow, event.number, outcome)
    else:
        outcomes.apply(uow, event.number, outcome)
    return outcome.state.value


def settle(uow: UnitOfWork, event: Waiting, result: str) -> None:
    row = uow.session.get_one(ProviderEvent, event.id)
    row.processed_at = row.processed_at or uow.now
    row.result = result
