"""`circle up` from an empty data folder: seconds until it serves, and the memory of all its processes when idle.

Shared pages are counted once (PSS); the sum of RSS stands beside it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from bench.report import heading

MEGABYTE = 1024 * 1024
BUDGET = 600
_PATIENCE_SECONDS = 180


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--idle", type=float, default=60.0, help="seconds to wait before memory is read")
    chosen = arguments.parse_args()
    heading("circle up")
    with tempfile.TemporaryDirectory(prefix="circle-up-") as folder:
        for words in ("on an empty folder", "once more"):
            began = time.perf_counter()
            process = _up(Path(folder))
            try:
                run = _ready(Path(folder), process)
                print(f"  ready {words:<22} {time.perf_counter() - began:8.1f} s")
                if words == "once more":
                    _print_memory(run, chosen.idle)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=_PATIENCE_SECONDS)


def _up(folder: Path) -> "subprocess.Popen[bytes]":
    command = [str(Path(sys.executable).parent / "circle"), "up", "--data", str(folder), "--port", "8930"]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "REDIS_", "S3_"))}
    return subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words


def _ready(folder: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "run.json").exists():
            run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            return run
        time.sleep(0.05)
    raise RuntimeError("it did not start")


def _print_memory(run: dict[str, Any], idle: float) -> None:
    time.sleep(idle)
    shared_once: dict[str, int] = defaultdict(int)
    each: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    named = {pid: name for name, pid in run["pids"].items()}
    supervisor = psutil.Process(run["pids"]["supervisor"])
    for process in [supervisor, *supervisor.children(recursive=True)]:
        try:
            memory = process.memory_full_info()
            # Who is named itself, or whose parent is; what is forked for a job meanwhile may end meanwhile.
            name = next(named[one.pid] for one in [process, *process.parents()] if one.pid in named)
        except psutil.NoSuchProcess:
            continue
        shared_once[name] += memory.pss
        each[name] += memory.rss
        count[name] += 1
    for name, used in sorted(shared_once.items(), key=lambda one: -one[1]):
        print(f"  {name:<28} {used / MEGABYTE:8.0f} MB in {count[name]} processes (RSS {each[name] / MEGABYTE:.0f})")
    total, in_each = sum(shared_once.values()) / MEGABYTE, sum(each.values()) / MEGABYTE
    print(f"  {'all, idle':<28} {total:8.0f} MB, {total / BUDGET:.2f} of {BUDGET} MB (RSS {in_each:.0f})")


if __name__ == "__main__":
    main()
