"""Runs migrations with short lock waits: a migration gives up rather than queue traffic behind it."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from circle.database import DIRECT, require_direct
from circle.models import Base

LOCK_TIMEOUT = "3s"
RELEASES = 7002  # advisory lock: of two releases at once the second waits and finds nothing to do


def run(url: str) -> None:
    """Migrate the database."""
    asking = {"options": f"-c {DIRECT}=on"}
    with create_engine(url, poolclass=NullPool, connect_args=asking).connect() as connection:
        require_direct(connection)
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": RELEASES})
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": RELEASES})
        connection.commit()


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
