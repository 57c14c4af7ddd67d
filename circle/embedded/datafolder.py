"""What a data folder remembers between runs: its secrets, its ports, and who is working on it."""

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

LOOPBACK = "127.0.0.1"
_RANDOM_PORTS = range(20_000, 30_000)  # below the range systems hand to outgoing connections
_LOCK_POLL_SECONDS = 0.05


class DataFolderBusyError(RuntimeError):
    """Somebody else is working on this data folder; the message says who."""


class DataFolder:
    """One folder that holds everything the engines keep. Several folders never share anything."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._guard = Lock()
        if not self.root.exists():
            self.root.mkdir(parents=True)
            # Root hands a sub-folder to an unprivileged user, who has to pass through this one.
            self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def secret(self, name: str) -> str:
        """A random secret of this folder: made at its first use, then always the same."""
        with self._guard:
            known = self._read("secrets.json")
            if name not in known:
                known[name] = secrets.token_hex(24)
                self.write_json("secrets.json", known)
            return str(known[name])

    def recall(self, name: str) -> Any:
        """A remembered fact that is no secret, or None."""
        with self._guard:
            return self._read("engines.json").get(name)

    def remember(self, name: str, value: object) -> None:
        """Keep a fact for the next run."""
        with self._guard:
            self.write_json("engines.json", self._read("engines.json") | {name: value})

    def claim_port(self, name: str, preferred: int | None = None) -> list[str]:
        """Remember a free port as `name`_port: the one it had, else the preferred one, else a random one.

        The answer is a remark for the user when the port that was expected is taken.
        """
        expected = self.recall(f"{name}_port") or preferred
        if expected is not None and is_free(LOOPBACK, expected):
            self.remember(f"{name}_port", expected)
            return []
        replacement = random_free_port()
        self.remember(f"{name}_port", replacement)
        return [] if expected is None else [f"{name}: port {expected} was taken, it now uses {replacement}"]

    def write_json(self, name: str, content: Mapping[str, object]) -> None:
        """Write a file readable by its owner only; readers see the old or the new one, never half."""
        fresh = self.root / f".{name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        fresh.replace(self.root / name)

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of a file written by `write_json`, empty when there is none."""
        with self._guard:
            return self._read(name)

    def forget(self, name: str) -> None:
        """Remove a file written by `write_json`, if it is there."""
        (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, *, purpose: str, timeout: float) -> Iterator[None]:
        """Hold a lock that ends with the process; raise `DataFolderBusyError` after `timeout` seconds."""
        descriptor = os.open(self.root / name, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
            deadline = time.monotonic() + timeout
            while not _try_lock(file.fileno()):
                if time.monotonic() >= deadline:
                    holder = file.read().strip() or "an unknown process"
                    raise DataFolderBusyError(f"{self.root} is in use by {holder}")
                time.sleep(_LOCK_POLL_SECONDS)
            file.truncate(0)
            file.write(f"process {os.getpid()} ({purpose})\n")
            file.flush()
            yield

    def _read(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.root / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return dict(content)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on this address now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that linger in TIME_WAIT don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def random_free_port(host: str = LOOPBACK) -> int:
    """A port nobody listens on."""
    while True:
        port = secrets.choice(_RANDOM_PORTS)
        if is_free(host, port):
            return port


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
