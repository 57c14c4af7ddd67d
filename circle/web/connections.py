"""Flask-SQLAlchemy's engines as the kernel's connections.

`None` for transactions, `at_once` for writes of one statement, `read` for reads: both of these autocommit.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import cast
from weakref import WeakKeyDictionary

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.orm import Session

from circle.config import Settings
from circle.kernel.clock import elapsed
from circle.kernel.db import Base
from circle.kernel.joining import Statement
from circle.kernel.uow import Driver, Rows

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

READ, AT_ONCE = "read", "at_once"
_RECYCLE_SECONDS = 1800
_SPARE = 4


def configure_database(app: Flask, settings: Settings) -> None:
    """Make the engines. Two autocommit and skip the pool's rollback: one round trip per statement.

    Connections are opened when first needed: `at_once` has its own where reads go to a standby, else shares theirs.
    """
    connect_args = {
        "options": f"-c statement_timeout={settings.statement_timeout_ms} -c timezone=UTC",
        "prepare_threshold": 2 if settings.prepared_statements else None,
        "application_name": "circle",
        "connect_timeout": 5,
    }
    pool = {
        "pool_size": settings.web_threads + 1,
        "max_overflow": _SPARE,
        "pool_pre_ping": False,
        "pool_recycle": _RECYCLE_SECONDS,
    }
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**pool, "connect_args": connect_args}
    autocommit = {
        "isolation_level": "AUTOCOMMIT",
        "pool_reset_on_return": None,
        **pool,
        # Each thread may hold a session's while another lies ready for compiled statements.
        "max_overflow": max(_SPARE, settings.web_threads),
        "connect_args": connect_args,
    }
    app.config["SQLALCHEMY_BINDS"] = {READ: {"url": settings.read_database_url or settings.database_url, **autocommit}}
    if settings.read_database_url:
        app.config["SQLALCHEMY_BINDS"][AT_ONCE] = {"url": settings.database_url, **autocommit}
    db.init_app(app)


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


class _Loan:
    """One autocommit connection for compiled statements: the pool's own checkout costs as much as a short statement.

    It lies ready for whoever is next, goes back to the pool to be renewed when it is old, and is dropped when it broke.
    """

    __slots__ = ("_kept", "_lying")

    def __init__(self, engine: Engine) -> None:
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
        elif elapsed() - kept.since > _RECYCLE_SECONDS:
            kept.pooled.close()
        else:
            self._lying.append(kept)


class PooledConnections:
    """Connections of the application's engines; each session is its own."""

    def session(self) -> Session:
        return db.session.session_factory()

    def commit(self, statements: Sequence[Statement]) -> Rows:
        if len(statements) == 1:
            [(query, params)] = statements
            with _Loan(_at_once()) as connection:
                return query.alone(connection, params)
        with self._pooled(db.engine) as connection:
            with connection.pipeline():
                sent = [query.send(connection, params) for query, params in statements]
                # As a statement of the pipeline: the driver's own commit would wait for what was sent before.
                connection.execute(b"COMMIT", prepare=False)
            return sent[-1].rows()

    def read_session(self) -> Session:
        return Session(bind=db.engines[READ], autoflush=False, expire_on_commit=False)

    def reader(self) -> AbstractContextManager[Driver]:
        return _Loan(db.engines[READ])

    @contextmanager
    def _pooled(self, engine: Engine) -> Iterator[Driver]:
        pooled = engine.raw_connection()
        try:
            yield cast("Driver", pooled.driver_connection)
        except psycopg.OperationalError:
            pooled.invalidate()
            raise
        finally:
            pooled.close()


def _at_once() -> Engine:
    return db.engines.get(AT_ONCE) or db.engines[READ]


def pools() -> dict[str, int]:
    """Return how many connections are in use, by pool of this process."""
    return {
        name or "write": engine.pool.checkedout() - len(_ready.get(engine, ()))  # type: ignore[attr-defined]
        for name, engine in db.engines.items()
    }


def forget_connections() -> None:
    """Drop the pools of a forked process without closing its parent's sockets."""
    for engine in db.engines.values():
        engine.dispose(close=False)
        _ready.pop(engine, None)


def close_connections() -> None:
    """Close the connections of an application that is no longer needed."""
    for engine in db.engines.values():
        for kept in _ready.pop(engine, ()):
            kept.pooled.close()
        engine.dispose()
