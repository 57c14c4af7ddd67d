"""A fleet of real worker processes, and somebody who kills them."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

ROOT = Path(__file__).parents[2]
# What renews, and finds what was left behind: rung without end.
JOBS = tuple(
    f"billing.{name}" for name in ("bill", "charge", "resolve", "sandbox", "inbox", "refund", "pay_out", "dun", "end")
)
MONEY = {"billing": JOBS}
_QUEUED_AT_MOST = 12
# Patience for a loaded machine, never a measurement.
STOP_SECONDS = 120.0


class Fleet:
    """Crews of workers, each started again when it ends, as `circle up` does; `rung` says which jobs of which queue."""

    def __init__(
        self,
        environ: dict[str, str],
        folder: Path,
        *,
        crews: int = 3,
        mutant: str = "none",
        rung: Mapping[str, tuple[str, ...]] = MONEY,
    ) -> None:
        self._environ = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
        self._rung = rung
        self._log = (folder / "workers.log").open("ab")
        self._mutant = mutant
        self._redis = Redis.from_url(environ["REDIS_URL"])
        self._crews = [self._start() for _ in range(crews)]
        self.kills = 0

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.reliability.worker", self._mutant, *self._rung],
            cwd=ROOT,
            env=self._environ,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def tend(self) -> None:
        """Start what has ended, and ring for everything, as an impatient clock would."""
        self._crews = [self._start() if crew.poll() is not None else crew for crew in self._crews]
        with suppress(RedisError):
            for name, jobs in self._rung.items():
                queue = Queue(name, connection=self._redis, serializer=JSONSerializer)
                if len(queue) < _QUEUED_AT_MOST:
                    for job in jobs:
                        queue.enqueue(f"workers.{job}", ttl=300, job_timeout=600, result_ttl=0, failure_ttl=60)

    def kill_one(self, luck: random.Random) -> None:
        """Kill a process outright: most often one at work, at times its worker, seldom a whole crew."""
        crew = psutil.Process(luck.choice(self._crews).pid)
        with suppress(psutil.NoSuchProcess):
            workers = crew.children()
            at_work = [horse for worker in workers for horse in worker.children()]
            drawn = luck.random()
            victims = at_work if drawn < 0.8 else workers if drawn < 0.95 else [crew]
            if victims:
                luck.choice(victims).kill()
                self.kills += 1

    def kill_everybody(self) -> None:
        """Kill every process at the same moment, as a machine does that loses its power."""
        everybody = [psutil.Process(crew.pid) for crew in self._crews]
        # Whoever stands still forks nobody, who would outlive this: parents are added before their children.
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
                everybody += process.children()
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for crew in self._crews:
            crew.wait(STOP_SECONDS)
        psutil.wait_procs(everybody, timeout=STOP_SECONDS)
        self.kills += len(everybody)

    def has_forked(self) -> bool:
        """Whether every crew has a worker."""
        return all(psutil.Process(crew.pid).children() for crew in self._crews)

    def forget_rings(self) -> None:
        """Lose everything that the queue holds."""
        with suppress(RedisError):
            self._redis.flushall()

    def stop(self) -> None:
        for crew in self._crews:
            crew.send_signal(signal.SIGTERM)
        for crew in self._crews:
            crew.wait(STOP_SECONDS)
        self._log.close()
        self._redis.close()
