"""Real web processes: `circle web`, asked over HTTP."""

import http.client
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circle.embedded.datafolder import random_free_port
from circle.kernel.clock import elapsed
from tests.reliability.fleet import ROOT, STOP_SECONDS

LOOPBACK = "127.0.0.1"
_START_SECONDS = 120.0
# An answer that takes longer is none.
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back, and after how long; status 0: nothing, or only a part."""

    status: int
    seconds: float
    json: Any = None
    # Whether the connection was refused, so that nothing was sent.
    is_refused: bool = False

    @property
    def code(self) -> str | None:
        return self.json.get("code") if isinstance(self.json, dict) else None


class Line:
    """One client's connection to one web process, kept open between requests."""

    def __init__(self, port: int, patience: float = _PATIENCE_SECONDS) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=patience)

    def ask(self, method: str, path: str, token: str = "", body: Any = None, key: str = "") -> Answer:
        if self._was_closed():
            self._connection.close()
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        began = elapsed()
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            content = response.read()
            told = json.loads(content) if content else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            return Answer(0, elapsed() - began, is_refused=isinstance(error, ConnectionRefusedError))
        return Answer(response.status, elapsed() - began, told)

    def close(self) -> None:
        self._connection.close()

    def _was_closed(self) -> bool:
        """Whether the other side closed the connection while it was idle: every HTTP client looks for that."""
        sock = self._connection.sock
        return sock is not None and bool(select.select([sock], [], [], 0)[0])


class Web:
    """One `circle web`, which can be ended and started again on its port."""

    def __init__(self, environ: dict[str, str], log: Path, words: Sequence[str], tree: Path = ROOT) -> None:
        self.port = random_free_port(LOOPBACK)
        self._environ = {**os.environ, **environ, "PYTHONPATH": str(tree), "PORT": str(self.port)}
        self._log, self._words, self._tree = log, words, tree
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, *self._words], cwd=self._tree, env=self._environ, stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self) -> "Web":
        """Wait until it serves."""
        until = elapsed() + _START_SECONDS
        while self.ask("GET", "/healthz").status != http.HTTPStatus.OK:
            assert self.process.poll() is None, self._log.read_text(encoding="utf-8")[-2000:]
            assert elapsed() < until, "the web process does not serve"
            time.sleep(0.05)
        return self

    def ask(self, method: str, path: str, token: str = "", body: Any = None, key: str = "") -> Answer:
        """Ask once, on a connection of its own."""
        line = Line(self.port)
        try:
            return line.ask(method, path, token, body, key)
        finally:
            line.close()

    def end(self) -> int:
        """Tell it to end, and wait for it; return its code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


@contextmanager
def serving(environ: dict[str, str], folder: Path, *, mutant: str = "none") -> Iterator[Web]:
    """Serve this tree; yields the web process as soon as it answers."""
    web = Web(environ, folder / "web.log", ("-m", "tests.reliability.web", mutant))
    try:
        yield web.wait()
    finally:
        web.end()
