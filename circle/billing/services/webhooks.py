"""Provider notifications: verified, kept once each, and used only to know where to look."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import ForgedNotification, OldNotification, UnreadableNotification
from circle.billing.inbox_models import ProviderEvent
from circle.billing.providers.base import Notification, Outcome, Providers
from circle.billing.services import outcomes, payout_sending, refunds
from circle.billing.services.leases import next_look
from circle.billing.services.locks import load_by
from circle.billing.states import AttemptStatus, PayoutStatus, RefundStatus
from circle.kernel import audit
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

JOB = "billing.inbox"
_NOT_OURS = "not_ours"


# What nothing changes any more; a charge that has failed may still turn out to be paid.
_ENDED = {
    "charge": frozenset({AttemptStatus.SUCCEEDED}),
    "refund": frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED}),
    "payout": frozenset({PayoutStatus.SUCCEEDED, PayoutStatus.FAILED, PayoutStatus.CANCELED}),
}
_STANDINGS = text("""
    SELECT 'charge' AS kind, provider, number, status FROM payment_attempts WHERE number = ANY (:numbers)
    UNION ALL
    SELECT 'refund', a.provider, r.number, r.status
    FROM refunds AS r JOIN payment_attempts AS a ON a.id = r.attempt_id WHERE r.number = ANY (:numbers)
    UNION ALL
    SELECT 'payout', provider, number, status FROM payouts WHERE number = ANY (:numbers)
""")


class About(NamedTuple):
    """What notifications speak of."""

    kind: str
    provider: str
    number: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Claimed notifications of one thing, outside any transaction."""

    event_ids: tuple[UUID, ...]
    about: About
    reference: str | None

    @property
    def number(self) -> str:
        return self.about.number


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


def claim_waiting(uow: UnitOfWork, *, limit: int) -> tuple[int, list[Waiting]]:
    """Claim notifications that nobody has looked into, by moving their lease; return how many, and what to ask about.

    Those of what is not ours, and of what has come to its end, are settled at once.
    """
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
    told = defaultdict[About, list[ProviderEvent]](list)
    for event in claimed:
        # What has a name of its own at its provider is about the charge.
        kind = event.kind if event.kind in _ENDED else "charge"
        told[About(kind, event.provider, event.number)].append(event)
    standings = _standings(uow, told)
    waiting = list[Waiting]()
    for about, news in told.items():
        standing = standings.get(about, _NOT_OURS)
        if standing == _NOT_OURS or standing in _ENDED[about.kind]:
            _settle(uow, news, standing)
        else:
            reference = next((event.reference for event in news if event.reference), None)
            waiting.append(Waiting(tuple(event.id for event in news), about, reference))
    return len(claimed), waiting


def _standings(uow: UnitOfWork, things: Collection[About]) -> dict[About, str]:
    """Return the states of what we asked providers to do; nothing for what is not ours."""
    if not things:
        return {}
    rows = uow.session.execute(_STANDINGS, {"numbers": [one.number for one in things]})
    return {About(row.kind, row.provider, row.number): row.status for row in rows}


def apply_each(uow: UnitOfWork, heard: Sequence[tuple[Waiting, Outcome]]) -> list[str]:
    """Apply the truth about what notifications speak of; return the numbers that are left, each for a unit alone."""
    charges = {one.number: outcome for one, outcome in heard if one.about.kind == "charge"}
    left = set(outcomes.apply_each(uow, charges)) if charges else set()
    for one, outcome in heard:
        if one.number in charges:
            continue
        if len(heard) > 1:
            left.add(one.number)
        elif one.about.kind == "payout":
            payout_sending.apply_payout(uow, one.number, outcome)
        else:
            refunds.apply_refund(uow, one.number, outcome)
    done = [(one, outcome) for one, outcome in heard if one.number not in left]
    events = load_by(uow, ProviderEvent, ProviderEvent.id, [event_id for one, _ in done for event_id in one.event_ids])
    for one, outcome in done:
        _settle(uow, [events[event_id] for event_id in one.event_ids], outcome.state)
    return [one.number for one, _ in heard if one.number in left]


def _settle(uow: UnitOfWork, news: Sequence[ProviderEvent], result: str) -> None:
    for event in news:
        event.processed_at = event.processed_at or uow.now
        event.result = result
