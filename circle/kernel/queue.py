"""RQ as the doorbell: rows in PostgreSQL are the queue, a ring only says that some are waiting.

A lost ring costs delay, never work: the clock process sweeps for due rows. So ringing never fails a request, and
while one ring of a job waits to be answered further ones are not queued behind it.
"""

from threading import Lock, Timer
from typing import Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from circle.kernel.clock import elapsed

log = structlog.get_logger(__name__)

# One worker process each. A room without a queue of its own shares the first. Search has one, because what was written
# is to be found within two seconds, however long a mail server takes.
QUEUES = ("default", "billing", "media", "search", "transfers", "hauls")
# Exports and imports begin in `transfers`, and go on in `hauls` when they take long: a whole circle takes hours.
# Calling addresses that strangers named holds up no mail.
_SHARED = {"exports": "transfers", "imports": "transfers", "hooks": "media"}

# A job that waits longer than this in Redis was overtaken by the sweeper.
_TTL = 300
_TIMEOUT = 600
# A whole circle with its films takes longer than any other job.
_TIMEOUTS = {"exports": 6 * 3600, "imports": 6 * 3600, "hauls": 6 * 3600}
_FAILURE_TTL = 3600
# A ring that nobody answered, because its worker was killed or Redis flushed, keeps others out for this long.
_WAITING_SECONDS = 30
# After Redis failed, requests don't wait for it again before this is over.
_QUIET_SECONDS = 2.0
# Rings of one job that a process sends within this time are one ring, sent when it is over: each is a forked process
# and costs some 45 ms of CPU, twenty times what it does for one post.
_GATHER_SECONDS = 1.0


def queue_of(job: str) -> str:
    """Return the queue of a job named `room.verb`."""
    room = job.partition(".")[0]
    return room if room in QUEUES else _SHARED.get(room, QUEUES[0])


class Doorbell(Protocol):
    """Wakes the worker of a job, named `module.function` inside the `workers` package."""

    def ring(self, job: str) -> None: ...


class RqDoorbell:
    """Enqueues by name, unless a ring of the same job is waiting already.

    The first ring goes out at once. Under load those that follow it closely are gathered: the last of them is followed
    by a ring, and who rings does not wait for Redis.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._quiet_until = 0.0
        self._lock = Lock()
        self._rung: dict[str, float] = {}
        self._gathered: set[str] = set()

    def ring(self, job: str) -> None:
        """Wake the job's worker, if Redis answers."""
        if job in self._gathered:
            return
        now = elapsed()
        with self._lock:
            wait = self._rung.get(job, -_GATHER_SECONDS) + _GATHER_SECONDS - now
            if wait <= 0:
                self._rung[job] = now
            elif job not in self._gathered:
                self._gathered.add(job)
                timer = Timer(wait, self._ring_gathered, (job,))
                timer.daemon = True
                timer.start()
        if wait <= 0:
            self._send(job)

    def settle(self) -> None:
        """Send what was gathered: a process that ends takes it along, and the clock would have to find it."""
        for job in tuple(self._gathered):
            self._ring_gathered(job)

    def _ring_gathered(self, job: str) -> None:
        with self._lock:
            if job not in self._gathered:
                return  # sent by `settle` before its time
            self._gathered.discard(job)
            self._rung[job] = elapsed()
        self._send(job)

    def _send(self, job: str) -> None:
        if elapsed() < self._quiet_until:
            return
        try:
            if self._redis.set(waiting_key(job), "1", nx=True, ex=_WAITING_SECONDS):
                self._enqueue(job)
        except RedisError as error:
            self._quiet_until = elapsed() + _QUIET_SECONDS
            log.warning("doorbell_lost", job=job, error=str(error))

    def answer(self, job: str) -> None:
        """Take note that the job has begun: rows of later rings may be missed by it, so they are queued again."""
        try:
            self._redis.delete(waiting_key(job))
        except RedisError as error:
            log.warning("doorbell_not_answered", job=job, error=str(error))

    def _enqueue(self, job: str) -> None:
        queue = Queue(queue_of(job), connection=self._redis, serializer=JSONSerializer)
        timeout = _TIMEOUTS.get(job.partition(".")[0], _TIMEOUT)
        queue.enqueue(f"workers.{job}", ttl=_TTL, job_timeout=timeout, result_ttl=0, failure_ttl=_FAILURE_TTL)


class SilentDoorbell:
    """Rings nobody and remembers what rang: tests run the jobs themselves."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, job: str) -> None:
        self.rung.append(job)


def waiting_key(job: str) -> str:
    """Return the key that exists while a ring of the job waits for its worker."""
    return f"circle:waiting:{job}"
