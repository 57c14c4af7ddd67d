"""An installation to measure: its own engines and database, filled by set-based SQL, served as in production."""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from circle.database import migrate
from circle.embedded import start_engines, stop_engines
from circle.kernel.ids import digest

ROOT = Path(__file__).parent.parent
FILL = Path(__file__).with_name("fill.sql")
DATA = ROOT / ".data" / "bench"
TOKEN = "cs_" + "b" * 43
_READY_SECONDS = 120
_KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = to_regnamespace('public')
"""


@contextmanager
def installation(name: str, *, keep: bool = True) -> Iterator[tuple[Engine, dict[str, str]]]:
    """Yield an engine on the migrated database `name`, kept between runs or not, and the environment to serve it."""
    engines = start_engines(DATA)
    try:
        server = make_url(engines.database_url)
        url = server.set(database=name).render_as_string(hide_password=False)
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
                connection.execute(text(f'CREATE DATABASE "{name}"'))
        admin.dispose()
        migrate(url)
        environment = {**engines.environ(), "DATABASE_URL": url, "SECRET_KEY": secrets.token_hex(32)}
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        # More charges in a day than the breaker would let pass unseen.
        yield engine, {**environment, "LOG_LEVEL": "warning", "RATE_LIMITS": "off", "USUAL_CHARGES": "10000000"}
        engine.dispose()
        if not keep:
            with admin.connect() as connection:
                connection.execute(text(f'DROP DATABASE "{name}"'))
            admin.dispose()
    finally:
        stop_engines(DATA)


@contextmanager
def serving(environment: dict[str, str], *, port: int = 8907, workers: int = 2, threads: int = 4) -> Iterator[str]:
    """Serve the application and the raw references side by side; yield the base URL."""
    command = [
        str(Path(sys.executable).parent / "granian"),
        *("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"),
        *("--workers", str(workers), "--blocking-threads", str(threads), "--log-level", "warning"),
        "bench.raw:application",
    ]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})  # noqa: S603 - our own words
    base_url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(f"{base_url}/healthz", process)
        yield base_url
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def working(environment: dict[str, str]) -> Iterator[None]:
    """Run the workers beside."""
    process = subprocess.Popen([sys.executable, "-m", "workers"], cwd=ROOT, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - loopback
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def fill_circles(engine: Engine, *, circles: int, posts_each: int) -> None:
    """Fill circles with members' posts: a third for all, a third for tier 1, a third for tier 2; once."""
    with engine.connect() as connection:
        if connection.scalar(text("SELECT count(*) FROM circles")) == circles:
            return
        print(f"  filling {circles} circles with {posts_each} posts each ...", flush=True)
        for statement in FILL.read_text(encoding="utf-8").split(";\n"):
            connection.execute(text(statement), {"circles": circles, "posts": posts_each, "hash": digest(TOKEN)})
        connection.execute(text("VACUUM ANALYZE"))


@contextmanager
def without_foreign_keys(connection: Connection) -> Iterator[None]:
    """Check foreign keys set by set at the end: row by row they take most of the time that a million rows need."""
    keys = connection.execute(text(_KEYS)).all()
    for table, name, _ in keys:
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    yield
    for table, name, rule in keys:
        connection.execute(text(f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule}"))


def circle_id(n: int) -> str:
    return f"00000003-0000-7000-8000-{n:012x}"


def post_id(n: int, p: int, posts_each: int) -> str:
    return f"00000007-0000-7000-8000-{n * posts_each + p:012x}"
