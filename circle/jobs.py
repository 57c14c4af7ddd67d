"""Jobs as the rest of the application sees them: by name, without importing the `workers` package.

Rows in PostgreSQL say what is to do; what is kept here, in Redis, only counts runs for metrics and `circle doctor`.
"""

import importlib
from collections.abc import Iterator
from typing import Protocol, cast

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis import Redis
from redis.exceptions import RedisError

from circle.kernel.clock import unix_seconds
from circle.kernel.schedule import Scheduled
from circle.kernel.uow import Units

log = structlog.get_logger(__name__)

_KEY = "circle:jobs"
_KEPT = "circle:kept"


class Job(Protocol):
    """One kind of background work. `run` does what is due now and returns how many rows it worked on."""

    name: str

    def run(self, units: Units) -> int: ...


def load_job(name: str) -> Job:
    """Return the job `room.verb`, which is `workers.room.verb`. Errors: LookupError."""
    module, _, function = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"workers.{module}"), function)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"there is no job {name}") from error
    if getattr(found, "name", None) != name:
        raise LookupError(f"{name} is not marked as a job")
    return cast("Job", found)


def load_schedule() -> tuple[Scheduled, ...]:
    """Return the clock's table."""
    return cast("tuple[Scheduled, ...]", importlib.import_module("workers.schedule").SCHEDULE)


class JobLog:
    """What jobs did: runs, failures, rows, those set aside, and the end of the last run, by job.

    In Redis and not in a process, because each job runs in a process of its own that is gone afterwards.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    def note(self, job: str, *, ok: bool, rows: int, failed: int) -> None:
        """Count one run that ended."""
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.hincrby(_KEY, f"{job} {'ok' if ok else 'failed'}", 1)
                pipeline.hincrby(_KEY, f"{job} rows", rows)
                if failed:
                    pipeline.hincrby(_KEY, f"{job} poison", failed)
                pipeline.hset(_KEY, f"{job} ended", str(unix_seconds()))
                pipeline.execute()
        except RedisError as error:
            log.warning("job_not_counted", job=job, error=str(error))

    def keep(self, name: str, value: int) -> None:
        """Keep a figure that takes too long to find when it is asked for."""
        try:
            self._redis.hset(_KEPT, name, str(value))
        except RedisError as error:
            log.warning("figure_not_kept", figure=name, error=str(error))

    def seconds_since(self, job: str) -> float | None:
        """Return how long ago the job last ended; None where that is not known. Errors: RedisError."""
        ended = cast("bytes | None", self._redis.hget(_KEY, f"{job} ended"))
        return None if ended is None else unix_seconds() - float(ended)

    def collect(self) -> Iterator[Metric]:
        """Yield the counts for Prometheus; nothing while Redis is away."""
        runs = CounterMetricFamily("circle_jobs", "Jobs by name and result.", labels=["job", "result"])
        rows = CounterMetricFamily("circle_job_rows", "Rows that jobs worked on.", labels=["job"])
        poison = CounterMetricFamily("circle_job_rows_failed", "Rows that jobs set aside.", labels=["job"])
        ended = GaugeMetricFamily("circle_job_ended_seconds", "Unix time of a job's last end.", labels=["job"])
        try:
            counts = cast("dict[bytes, bytes]", self._redis.hgetall(_KEY))
            kept = cast("dict[bytes, bytes]", self._redis.hgetall(_KEPT))
        except RedisError:
            return
        for field, value in counts.items():
            job, _, what = field.decode().partition(" ")
            if what in {"ok", "failed"}:
                runs.add_metric([job, what], float(value))
            elif what == "rows":
                rows.add_metric([job], float(value))
            elif what == "poison":
                poison.add_metric([job], float(value))
            else:
                ended.add_metric([job], float(value))
        yield from (runs, rows, poison, ended)
        for name, value in kept.items():
            yield GaugeMetricFamily(f"circle_{name.decode()}", "As a job has found it.", value=float(value))
