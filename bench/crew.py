"""Real worker processes to measure: started as in production, their memory and connections watched meanwhile."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil
from sqlalchemy import Engine, text

from bench.installation import ROOT

_LOOK_SECONDS = 0.25
_MIB = 2**20


@dataclass
class Watch:
    """What was seen of a crew: the largest process at each look, in MiB, and its connections to the database."""

    memory: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        quarter = max(len(self.memory) // 4, 1)
        early, late = max(self.memory[:quarter], default=0), max(self.memory[-quarter:], default=0)
        return (
            f"memory of the largest worker process: {early:.0f} MiB in the first quarter, {late:.0f} MiB in the last;"
            f" at most {max(self.connections, default=0)} connections of all"
        )


@contextmanager
def crews(engine: Engine, environ: Mapping[str, str], *queues: str, number: int) -> Iterator[Watch]:
    """Run so many crews of workers for the queues, and watch them until the end."""
    running = [
        subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "workers", *queues], cwd=ROOT, env={**os.environ, **environ}
        )
        for _ in range(number)
    ]
    watch, is_over = Watch(), threading.Event()
    watcher = threading.Thread(target=_look, args=(engine, [crew.pid for crew in running], watch, is_over))
    watcher.start()
    try:
        yield watch
    finally:
        is_over.set()
        watcher.join()
        for crew in running:
            crew.terminate()
        for crew in running:
            crew.wait(30)


def _look(engine: Engine, crew_ids: list[int], watch: Watch, is_over: threading.Event) -> None:
    counted = text(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'circle' AND datname = current_database()"
    )
    with engine.connect() as connection:
        while not is_over.wait(_LOOK_SECONDS):
            sizes = [0.0]
            for crew_id in crew_ids:
                with suppress(psutil.NoSuchProcess):
                    sizes += [
                        process.memory_info().rss / _MIB for process in psutil.Process(crew_id).children(recursive=True)
                    ]
            watch.memory.append(max(sizes))
            watch.connections.append(connection.scalar(counted) or 0)
