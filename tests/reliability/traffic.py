"""Traffic beside a migration: somebody who reads for long, and many who must not wait for it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from circle.kernel.clock import elapsed

LONG_READ_SECONDS = 3
# A read that waits for a lock any longer fails; how busy the machine is does not count.
NOTICED = "300ms"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"


def tables_of(address: str) -> list[str]:
    with psycopg.connect(address, autocommit=True) as connection:
        return [row[0] for row in connection.execute(_TABLES)]


def address_of(url: str) -> str:
    """Return a database's address as libpq reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def reading_for_long(address: str, tables: list[str]) -> Iterator[None]:
    """Hold what a long report holds: a look at every table, for some seconds from now on."""
    with psycopg.connect(address) as report:
        for table in tables:
            report.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(Identifier(table)))
        ending = Thread(target=lambda: (time.sleep(LONG_READ_SECONDS), report.rollback()))
        ending.start()
        yield
        ending.join()


@contextmanager
def reading(address: str, tables: list[str]) -> Iterator[list[float]]:
    """Read all the time; yields how long each read took."""
    waits: list[float] = []
    stopped = Event()

    def read(wanted: Iterator[str]) -> None:
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as reader:
            reader.execute(f"SET lock_timeout = '{NOTICED}'")
            while not stopped.is_set():
                began = elapsed()
                reader.execute(SQL("SELECT * FROM {} LIMIT 5").format(Identifier(next(wanted)))).fetchall()
                waits.append(elapsed() - began)

    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(read, cycle(order)) for order in (tables, tables[::-1])]
        try:
            yield waits
        finally:
            stopped.set()
    for reader in readers:
        reader.result()
