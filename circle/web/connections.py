"""Flask-SQLAlchemy's engines as the kernel's connections.

`None` for transactions, `at_once` for statements that are transactions of their own, `standby` for reads that may be a
second old: both of these autocommit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import cast
from weakref import WeakKeyDictionary

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from circle.config import Settings
from circle.kernel.db import Base
from circle.kernel.joining import Statement
from circle.kernel.uow import Driver, Rows
from circle.web import lending
from circle.web.lending import Loan
from circle.web.standby import Standby

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

AT_ONCE, STANDBY = "at_once", "standby"
_SPARE = 4
# A database host that falls silent is given up after this, not after the quarter of an hour that TCP is ready to wait.
_SILENCE = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}

# The standby's sooner: there is the primary to go to.
_HASTE = {"connect_timeout": 2, "tcp_user_timeout": 2_000}

_standbys: WeakKeyDictionary[Engine, Standby] = WeakKeyDictionary()


def configure_database(app: Flask, settings: Settings) -> None:
    """Make the engines. Two autocommit and skip the pool's rollback: one round trip per statement."""
    connect_args = {
        "options": f"-c statement_timeout={settings.statement_timeout_ms} -c timezone=UTC",
        "prepare_threshold": 2 if settings.prepared_statements else None,
        "application_name": "circle",
        "connect_timeout": 5,
        **_SILENCE,
    }
    pool = {
        "pool_size": settings.web_threads + 1,
        "max_overflow": _SPARE,
        "pool_pre_ping": False,
        "pool_recycle": lending.RECYCLE_SECONDS,
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
    app.config["SQLALCHEMY_BINDS"] = {AT_ONCE: {"url": settings.database_url, **autocommit}}
    if settings.read_database_url:
        app.config["SQLALCHEMY_BINDS"][STANDBY] = {
            "url": settings.read_database_url,
            **autocommit,
            "connect_args": {**connect_args, **_HASTE},
        }
    db.init_app(app)


class PooledConnections:
    """Connections of the application's engines; each session is its own."""

    @cached_property
    def _at_once(self) -> Engine:
        # Looked up once: Flask-SQLAlchemy looks for the application at each turn.
        return db.engines[AT_ONCE]

    def session(self) -> Session:
        return db.session.session_factory()

    def commit(self, statements: Sequence[Statement]) -> Rows:
        if len(statements) == 1:
            [(query, params)] = statements
            with Loan(self._at_once) as connection:
                return query.alone(connection, params)
        with self._pooled(db.engine) as connection:
            with connection.pipeline():
                sent = [query.send(connection, params) for query, params in statements]
                # As a statement of the pipeline: the driver's own commit would wait for what was sent before.
                connection.execute(b"COMMIT", prepare=False)
            return sent[-1].rows()

    def read_session(self) -> Session:
        return Session(bind=db.engines[AT_ONCE], autoflush=False, expire_on_commit=False)

    def reader(self) -> AbstractContextManager[Driver]:
        return Loan(self._at_once)

    def standby(self, ask: Callable[[Driver], Rows]) -> Rows | None:
        standby = _standby()
        return None if standby is None else standby.ask(ask)

    def renew(self) -> None:
        for engine in db.engines.values():
            lending.give_back(engine)
            engine.dispose()

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


def _standby() -> Standby | None:
    engine = db.engines.get(STANDBY)
    if engine is None:
        return None
    found = _standbys.get(engine)
    return _standbys.setdefault(engine, Standby(engine, db.engines[AT_ONCE])) if found is None else found


def seconds_behind() -> float | None:
    """Return how far the standby may be behind, as this process knows it; None where it does not look."""
    standby = _standby()
    return None if standby is None else standby.behind


def standby_trouble() -> str | None:
    """Look at the standby once, now: say what is wrong with it."""
    standby = _standby()
    return None if standby is None else standby.trouble()


def pools() -> dict[str, int]:
    """Return how many connections are in use, by pool of this process."""
    return {
        name or "write": engine.pool.checkedout() - lending.lying_ready(engine)  # type: ignore[attr-defined]
        for name, engine in db.engines.items()
    }


def forget_connections() -> None:
    """Drop the pools of a forked process without closing its parent's sockets."""
    for engine in db.engines.values():
        engine.dispose(close=False)
        lending.forget(engine)
        _standbys.pop(engine, None)


def close_connections() -> None:
    """Close the connections of an application that is no longer needed."""
    for engine in db.engines.values():
        standby = _standbys.pop(engine, None)
        if standby is not None:
            standby.close()
        lending.give_back(engine)
        engine.dispose()
