"""`python -m workers [queue …]`: one worker process per queue, all queues by default.

This process builds the application once, opens no connection, and forks a child per queue; each child is an RQ
worker of that queue alone and forks again for each job. A child that ends is started again; SIGTERM and SIGINT end
all, after the jobs at work if they end soon.
"""

import gc
import os
import signal
import sys
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import structlog
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer

from circle import jobs
from circle.app import create_app
from circle.config import SettingError, Settings
from circle.kernel.clock import elapsed
from circle.kernel.forking import TOLD_TO_END, forget_handlers_in_forks
from circle.kernel.queue import QUEUES
from circle.kernel.valkey import connect
from workers.runtime import QueueWorker, die_with_parent, install

log = structlog.get_logger("workers")

# RQ sees that a worker was killed after three times the interval and its TTL; its defaults need minutes.
WORKER_TTL_SECONDS = 20
MAINTENANCE_SECONDS = 5
_RESTART_PAUSE_SECONDS = 1.0
# Jobs at work at a stop get this long; then their processes are killed and their leases bring the rows back.
_GRACE_SECONDS = 6.0
_KILL_AFTER_SECONDS = 2.0
_HEARD = (*TOLD_TO_END, signal.SIGCHLD)


@dataclass
class _Child:
    queue: str
    pid: int | None = None
    start_at: float = 0.0


class Crew:
    """Keeps one child per queue running until it is told to stop."""

    def __init__(self, redis_url: str, queues: tuple[str, ...]) -> None:
        self._redis_url = redis_url
        self._children = [_Child(queue) for queue in queues]
        self._stopping = False
        # Signal handlers only put; this kind of queue allows that at any moment.
        self._events: SimpleQueue[int] = SimpleQueue()

    def run(self) -> None:
        for number in _HEARD:
            signal.signal(number, self._note)
        forget_handlers_in_forks(_HEARD)
        while not self._stopping:
            self._start_missing()
            self._wait(_RESTART_PAUSE_SECONDS)
            self._reap()
        self._end()

    def _note(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True
        self._events.put(number)

    def _wait(self, seconds: float) -> None:
        try:
            self._events.get(timeout=seconds)
        except Empty:
            return

    def _start_missing(self) -> None:
        for child in self._children:
            if child.pid is None and child.start_at <= elapsed():
                crew = os.getpid()
                child.pid = os.fork()
                if child.pid == 0:
                    _be_worker(self._redis_url, child.queue, crew)

    def _reap(self) -> None:
        for child in self._children:
            if child.pid is not None and os.waitpid(child.pid, os.WNOHANG)[0] != 0:
                if not self._stopping:
                    log.warning("worker_ended", queue=child.queue, pid=child.pid)
                child.pid, child.start_at = None, elapsed() + _RESTART_PAUSE_SECONDS

    def _end(self) -> None:
        """Ask, ask again (RQ then ends the job at work too), and at last kill."""
        for number, patience in (
            (signal.SIGTERM, _GRACE_SECONDS),
            (signal.SIGTERM, _KILL_AFTER_SECONDS),
            (signal.SIGKILL, _KILL_AFTER_SECONDS),
        ):
            self._signal(number)
            deadline = elapsed() + patience
            while self._running() and elapsed() < deadline:
                self._wait(0.05)
                self._reap()
            if not self._running():
                return

    def _running(self) -> list[_Child]:
        return [child for child in self._children if child.pid is not None]

    def _signal(self, number: signal.Signals) -> None:
        for child in self._running():
            assert child.pid is not None  # noqa: S101 - for the type checker
            os.kill(child.pid, number)


def _be_worker(redis_url: str, queue: str, crew: int) -> None:
    """Work one queue in this forked process, and end it with its work."""
    code = 1
    try:
        die_with_parent(crew, signal.SIGTERM)
        # A connection of its own: a worker waits in it for its next job.
        redis = connect(redis_url)
        try:
            QueueWorker(
                [queue],
                connection=redis,
                serializer=JSONSerializer,
                worker_ttl=WORKER_TTL_SECONDS,
                maintenance_interval=MAINTENANCE_SECONDS,
                log_job_description=False,
            ).work(logging_level="WARNING")
            code = 0
        except RedisError as error:
            # The crew tries again after its pause, as often as it takes.
            log.warning("redis_away", queue=queue, error=str(error))
    finally:
        os._exit(code)


def main() -> int:
    """Run the crew of the queues named on the command line."""
    queues = tuple(sys.argv[1:]) or QUEUES
    unknown = sorted(set(queues) - set(QUEUES))
    if unknown:
        sys.stderr.write(f"workers: unknown queue {', '.join(unknown)}; there are {', '.join(QUEUES)}\n")
        return 2
    try:
        settings = Settings.from_env()
    except SettingError as error:
        sys.stderr.write(f"workers: {error}\n")
        return 2
    os.nice(settings.worker_nice)
    install(create_app(settings.for_workers()))
    gc.collect()
    gc.freeze()  # what lives now lives on in every child: collecting it would only copy shared pages
    # Imported here, each job's process has its code at once.
    for row in jobs.load_schedule():
        jobs.load_job(row.job)
    log.info("workers_started", queues=queues)
    Crew(settings.redis_url, queues).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
