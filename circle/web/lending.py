"""Connections that lie ready between compiled statements: the pool's checkout costs as much as a short one."""

from dataclasses import dataclass
from types import TracebackType
from typing import cast
from weakref import WeakKeyDictionary

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, PoolProxiedConnection, QueuePool

from circle.kernel.clock import elapsed
from circle.kernel.uow import Driver

RECYCLE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection taken from an engine's pool and not given back yet."""

    pooled: PoolProxiedConnection
    driver: Driver
    since: float

    @property
    def usable(self) -> bool:
        return self.driver.pgconn.transaction_status == TransactionStatus.IDLE


# What lies ready between two statements, by autocommit engine, the last used on top.
_ready: WeakKeyDictionary[Engine, list[_Kept]] = WeakKeyDictionary()


def _lying_ready(engine: Engine) -> list[_Kept]:
    found = _ready.get(engine)
    return _ready.setdefault(engine, []) if found is None else found


def _size(engine: Engine) -> int:
    return cast("QueuePool", engine.pool).size()


class Loan:
    """One autocommit connection for compiled statements.

    It lies ready for whoever is next, goes back to the pool to be renewed when it is old, and is dropped when it broke.
    Of a pool of n, n - 1 lie ready at most: after a crowd of threads there is still one for who needs a session.
    """

    __slots__ = ("_engine", "_kept", "_lying")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lying = _lying_ready(engine)
        try:
            self._kept = self._lying.pop()
        except IndexError:
            pooled = engine.raw_connection()
            self._kept = _Kept(pooled, cast("Driver", pooled.driver_connection), elapsed())

    def __enter__(self) -> Driver:
        return self._kept.driver

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        kept = self._kept
        if not kept.usable:
            kept.pooled.invalidate()
        elif elapsed() - kept.since > RECYCLE_SECONDS or len(self._lying) >= _size(self._engine) - 1:
            kept.pooled.close()
        else:
            self._lying.append(kept)


def lying_ready(engine: Engine) -> int:
    """Return how many connections of an engine are checked out and unused."""
    return len(_ready.get(engine, ()))


def give_back(engine: Engine) -> None:
    """Give what lies ready back to the pool."""
    for kept in _ready.pop(engine, ()):
        kept.pooled.close()


def forget(engine: Engine) -> None:
    """Forget what lies ready: it is the parent's of a forked process."""
    _ready.pop(engine, None)
