"""The outbox: what must reach the outside, written in the transaction of what it announces.

A message is delivered by the relay after the commit, at least once per key, with back-off; a message of a
rolled-back transaction never existed. `UNIQUE(key)` makes a second announcement of one thing impossible.

Circles take turns (`_CLAIM`): one that has a hundred thousand messages to send is one among those that have any. A
message has a turn from when it is due until somebody takes it, so that what waits for tomorrow costs no claim anything.
"""

import secrets
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import BigInteger, Identity, Index, delete, text, update
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Json, Query
from circle.kernel.isolation import isolated
from circle.kernel.uow import Rows, UnitOfWork, Units

log = structlog.get_logger(__name__)

RELAY = "outbox.relay"
BATCH = 50
LEASE = timedelta(minutes=2)
# A lease is made longer when less than this is left: a letter to a slow server takes up to a minute.
_HOLD_ON = timedelta(seconds=90)
MAX_ATTEMPTS = 12
_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(hours=6)
# Messages that are given their turn in one transaction, and so many times before some are delivered: the end of quiet
# hours makes many due at once.
_CALLED_AT_ONCE = 5_000
_CALLS = 20
# How long the key of a delivered message makes a second announcement impossible; one that was given up stays longer.
KEEP_DELIVERED = timedelta(days=30)
KEEP_FAILED = timedelta(days=90)

_WAITS = "delivered_at IS NULL AND failed_at IS NULL"
# What belongs to no circle shares one turn.
_TURN = "hashtextextended(coalesce(CAST(circle_id AS text), ''), 0)"
_LEAST, _MOST = -(2**63), 2**63 - 1


class OutboxMessage(Base):
    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    circle_id: Mapped[UUID | None]
    payload: Mapped[Json]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    # Whose turn it waits for, while it is due and nobody has taken it: a hash of its circle. Ids would not do: those
    # made at the same time lie close together, and a turn that begins anywhere would hardly ever begin there.
    turn: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    error: Mapped[str | None]

    __table_args__ = (
        Index("ix_outbox_failed", "failed_at", postgresql_where=text("failed_at IS NOT NULL")),
        Index("ix_outbox_delivered", "delivered_at", postgresql_where=text("delivered_at IS NOT NULL")),
        Index("ix_outbox_due", "due_at", postgresql_where=text(_WAITS)),
        Index("ix_outbox_later", "due_at", postgresql_where=text(f"turn IS NULL AND {_WAITS}")),
        Index("ix_outbox_turn", "topic", "turn", "due_at", postgresql_where=text(f"turn IS NOT NULL AND {_WAITS}")),
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message, outside any transaction."""

    id: int
    key: str
    topic: str
    payload: Mapping[str, Any]
    attempts: int
    # Until then it is its claimer's alone.
    held_until: datetime


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
    lambda: text(f"""
        INSERT INTO outbox (key, topic, payload, circle_id, due_at, turn, attempts, created_at)
        SELECT key, topic, CAST(payload AS jsonb), circle_id, due_at, CASE WHEN due_at <= :now THEN {_TURN} END, 0, :now
        FROM unnest(
            CAST(:keys AS text[]), CAST(:topics AS text[]), CAST(:payloads AS text[]), CAST(:circle_ids AS uuid[]),
            CAST(:due AS timestamptz[])
        ) AS message (key, topic, payload, circle_id, due_at)
        ON CONFLICT (key) DO NOTHING
    """)  # noqa: S608 - constants of this page
)
_CALL_UP = Query(
    lambda: text(f"""
        WITH due AS (
            SELECT id FROM outbox WHERE turn IS NULL AND {_WAITS} AND due_at <= :now
            ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
        ), called AS (
            UPDATE outbox SET turn = {_TURN} FROM due WHERE outbox.id = due.id RETURNING outbox.id
        )
        SELECT count(*) AS called FROM called
    """)  # noqa: S608 - constants of this page
)
# Found by hopping along ix_outbox_turn, so that it costs a batch of hops however many messages wait: which topics have
# any; of each topic, which turns, from a random one upwards and round again; of each turn, the oldest. A topic gets its
# part of the batch (log-in codes never wait for a circle's mail), a turn its part of the topic's. A turn is asked for
# as a range: if it were an equal one, the planner would rather look through everybody's oldest, by ix_outbox_due.
_CLAIM = Query(
    lambda: text(f"""
        WITH RECURSIVE topics AS (
            (SELECT topic FROM outbox WHERE turn IS NOT NULL AND {_WAITS} ORDER BY topic LIMIT 1)
            UNION ALL
            SELECT (
                SELECT outbox.topic FROM outbox
                WHERE outbox.topic > topics.topic AND turn IS NOT NULL AND {_WAITS} ORDER BY outbox.topic LIMIT 1
            ) FROM topics WHERE topics.topic IS NOT NULL
        ), lanes AS (
            SELECT topic, greatest(CAST(:limit AS bigint) / count(*) OVER (), 1) AS most
            FROM topics WHERE topic = ANY(CAST(:named AS text[])) <> CAST(:others AS boolean)
        ), turns AS MATERIALIZED (
            SELECT lanes.topic, found.turn, greatest(lanes.most / count(*) OVER (PARTITION BY lanes.topic), 1) AS most
            FROM lanes CROSS JOIN LATERAL (
                SELECT walk.turn
                FROM (VALUES (1, CAST(:start AS bigint), {_MOST}), (2, {_LEAST}, CAST(:start AS bigint) - 1))
                    AS lap (number, least, most)
                CROSS JOIN LATERAL (
                    WITH RECURSIVE hop AS (
                        (
                            SELECT outbox.turn FROM outbox
                            WHERE outbox.topic = lanes.topic AND outbox.turn BETWEEN lap.least AND lap.most AND {_WAITS}
                            ORDER BY outbox.turn LIMIT 1
                        )
                        UNION ALL
                        SELECT (
                            SELECT outbox.turn FROM outbox
                            WHERE outbox.topic = lanes.topic AND outbox.turn > hop.turn AND outbox.turn <= lap.most
                                AND {_WAITS}
                            ORDER BY outbox.turn LIMIT 1
                        ) FROM hop WHERE hop.turn IS NOT NULL
                    )
                    SELECT hop.turn FROM hop WHERE hop.turn IS NOT NULL LIMIT lanes.most
                ) AS walk
                ORDER BY lap.number, walk.turn LIMIT lanes.most
            ) AS found
        ), dealt AS (
            SELECT oldest.id, row_number() OVER (PARTITION BY turns.topic, turns.turn ORDER BY oldest.due_at) AS round
            FROM turns CROSS JOIN LATERAL (
                SELECT outbox.id, outbox.due_at FROM outbox
                WHERE outbox.topic = turns.topic AND outbox.turn BETWEEN turns.turn AND turns.turn
                    AND outbox.due_at <= :now AND {_WAITS}
                ORDER BY outbox.turn, outbox.due_at LIMIT turns.most FOR UPDATE SKIP LOCKED
            ) AS oldest
        )
        UPDATE outbox SET turn = NULL, due_at = :until, attempts = attempts + 1
        WHERE id = ANY(ARRAY(SELECT id FROM dealt))
        RETURNING (SELECT round FROM dealt WHERE dealt.id = outbox.id), id, key, topic, payload, attempts,
            due_at AS held_until
    """)  # noqa: S608 - constants of this page
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


def call_up(units: Units) -> None:
    """Give their turn to messages that have become due: whose time has come, whose retry, or whose relay was killed."""
    for _ in range(_CALLS):
        with units.write() as uow:
            [row] = uow.rows(_CALL_UP, now=uow.now, most=_CALLED_AT_ONCE)
        if row["called"] < _CALLED_AT_ONCE:
            return


def claim(
    uow: UnitOfWork, topics: Collection[str], *, elsewhere: Collection[str] | None = None, limit: int = BATCH
) -> list[Message]:
    """Take at most `limit` messages, turn by turn, by moving their due time past a lease: a killed relay only delays.

    Those of `topics`; where it is told what is delivered `elsewhere`, of all others, so that what nobody can deliver
    fails and is seen.
    """
    rows = uow.rows(
        _CLAIM,
        named=list(topics if elsewhere is None else elsewhere),
        others=elsewhere is not None,
        start=secrets.randbelow(_MOST - _LEAST) + _LEAST + 1,
        limit=limit,
        now=uow.now,
        until=uow.now + LEASE,
    )
    return _interleaved(rows)


def _interleaved(rows: Rows) -> list[Message]:
    """Return each turn's first before any turn's second, and of each topic one after the other."""
    ranked, seen = list[tuple[int, str, Message]](), Counter[str]()
    for row in sorted(rows, key=lambda row: (row["round"], row["id"])):
        message = Message(**{name: value for name, value in row.items() if name != "round"})
        seen[message.topic] += 1
        ranked.append((seen[message.topic], message.topic, message))
    return [message for _rank, _topic, message in sorted(ranked, key=itemgetter(0, 1))]


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
    call_up(units)
    with units.write() as uow:
        waiting = deque(claim(uow, deliverers.keys(), elsewhere=elsewhere, limit=limit))
    taken = len(waiting)
    while waiting:
        message = waiting.popleft()
        with isolated("outbox_poison", key=message.key, topic=message.topic) as delivery:
            try:
                deliverers[message.topic](units, message)
            except DeliveryFailed as failure:
                delivery.error = str(failure)
                log.warning("delivery_failed", key=message.key, topic=message.topic, error=delivery.error)
        with units.write() as uow:
            settle(uow, message, delivery.error)
            if waiting and waiting[0].held_until - uow.now < _HOLD_ON:
                waiting = deque(hold_on(uow, waiting))
    return taken


def hold_on(uow: UnitOfWork, messages: Collection[Message]) -> list[Message]:
    """Hold messages for another lease; return those that nobody else has taken meanwhile."""
    held_until, until = next(iter(messages)).held_until, uow.now + LEASE
    ours = (OutboxMessage.id.in_([one.id for one in messages]), OutboxMessage.due_at == held_until)
    holding = update(OutboxMessage).where(*ours, OutboxMessage.turn.is_(None)).values(due_at=until)
    held = set(uow.session.scalars(holding.returning(OutboxMessage.id).execution_options(synchronize_session=False)))
    return [replace(one, held_until=until) for one in messages if one.id in held]


def forget_old(uow: UnitOfWork) -> int:
    """Delete messages that are long settled; return how many."""
    old = delete(OutboxMessage).where(
        (OutboxMessage.delivered_at < uow.now - KEEP_DELIVERED) | (OutboxMessage.failed_at < uow.now - KEEP_FAILED)
    )
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
