"""An installation of this tier's own: engines that may be stopped, an application that commits, renewals to do."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

from circle.app import create_app
from circle.config import Settings
from circle.embedded import Engines, start_engines
from circle.kernel.clock import elapsed
from circle.kernel.queue import SilentDoorbell
from circle.web.connections import close_connections
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.reliability.fleet import STOP_SECONDS, Fleet

# For all that a test waits for; the whole gate takes its time on a small machine.
PATIENCE_SECONDS = 3600.0
# The installation's time runs ahead by so much at each look, so that leases of the dead end soon.
_STEP = timedelta(seconds=20)
_LOOK_SECONDS = 0.1
# Members are told of a charge by `NOTICE_DAYS` before it.
_NOTICE = timedelta(days=7)

# More than one charge kept for one period; charges of nobody's; periods that should have been paid and were not.
_CHARGED_TWICE = """
    SELECT i.subscription_id, i.period_no FROM sandbox_charges s
    JOIN payment_attempts a ON a.number = s.number JOIN invoices i ON i.id = a.invoice_id
    WHERE s.state = 'succeeded' AND i.period_no IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1
"""
_CHARGED_UNKNOWN = """
    SELECT s.number FROM sandbox_charges s LEFT JOIN payment_attempts a ON a.number = s.number
    WHERE s.state = 'succeeded' AND a.status IS DISTINCT FROM 'succeeded'
"""
_GIVEN_BACK_UNKNOWN = """
    SELECT s.number FROM sandbox_refunds s LEFT JOIN refunds r ON r.number = s.number
    WHERE s.state = 'succeeded' AND r.status IS DISTINCT FROM 'succeeded'
"""
_PAID_OUT_UNKNOWN = """
    SELECT s.number FROM sandbox_payouts s LEFT JOIN payouts p ON p.number = s.number
    WHERE s.state = 'succeeded' AND p.status IS DISTINCT FROM 'succeeded'
"""
_WRONGS = (
    ("charged twice", _CHARGED_TWICE),
    ("charged unknown", _CHARGED_UNKNOWN),
    ("given back unknown", _GIVEN_BACK_UNKNOWN),
    ("paid out unknown", _PAID_OUT_UNKNOWN),
)
_PAID = """
    SELECT count(*) AS n FROM invoices i JOIN grants g ON g.source = 'invoice' AND g.source_id = i.id
    WHERE i.kind = 'renewal' AND i.status = 'paid'
"""


class Site:
    """The installation, its people, its time, and what became of their money."""

    def __init__(self, engines: Engines, environ: dict[str, str], folder: Path) -> None:
        self._engines = engines
        self.environ = environ
        self.folder = folder
        self._address = make_url(environ["DATABASE_URL"]).set(drivername="postgresql")
        self.app = create_app(Settings.from_env(environ), doorbell=SilentDoorbell())
        self.world = World(self.app, self.app.extensions["circle"].units)

    def elsewhere(self, database_url: str, folder: Path, **settings: str) -> "Site":
        """Return another installation of the same engines, in another database or with other settings."""
        return Site(self._engines, {**self.environ, "DATABASE_URL": database_url, **settings}, folder)

    def close(self) -> None:
        with self.app.app_context():
            close_connections()

    def sql(self, statement: str, *params: Any) -> list[dict[str, Any]]:
        """Run a statement and commit it, as soon as the database answers."""
        deadline = elapsed() + 60
        while True:
            try:
                address = self._address.render_as_string(hide_password=False)
                with psycopg.connect(address, row_factory=dict_row) as connection:
                    cursor = connection.execute(statement.encode(), params)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if elapsed() > deadline:
                    raise
                time.sleep(0.05)

    def count(self, statement: str) -> int:
        return int(self.sql(statement)[0]["n"])

    def advance(self, by: timedelta) -> None:
        """Move the installation's time."""
        self.sql(
            "INSERT INTO clock_offset (id, ahead) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET ahead = clock_offset.ahead + excluded.ahead",
            by,
        )

    def now(self) -> datetime:
        rows = self.sql("SELECT ahead FROM clock_offset")
        return datetime.now(UTC) + (rows[0]["ahead"] if rows else timedelta())

    def set(self, then: datetime) -> None:
        self.advance(then - self.now())

    def members(self, number: int) -> BuiltCircle:
        """A circle with paying members who renew by themselves."""
        with self.app.app_context():
            circle = self.world.circle()
            for _ in range(number):
                person = self.world.person()
                checkout = self.world.join(person, circle, collection="auto")["checkout"]
                assert self.world.pay(person, checkout)["status"] == "succeeded"
        return circle

    def renew(self, fleet: Fleet, *, disturb: Callable[[int], None] = lambda _paid: None) -> None:
        """Let a period end and have the fleet renew everybody; `disturb` is told how many renewals are paid by now."""
        members = self.announce(fleet)
        before = self.paid()
        self.work(fleet, lambda: self.paid() >= before + members, disturb=lambda: disturb(self.paid() - before))

    def announce(self, fleet: Fleet | None = None) -> int:
        """Let a period end, with everybody told in time and to be charged now; return how many they are.

        Without a fleet, this process does it.
        """
        members = self.count("SELECT count(*) AS n FROM subscriptions WHERE status = 'active'")
        [ends] = self.sql("SELECT max(current_period_end) AS at FROM subscriptions")
        self.set(ends["at"] - _NOTICE)
        if fleet is None:
            with self.app.app_context():
                self.world.run_billing("bill")
            assert self.open_renewals() == members
        else:
            self.work(fleet, lambda: self.open_renewals() >= members)
        self.set_to_charge()
        return members

    def set_to_charge(self) -> None:
        """Set the time to when the last of the open renewals is to be charged."""
        [charge] = self.sql("SELECT max(charge_at) AS at FROM invoices WHERE kind = 'renewal' AND status = 'open'")
        self.set(charge["at"])

    def work(self, fleet: Fleet, done: Callable[[], bool], *, disturb: Callable[[], None] = lambda: None) -> None:
        """Let the fleet work until all is done; time goes by while nothing is paid, so that haste loses nothing."""
        paid = self.paid()

        def look() -> None:
            nonlocal paid
            disturb()
            before, paid = paid, self.paid()
            if paid == before:
                self.advance(_STEP)

        self.watch(fleet, done, look=look)

    def watch(self, fleet: Fleet, done: Callable[[], bool], *, look: Callable[[], None] = lambda: None) -> None:
        """Let the fleet work until all is done, at the time that it is."""
        deadline = elapsed() + PATIENCE_SECONDS
        while not done():
            assert elapsed() < deadline, "the fleet does not come to an end"
            fleet.tend()
            look()
            time.sleep(_LOOK_SECONDS)

    def open_renewals(self) -> int:
        return self.count("SELECT count(*) AS n FROM invoices WHERE kind = 'renewal' AND status = 'open'")

    def processing(self) -> int:
        return self.count("SELECT count(*) AS n FROM payment_attempts WHERE status = 'processing'")

    def paid(self) -> int:
        return self.count(_PAID)

    def wrongs(self) -> list[str]:
        """What is wrong with the money: moved twice, moved without our knowing, and every broken invariant."""
        with self.app.app_context():
            broken = self.world.broken_rules()
        for what, statement in _WRONGS:
            if rows := self.sql(statement):
                broken.append(f"{what}: {len(rows)}")
        return broken

    def crash_database(self) -> None:
        """Stop PostgreSQL at once, as `pg_ctl stop -m immediate` does, and start it again."""
        self._crash("postgres", signal.SIGQUIT)

    def commit_lazily(self) -> None:
        """Have PostgreSQL answer from now on before what it answers is durable."""
        self.sql(f'ALTER DATABASE "{self._address.database}" SET synchronous_commit = off')
        self.close()

    def wait_for_web(self) -> None:
        """Wait until a request that reads and one that writes are answered again."""
        deadline = elapsed() + 60
        while any(self._status(method, "/v1/test/clock") != 200 for method in ("GET", "POST")):
            assert elapsed() < deadline, "the web does not come back"
            time.sleep(0.05)

    def _status(self, method: str, path: str) -> int:
        with self.app.app_context():
            body = {"advance": "PT1S"} if method == "POST" else None
            return int(self.app.test_client().open(path, method=method, json=body).status_code)

    def crash_queue(self) -> None:
        """Kill Valkey, and start it again."""
        self._crash("valkey", signal.SIGKILL)

    @contextmanager
    def without_queue(self) -> Iterator[None]:
        """Kill Valkey, and start it again at the end."""
        self._stop("valkey", signal.SIGKILL)
        try:
            yield
        finally:
            self._start()

    def _crash(self, engine: str, number: signal.Signals) -> None:
        self._stop(engine, number)
        self._start()

    def _stop(self, engine: str, number: signal.Signals) -> None:
        server = psutil.Process(self._engines.pids[engine])
        os.kill(server.pid, number)
        psutil.wait_procs([server], timeout=STOP_SECONDS)

    def _start(self) -> None:
        self._engines = start_engines(self._engines.data_dir, which=frozenset(self._engines.pids))

    def ask_for_code(self) -> None:
        """Have a message written that somebody waits for; this process rings nobody."""
        with self.app.app_context():
            body = {"email": f"{uuid4().hex}@example.org", "purpose": "register"}
            assert self.app.test_client().post("/v1/auth/codes", json=body).status_code == HTTPStatus.NO_CONTENT

    def delivered(self) -> int:
        return self.count("SELECT count(*) AS n FROM outbox WHERE delivered_at IS NOT NULL")


def seeded() -> random.Random:
    """Luck that can be had again: the seed is printed, and taken from CIRCLE_SEED."""
    seed = int(os.environ.get("CIRCLE_SEED", random.SystemRandom().randrange(2**32)))
    print(f"CIRCLE_SEED={seed}")  # noqa: T201 - shown where a test fails
    return random.Random(seed)  # noqa: S311
