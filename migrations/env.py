"""Runs migrations beside traffic: one that has to wait for a table gives way at once, and tries again.

Whoever waits for an exclusive lock makes everybody wait who comes later. So none is waited for longer than a reader
would notice, and the revision is run again a little later: from its start, or where its statements stand by themselves,
in whatever they have left to do.
"""

import time
from typing import Any

import psycopg
from alembic import context
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError

from circle.database import DIRECT, require_direct
from circle.models import Base

LOCK_TIMEOUT = "100ms"
_PAUSE_SECONDS = 0.5
# Half a minute in the way of nobody, then it is somebody's turn to look who holds the table.
_TRIES = 60
RELEASES = 7002  # advisory lock: of two releases at once the second waits and finds nothing to do
_HALF_BUILT = """
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = to_regnamespace('public')
"""


def run(url: str) -> None:
    """Migrate the database."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"options": f"-c {DIRECT}=on"})
    with engine.connect() as lock:
        require_direct(lock)
        lock.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": RELEASES})
        lock.commit()
        for tries_left in reversed(range(_TRIES)):
            try:
                _run_once(engine)
            except OperationalError as refused:
                if not tries_left or not isinstance(refused.orig, psycopg.errors.LockNotAvailable):
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                break


def _run_once(engine: Engine) -> None:
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", _wait_where_nobody_minds)
        _drop_half_built_indexes(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _drop_half_built_indexes(connection: Connection) -> None:
    """Drop what a CREATE INDEX CONCURRENTLY left that was stopped, or IF NOT EXISTS would take it for made."""
    names = connection.scalars(text(_HALF_BUILT)).all()
    connection.commit()
    for name in names:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"DROP INDEX CONCURRENTLY {name}"))
    connection.execution_options(isolation_level="READ COMMITTED")


def _wait_where_nobody_minds(_connection: Connection, cursor: Any, statement: str, *_rest: Any) -> None:
    """Let what is done CONCURRENTLY wait for old transactions as long as they take: nobody waits for it."""
    cursor.execute("SET lock_timeout = 0" if "CONCURRENTLY" in statement else f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def show(url: str) -> None:
    """Print the SQL of the migrations: `circle db sql`."""
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        context.run_migrations()


database_url = context.config.attributes["database_url"]
if context.is_offline_mode():
    show(database_url)
else:
    run(database_url)
