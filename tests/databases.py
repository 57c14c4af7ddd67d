"""A migrated database for each test process: made once per schema, then copied as a template."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from circle.database import drop_database, migrate

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


def _schema_mark() -> str:
    content = b"".join(file.read_bytes() for file in sorted(_MIGRATIONS.rglob("*.py")))
    return hashlib.sha256(content).hexdigest()[:12]


@contextmanager
def worker_database(server_url: str, worker: str) -> Iterator[str]:
    """Yield the URL of a fresh, migrated database that is dropped at the end."""
    server = make_url(server_url)
    template, name = f"template_{_schema_mark()}", f"test_{worker}"
    # No connection is kept: the server may be stopped in between.
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(7001)"))  # test processes side by side make one template
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": template}):
            making = f"{template}_making"
            drop_database(connection, making)
            connection.execute(text(f'CREATE DATABASE "{making}"'))
            migrate(server.set(database=making).render_as_string(hide_password=False))
            connection.execute(text(f'ALTER DATABASE "{making}" RENAME TO "{template}"'))
        drop_database(connection, name)
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        connection.execute(text("SELECT pg_advisory_unlock(7001)"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        drop_database(connection, name)
    admin.dispose()
