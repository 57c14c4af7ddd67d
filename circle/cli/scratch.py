"""An empty database that lives for one command, never an installation's own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def scratch_database(server_url: str | None, *, purpose: str) -> Iterator[str]:
    """Yield the URL of an empty database on a server, else on one that lives for this command; it is dropped."""
    if server_url is not None:
        with _empty_database(server_url, purpose) as url:
            yield url
        return
    from circle.embedded import start_engines, stop_engines

    with tempfile.TemporaryDirectory(prefix=f"circle-{purpose}-") as folder:
        try:
            engines = start_engines(Path(folder), durable=False, which=frozenset({"postgres"}))
            with _empty_database(engines.database_url, purpose) as url:
                yield url
        finally:
            stop_engines(Path(folder))


@contextmanager
def _empty_database(server_url: str, purpose: str) -> Iterator[str]:
    from sqlalchemy import NullPool, create_engine, make_url, text

    from circle.database import drop_database

    name = f"circle_{purpose}_{token_hex(4)}"
    server = make_url(server_url)
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        try:
            yield server.set(database=name).render_as_string(hide_password=False)
        finally:
            drop_database(connection, name)
