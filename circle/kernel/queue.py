"""RQ as the doorbell: rows in PostgreSQL are the queue, a ring only says that some are waiting.

A lost ring costs delay, never work: the clock process sweeps for due rows. So ringing never fails a request.
"""

from typing import Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

log = structlog.get_logger(__name__)

# A job that waits longer than this in Redis was overtaken by the sweeper.
_TTL = 300
_TIMEOUT = 600
_FAILURE_TTL = 3600


class Doorbell(Protocol):
    """Wakes the worker of a job, named `module.function` inside the `workers` package."""

    def ring(self, job: str) -> None: ...


class RqDoorbell:
    """Enqueues by name, one queue per worker room: `billing.charge` rings queue `billing`."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def ring(self, job: str) -> None:
        queue = Queue(job.partition(".")[0], connection=self._redis, serializer=JSONSerializer)
        try:
            queue.enqueue(f"workers.{job}", ttl=_TTL, job_timeout=_TIMEOUT, result_ttl=0, failure_ttl=_FAILURE_TTL)
        except RedisError as error:
            log.warning("doorbell_lost", job=job, error=str(error))


class SilentDoorbell:
    """Rings nobody and remembers what rang: tests run the jobs themselves."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, job: str) -> None:
        self.rung.append(job)
