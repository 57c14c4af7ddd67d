"""The outbox: what must reach the outside, written in the transaction of what it announces.

A message is delivered by the relay after the commit, at least once per key, with back-off; a message of a
rolled-back transaction never existed. `UNIQUE(key)` makes a second announcement of one thing impossible.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import BigInteger, Identity, Index, delete, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Json, Query
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units

log = structlog.get_logger(__name__)

RELAY = "outbox.relay"
BATCH = 50
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 12
_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(hours=6)
# How long the key of a delivered message makes a second announcement impossible; one that was given up stays longer.
KEEP_DELIVERED = timedelta(days=30)
KEEP_FAILED = timedelta(days=90)


class OutboxMessage(Base):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    circle_id: Mapped[UUID | None]
    payload: Mapped[Json]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    error: Mapped[str | None]

    __table_args__ = (
        Index("ix_outbox_due", "due_at", postgresql_where=text("delivered_at IS NULL AND failed_at IS NULL")),
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message, outside any transaction."""

    id: int
    key: str
    topic: str
    payload: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something for the outside; `due_at` where it should not leave at once."""

    key: str
    topic: str
    payload: Json
    circle_id: UUID | None = None
    due_at: datetime | None = None


Deliver = Callable[[Units, Message], None]


class DeliveryFailed(Exception):
    """The outside did not take the message; it is tried again later."""


_PUT = Query(
    lambda: text("""
        INSERT INTO outbox (key, topic, payload, circle_id, due_at, attempts, created_at)
        SELECT key, topic, CAST(payload AS jsonb), circle_id, due_at, 0, :now
        FROM unnest(
            CAST(:keys AS text[]), CAST(:topics AS text[]), CAST(:payloads AS text[]), CAST(:circle_ids AS uuid[]),
            CAST(:due AS timestamptz[])
        ) AS message (key, topic, payload, circle_id, due_at)
        ON CONFLICT (key) DO NOTHING
    """)
)


def put(
    uow: UnitOfWork,
    *,
    key: str,
    topic: str,
    payload: Json,
    circle_id: UUID | None = None,
    due_at: datetime | None = None,
) -> None:
    """Announce something once per `key`; a second call with the same key changes nothing."""
    put_many(uow, [Announcement(key, topic, payload, circle_id, due_at)])


def put_many(uow: UnitOfWork, announcements: Sequence[Announcement]) -> None:
    """Announce several things in one statement, each once per its key."""
    if not announcements:
        return
    uow.rows(
        _PUT,
        keys=[one.key for one in announcements],
        topics=[one.topic for one in announcements],
        payloads=[orjson.dumps(one.payload).decode() for one in announcements],
        circle_ids=[one.circle_id for one in announcements],
        due=[one.due_at or uow.now for one in announcements],
        now=uow.now,
    )
    uow.ring(RELAY)


def claim(
    uow: UnitOfWork, topics: Collection[str], *, elsewhere: Collection[str] | None = None, limit: int = BATCH
) -> list[Message]:
    """Take due messages by moving their due time past a lease: a killed relay only delays them.

    Those of `topics`; where it is told what is delivered `elsewhere`, of all others, so that what nobody can deliver
    fails and is seen.
    """
    ours = OutboxMessage.topic.in_(topics) if elsewhere is None else OutboxMessage.topic.not_in(elsewhere)
    due = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.due_at <= uow.now,
            ours,
            OutboxMessage.delivered_at.is_(None),
            OutboxMessage.failed_at.is_(None),
        )
        .order_by(OutboxMessage.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = uow.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(due))
        .values(due_at=uow.now + LEASE, attempts=OutboxMessage.attempts + 1)
        .returning(
            OutboxMessage.id,
            OutboxMessage.key,
            OutboxMessage.topic,
            OutboxMessage.payload,
            OutboxMessage.attempts,
        )
    )
    return [Message(*row) for row in claimed]


def settle(uow: UnitOfWork, message: Message, error: str | None) -> None:
    """Record a delivery, whose payload is then forgotten, or its failure and the next try."""
    values: dict[str, Any]
    if error is None:
        values = {"delivered_at": uow.now, "payload": {}, "error": None}
    elif message.attempts >= MAX_ATTEMPTS:
        values = {"failed_at": uow.now, "error": error}
    else:
        wait = min(_FIRST_RETRY * 2 ** (message.attempts - 1), _LAST_RETRY)
        values = {"due_at": uow.now + wait, "error": error}
    uow.session.execute(update(OutboxMessage).where(OutboxMessage.id == message.id).values(**values))


def relay(
    units: Units,
    deliverers: Mapping[str, Deliver],
    *,
    elsewhere: Collection[str] | None = None,
    limit: int = BATCH,
) -> int:
    """Deliver one batch, see `claim`; return how many messages were taken."""
    with units.write() as uow:
        messages = claim(uow, deliverers.keys(), elsewhere=elsewhere, limit=limit)
    for message in messages:
        with isolated("outbox_poison", key=message.key, topic=message.topic) as delivery:
            try:
                deliverers[message.topic](units, message)
            except DeliveryFailed as failure:
                delivery.error = str(failure)
                log.warning("delivery_failed", key=message.key, topic=message.topic, error=delivery.error)
        with units.write() as uow:
            settle(uow, message, delivery.error)
    return len(messages)


def forget_old(uow: UnitOfWork) -> int:
    """Delete messages that are long settled; return how many."""
    old = delete(OutboxMessage).where(
        (OutboxMessage.delivered_at < uow.now - KEEP_DELIVERED) | (OutboxMessage.failed_at < uow.now - KEEP_FAILED)
    )
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
