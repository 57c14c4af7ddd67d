"""An installation of its own: a database whose commits stay, a Redis database that may be flushed, real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis
from sqlalchemy import text

from circle.app import create_app
from circle.config import Settings
from circle.embedded import Engines
from circle.kernel.queue import RqDoorbell
from circle.kernel.uow import Units
from circle.web.connections import close_connections, db
from tests.conftest import SECRET
from tests.databases import worker_database
from tests.embedded.waiting import wait_for

ROOT = Path(__file__).parents[2]
# The engines' Redis is shared with other test processes, which use database 0.
_REDIS_DATABASE = 9


@dataclass
class Process:
    """One of our commands, running."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def end(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(15)


class Installation:
    """An application that commits, and the environment with which processes become part of it."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = environ
        self.folder = folder
        self.redis = Redis.from_url(environ["REDIS_URL"])
        self.app = create_app(Settings.from_env(environ))
        self._running = ExitStack()

    def run(self, *arguments: str, **environ: str) -> Process:
        """Start `python -m …`; it is ended with the test."""
        return self._running.enter_context(self._process(arguments, environ))

    @contextmanager
    def _process(self, arguments: tuple[str, ...], environ: dict[str, str]) -> Iterator[Process]:
        log = self.folder / f"{len(list(self.folder.iterdir()))}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env={**os.environ, **self.environ, "PYTHONPATH": str(ROOT), **environ},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = Process(popen, log)
        try:
            yield process
        finally:
            if popen.poll() is None:
                process.end()

    def ask_for_code(self, email: str) -> None:
        """A request whose work is done by a worker."""
        body = {"email": email, "purpose": "register"}
        answer = self.app.test_client().post("/v1/auth/codes", json=body)
        assert answer.status_code == 204, answer.text

    def has_mail(self, email: str) -> bool:
        found = self.app.test_client().get(f"/dev/mailbox.json?to={email}")
        return bool(found.get_json()["items"])

    def wait_for_mail(self, email: str) -> None:
        wait_for(lambda: self.has_mail(email), f"mail to {email}")

    @property
    def units(self) -> Units:
        found = self.app.extensions["circle"].units
        assert isinstance(found, Units)
        return found

    def close(self) -> None:
        self._running.close()
        # A ring that goes out later would reach the next test.
        if isinstance(self.units.doorbell, RqDoorbell):
            self.units.doorbell.settle()
        self.redis.flushdb()
        self.redis.close()
        with self.app.app_context():
            close_connections()


@pytest.fixture(scope="module")
def environ(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    number = _REDIS_DATABASE + sum(worker_id.encode()) % 6
    with worker_database(engines.database_url, f"{worker_id}_processes") as url:
        yield {
            **engines.environ(),
            "DATABASE_URL": url,
            "REDIS_URL": engines.redis_url.rpartition("/")[0] + f"/{number}",
            "SECRET_KEY": SECRET,
            "SITE_URL": "http://circle.test",
            "TEST_MODE": "on",
            "MAIL_URL": "mailbox:",
            "LOG_LEVEL": "info",
        }


@pytest.fixture
def installation(environ: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    here = Installation(environ, tmp_path)
    here.redis.flushdb()
    yield here
    here.close()


@pytest.fixture
def committed(installation: Installation) -> Callable[..., list[Any]]:
    """Run one statement on the installation's database and commit it."""

    def run(statement: str, **params: Any) -> list[Any]:
        with installation.app.app_context(), db.engine.begin() as connection:
            result = connection.execute(text(statement), params)
            return list(result.mappings()) if result.returns_rows else []

    return run
