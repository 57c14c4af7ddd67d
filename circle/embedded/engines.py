"""Start and stop the three engines of a data folder, together."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from circle.embedded.datafolder import DataFolder
from circle.embedded.postgres import Postgres
from circle.embedded.processes import EngineError, is_alive, last_lines
from circle.embedded.s3 import BUCKET, REGION, S3
from circle.embedded.valkey import Valkey

ALL = frozenset({"postgres", "valkey", "s3"})
Result = TypeVar("Result")

_LOCK_TIMEOUT_SECONDS = 120.0
_START_ATTEMPTS = 4  # a port that was free may be taken before the engine listens


class _Engine(Protocol):
    name: str
    log: Path

    def running(self) -> psutil.Process | None: ...
    def claim_ports(self) -> list[str]: ...
    def start(self) -> psutil.Process: ...
    def wait_ready(self, process: psutil.Process) -> bool: ...
    def end(self, process: psutil.Process) -> None: ...


@dataclass(frozen=True)
class Engines:
    """Where the running engines of a data folder are. What was not asked for is empty."""

    data_dir: Path
    database_url: str = ""
    redis_url: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    # What a person should know, such as a port that was taken.
    notes: tuple[str, ...] = field(default=(), compare=False)

    def environ(self) -> dict[str, str]:
        """The settings with which the application finds the engines that were asked for."""
        settings = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}
        if self.s3_endpoint:
            settings |= {
                "S3_ENDPOINT": self.s3_endpoint,
                "S3_ACCESS_KEY": self.s3_access_key,
                "S3_SECRET_KEY": self.s3_secret_key,
                "S3_BUCKET": BUCKET,
                "S3_REGION": REGION,
            }
        return {name: value for name, value in settings.items() if value}


def start_engines(data_dir: Path, *, durable: bool = True, which: frozenset[str] = ALL) -> Engines:
    """Start what is asked for and does not run yet, and return when it can be used.

    `durable=False` is for tests: faster, and data may be lost with the machine. Engines keep running when the
    calling process ends, and are found again by the next call with the same folder.

    Raises `EngineError`, and `DataFolderBusyError` when another process holds the folder for too long.
    """
    folder = DataFolder(data_dir)
    with folder.locked("lock", purpose="starting its engines", timeout=_LOCK_TIMEOUT_SECONDS):
        if folder.recall("durable") is not durable:
            _stop(folder)  # a server left by a run of the other kind has the wrong settings
            folder.remember("durable", durable)
        postgres, valkey, s3 = _engines(folder)
        chosen = [engine for engine in (postgres, valkey, s3) if engine.name in which]
        outcomes = _in_parallel(_ensure_running, chosen)
    return Engines(
        data_dir=folder.root,
        database_url=postgres.url if postgres in chosen else "",
        redis_url=valkey.url if valkey in chosen else "",
        s3_endpoint=s3.endpoint if s3 in chosen else "",
        s3_access_key=s3.access_key if s3 in chosen else "",
        s3_secret_key=s3.secret_key if s3 in chosen else "",
        pids={engine.name: pid for engine, (pid, _) in zip(chosen, outcomes, strict=True)},
        notes=tuple(note for _, notes in outcomes for note in notes),
    )


def stop_engines(data_dir: Path) -> None:
    """Stop whatever runs in this folder, also what an earlier run left behind. What does not run is no error."""
    if not data_dir.exists():
        return
    folder = DataFolder(data_dir)
    with folder.locked("lock", purpose="stopping its engines", timeout=_LOCK_TIMEOUT_SECONDS):
        _stop(folder)


def _engines(folder: DataFolder) -> tuple[Postgres, Valkey, S3]:
    return Postgres(folder), Valkey(folder), S3(folder)


def _stop(folder: DataFolder) -> None:
    _in_parallel(_ensure_stopped, _engines(folder))


def _ensure_running(engine: _Engine) -> tuple[int, list[str]]:
    """The engine's pid, and what a person should know about its start."""
    left = engine.running()
    if left is not None:
        if engine.wait_ready(left):
            return left.pid, []
        # Half dead, such as children of a killed server: two at once on the same data would ruin it.
        _ensure_stopped(engine)
    for _ in range(_START_ATTEMPTS):
        notes = engine.claim_ports()
        process = engine.start()
        if engine.wait_ready(process):
            return process.pid, notes
        if is_alive(process):
            engine.end(process)
            break
    raise EngineError(f"{engine.name} did not start; the end of {engine.log}:\n{last_lines(engine.log)}")


def _ensure_stopped(engine: _Engine) -> None:
    while (process := engine.running()) is not None:
        engine.end(process)


def _in_parallel(work: Callable[[_Engine], Result], engines: Iterable[_Engine]) -> list[Result]:
    with ThreadPoolExecutor(max_workers=len(ALL)) as pool:
        return list(pool.map(work, engines))
