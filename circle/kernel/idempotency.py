"""Idempotency keys: the first answer to a key is kept in the transaction that earned it, and replayed.

A request holds an advisory lock on its key while it runs, so a second one is told to wait instead of
running twice; an error keeps nothing, because it wrote nothing. Answers may hold secrets (a session token),
so they are sealed with a key derived from the client's own key, of which only a hash is stored.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import LargeBinary, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base
from circle.kernel.errors import CircleError, Conflict
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork, Units

KEEP = timedelta(hours=24)
# A request in several steps that has not ended by then was killed: its key may be taken over.
STEPS_LEASE = timedelta(minutes=2)
_RUNNING = 0
MAX_KEY = 200


class KeyReused(CircleError):
    status = 422
    code = "idempotency_key_reused"
    text = Text("这个 Idempotency-Key 已用于另一个请求。", "This Idempotency-Key was used for another request.")


class AnswerLost(Conflict):
    code = "idempotency_answer_lost"
    text = Text(
        "这个请求此前已经完成，但当时的回答已无法读取。",
        "This request was answered before, and its answer can't be read any more.",
    )


class StillRunning(Conflict):
    code = "idempotency_key_in_use"
    text = Text("同一请求仍在处理中。", "The same request is still running.")


class IdempotencyRecord(Base):
    __tablename__ = "idempotency_keys"

    # Hash of scope (caller and route) and key: the key itself unseals the answer.
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int]
    answer: Mapped[bytes]
    created_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer given earlier."""

    status: int
    body: bytes


class IdempotencyKey:
    """One client key in one scope, bound to the bytes of its request; sealed by the first secret, read by any."""

    def __init__(self, *, scope: str, key: str, request: bytes, secrets: Sequence[str]) -> None:
        material = f"{scope}\0{key}".encode()
        self.hash = hashlib.sha256(material).digest()
        self.fingerprint = hashlib.sha256(request).digest()
        self._fernet = MultiFernet([_sealing(material, secret) for secret in secrets])

    def begin(self, uow: UnitOfWork) -> Replay | None:
        """Take the key, or return the earlier answer. Errors: StillRunning, KeyReused, AnswerLost."""
        lock = int.from_bytes(self.hash[:8], "big", signed=True)
        if not uow.session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
            raise StillRunning
        earlier = uow.session.get(IdempotencyRecord, self.hash)
        if earlier is None:
            return None
        if earlier.created_at <= uow.now - KEEP:
            uow.session.delete(earlier)
            uow.session.flush()
            return None
        if earlier.fingerprint != self.fingerprint:
            raise KeyReused
        if earlier.status == _RUNNING:
            if earlier.created_at > uow.now - STEPS_LEASE:
                raise StillRunning
            return None
        try:
            return Replay(earlier.status, self._fernet.decrypt(earlier.answer))
        except InvalidToken:  # sealed with a secret that was changed, and not named as the one before
            raise AnswerLost from None

    def finish(self, uow: UnitOfWork, status: int, body: bytes) -> None:
        """Keep the answer in the transaction that earned it."""
        uow.session.merge(
            IdempotencyRecord(
                key_hash=self.hash,
                fingerprint=self.fingerprint,
                status=status,
                answer=self._fernet.encrypt(body),
                created_at=uow.now,
            )
        )


def _sealing(material: bytes, secret: str) -> Fernet:
    key = hashlib.blake2b(material, key=secret.encode()[:64], digest_size=32).digest()
    return Fernet(base64.urlsafe_b64encode(key))


class Steps:
    """The key of a request that commits in several steps (claim, call, apply), so that no lock can span it.

    A marker row is committed first; it becomes the answer at the end, or goes if the request is refused. After a
    kill it can be taken over once its lease is past: each step is safe to run again.
    """

    def __init__(self, units: Units, key: IdempotencyKey | None) -> None:
        self._units = units
        self._key = key

    def begin(self) -> Replay | None:
        if self._key is None:
            return None
        with self._units.write() as uow:
            replay = self._key.begin(uow)
            if replay is None:
                self._key.finish(uow, _RUNNING, b"")
        return replay

    def finish(self, status: int, body: bytes) -> None:
        if self._key is not None:
            with self._units.write() as uow:
                self._key.finish(uow, status, body)

    def __enter__(self) -> None:
        """Watch for a refusal."""

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._key is not None and kind is not None and issubclass(kind, CircleError):
            with self._units.write() as uow:
                uow.session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.key_hash == self._key.hash))


def forget_old(uow: UnitOfWork) -> int:
    """Delete keys past their time; return how many."""
    old = delete(IdempotencyRecord).where(IdempotencyRecord.created_at <= uow.now - KEEP)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
