"""A whole installation, as `circle up` runs it: started, looked at, stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.installation import ROOT

MEGABYTE = 1024 * 1024
_PATIENCE_SECONDS = 180
_GIVEN = ("DATABASE_", "REDIS_", "S3_")


@dataclass(frozen=True)
class Whole:
    """What `circle up` says of itself in `run.json`."""

    base_url: str
    pids: Mapping[str, int]
    # What its processes were given.
    settings: Mapping[str, str]


@contextmanager
def whole(
    folder: Path, *, port: int, environ: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[Whole]:
    """Run `circle up` on a data folder until the block ends."""
    command = [str(Path(sys.executable).parent / "circle"), "up", "--data", str(folder), "--port", str(port)]
    given = {name: value for name, value in os.environ.items() if not name.startswith(_GIVEN)}
    with (log or Path(os.devnull)).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own words
            command,
            cwd=ROOT,
            env={**given, **(environ or {})},
            stdout=output,
            stderr=subprocess.STDOUT if log else None,
        )
    try:
        run = _ready(folder, process)
        yield Whole(run["base_url"], run["pids"], run["settings"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_PATIENCE_SECONDS)


def _ready(folder: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "run.json").exists():
            run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            return run
        time.sleep(0.05)
    raise RuntimeError("it did not start")


@dataclass
class Memory:
    """Bytes by part of the installation: with shared pages counted once (PSS), in each (RSS), and in how many."""

    pss: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rss: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    processes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def memory(run: Whole) -> Memory:
    """Look at the memory of all processes now."""
    found = Memory()
    for name, process in _processes(run):
        with suppress(psutil.NoSuchProcess):
            used = process.memory_full_info()
            found.pss[name] += used.pss
            found.rss[name] += used.rss
            found.processes[name] += 1
    return found


def cpu_seconds(run: Whole) -> dict[str, float]:
    """Return the CPU time of each part so far, with that of processes that have ended."""
    found: dict[str, float] = defaultdict(float)
    for name, process in _processes(run):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[name] += times.user + times.system + times.children_user + times.children_system
    return found


def _processes(run: Whole) -> Iterator[tuple[str, psutil.Process]]:
    """Yield every process with the name of its part: its own, or that of the next above it that has one."""
    named = {pid: name for name, pid in run.pids.items()}
    running = {process.pid: process for process in psutil.process_iter(["ppid"])}
    for process in running.values():
        above: psutil.Process | None = process
        while above is not None and above.pid not in named:
            above = running.get(above.info["ppid"])
        if above is not None:
            yield named[above.pid], process
