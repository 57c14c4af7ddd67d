"""Flask-SQLAlchemy's engines as the kernel's connections.

`None` for transactions, `at_once` for writes of one statement, `read` for reads: both of these autocommit.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import psycopg
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from circle.config import Settings
from circle.kernel.db import Base
from circle.kernel.joining import Statement
from circle.kernel.uow import Driver, Rows

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

READ, AT_ONCE = "read", "at_once"


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
    pool = {"pool_size": settings.web_threads + 1, "max_overflow": 4, "pool_pre_ping": False, "pool_recycle": 1800}
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {**pool, "connect_args": connect_args}
    autocommit = {
        "isolation_level": "AUTOCOMMIT",
        "pool_reset_on_return": None,
        **pool,
        "connect_args": connect_args,
    }
    app.config["SQLALCHEMY_BINDS"] = {READ: {"url": settings.read_database_url or settings.database_url, **autocommit}}
    if settings.read_database_url:
        app.config["SQLALCHEMY_BINDS"][AT_ONCE] = {"url": settings.database_url, **autocommit}
    db.init_app(app)


class PooledConnections:
    """Connections of the application's engines; each session is its own."""

    def session(self) -> Session:
        return db.session.session_factory()

    def commit(self, statements: Sequence[Statement]) -> Rows:
        if len(statements) == 1:
            [(query, params)] = statements
            with self._pooled(_at_once()) as connection:
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
        return self._pooled(db.engines[READ])

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
    return {name or "write": engine.pool.checkedout() for name, engine in db.engines.items()}  # type: ignore[attr-defined]


def forget_connections() -> None:
    """Drop the pools of a forked process without closing its parent's sockets."""
    for engine in db.engines.values():
        engine.dispose(close=False)


def close_connections() -> None:
    """Close the connections of an application that is no longer needed."""
    for engine in db.engines.values():
        engine.dispose()
