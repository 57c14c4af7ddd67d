"""What must be well in every installation, in plain words: for `/readyz`, `circle doctor` and `/metrics`."""

from collections.abc import Iterator
from datetime import datetime

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.registry import StartedJobRegistry
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from circle import jobs, subscribers
from circle.billing import oversight
from circle.database import newest_revision, present_revision
from circle.jobs import JobLog
from circle.kernel.checks import Check
from circle.kernel.clock import unix_seconds
from circle.kernel.errors import Unavailable
from circle.kernel.ids import new_id
from circle.kernel.outbox import OutboxMessage
from circle.kernel.queue import QUEUES, queue_of, waiting_key
from circle.kernel.uow import UnitOfWork, Units
from circle.media.storage import Storage
from circle.personal_data import deleted_are_forgotten
from circle.web.connections import pools, seconds_behind, standby_trouble

OLDEST_POSTGRES = 15
# A sweep that did not end within its interval and this long has nobody to run it.
_SWEEP_SLACK_SECONDS = 90
_OUTBOX_PATIENCE_SECONDS = 300
_COUNTED_AT_MOST = 100_000


def database_answers(units: Units) -> str | None:
    try:
        with units.read() as uow:
            uow.session.execute(text("SELECT 1"))
    except (SQLAlchemyError, psycopg.Error) as error:
        return f"PostgreSQL does not answer: {_first_line(error)}"
    return None


def sessions_are_as_wanted(units: Units) -> str | None:
    """Look whether a pooler dropped what our connections ask for at their start."""
    with units.read() as uow:
        zone, limit = (uow.session.scalar(text(f"SHOW {name}")) for name in ("timezone", "statement_timeout"))
    wrong = []
    if zone != "UTC":
        wrong.append(f"the time zone is {zone} and not UTC")
    if limit == "0":
        wrong.append("statements have no time limit")
    return f"{' and '.join(wrong)}: a pooler must set it, or the role (docs/operating.md)" if wrong else None


def standby_keeps_up(_units: Units) -> str | None:
    trouble = standby_trouble()
    return f"the standby at READ_DATABASE_URL is left out: {trouble}" if trouble else None


def queue_answers(units: Units) -> str | None:
    try:
        units.use(Redis).ping()
    except RedisError as error:
        return f"Redis does not answer: {error}"
    return None


def database_is_new_enough(units: Units) -> str | None:
    with units.read() as uow:
        version = int(str(uow.session.scalar(text("SHOW server_version_num")))) // 10_000
    return None if version >= OLDEST_POSTGRES else f"PostgreSQL {version} is too old; {OLDEST_POSTGRES} is needed"


def database_is_migrated(units: Units) -> str | None:
    newest = newest_revision()
    with units.read() as uow:
        present = present_revision(uow.session)
    if present == newest:
        return None
    return f"the schema is at {present or 'nothing'}, the code at {newest}: run `circle release`"


def sweeps_run(units: Units) -> str | None:
    """Tell whether clock and workers live by what they achieve: each queue's most frequent sweep has ended lately.

    A job that takes hours, such as an export, keeps its queue's sweeps waiting; while it is at work, its worker lives.
    """
    log, redis = units.use(JobLog), units.use(Redis)
    wrong = []
    for queue in QUEUES:
        sweeps = [row for row in jobs.load_schedule() if queue_of(row.job) == queue]
        if not sweeps:
            continue
        sweep = min(sweeps, key=lambda row: row.seconds)
        seconds = log.seconds_since(sweep.job)
        if seconds is not None and seconds < sweep.seconds + _SWEEP_SLACK_SECONDS:
            continue
        if redis.zcount(StartedJobRegistry(queue, connection=redis).key, unix_seconds(), "+inf"):
            continue
        since = "never ran" if seconds is None else f"last ended {seconds:.0f} s ago"
        missing = "the worker" if redis.exists(waiting_key(sweep.job)) else "the clock"
        wrong.append(f"{sweep.job} {since}: is {missing} running?")
    return "; ".join(wrong) or None


def outbox_is_empty_enough(units: Units) -> str | None:
    with units.read() as uow:
        age, failed = _outbox_age(uow), _outbox_failed(uow)
    wrong = []
    if age > _OUTBOX_PATIENCE_SECONDS:
        wrong.append(f"the oldest due message has waited for {age:.0f} s")
    if failed:
        wrong.append(f"{failed} messages were given up, see column outbox.error")
    return "; ".join(wrong) or None


def storage_keeps_and_forgets(units: Units) -> str | None:
    """Put, read back and delete a small object."""
    storage, key = units.use(Storage), f"doctor/{new_id()}"
    try:
        storage.put(key, b"circle", content_type="text/plain")
        found = storage.peek(key, 6)
        storage.delete_many([key])
        left = storage.size(key)
    except Unavailable:
        return "the storage did not answer"
    if found is None or found.head != b"circle":
        return "what was stored could not be read back"
    return None if left is None else "what was deleted is still there"


READY = (Check("database", database_answers), Check("queue", queue_answers), *subscribers.READY)
DOCTOR = (
    Check("PostgreSQL answers", database_answers),
    Check("PostgreSQL is new enough", database_is_new_enough),
    Check("the schema is up to date", database_is_migrated),
    Check("database sessions are as we want them", sessions_are_as_wanted),
    Check("the standby keeps up", standby_keeps_up),
    Check("Redis answers", queue_answers),
    Check("clock and workers do their sweeps", sweeps_run),
    Check("the outbox is delivered", outbox_is_empty_enough),
    Check("the object storage keeps and forgets", storage_keeps_and_forgets),
    *subscribers.DOCTOR,
    Check("deleted accounts are forgotten", deleted_are_forgotten),
)


def outbox_probe(units: Units) -> Iterator[Metric]:
    with units.read() as uow:
        yield GaugeMetricFamily("circle_outbox_age_seconds", "How long the oldest due message waits.", _outbox_age(uow))
        yield GaugeMetricFamily("circle_outbox_waiting", "Messages not delivered yet.", _outbox_waiting(uow))
        yield GaugeMetricFamily("circle_outbox_failed", "Messages that were given up.", _outbox_failed(uow))


def queue_probe(units: Units) -> Iterator[Metric]:
    redis = units.use(Redis)
    lengths = GaugeMetricFamily("circle_queue_length", "Rings that wait for a worker.", labels=["queue"])
    for queue in QUEUES:
        lengths.add_metric([queue], float(Queue(queue, connection=redis).count))
    yield lengths


def pool_probe(_units: Units) -> Iterator[Metric]:
    in_use = GaugeMetricFamily("circle_pool_in_use", "Connections in use, by pool of this process.", labels=["pool"])
    for name, count in pools().items():
        in_use.add_metric([name], float(count))
    yield in_use


def standby_probe(_units: Units) -> Iterator[Metric]:
    behind = GaugeMetricFamily("circle_standby_behind_seconds", "How old the standby may be, while reads ask for it.")
    seconds = seconds_behind()
    if seconds is not None:
        behind.add_metric([], seconds)
    yield behind


def jobs_probe(units: Units) -> Iterator[Metric]:
    yield from units.use(JobLog).collect()


def billing_probe(units: Units) -> Iterator[Metric]:
    with units.read() as uow:
        figures = oversight.figures(uow)
    rows = GaugeMetricFamily("circle_billing", "Rows that an operator cares for, by what they are.", labels=["what"])
    for what, count in figures.items():
        rows.add_metric([what], float(count))
    yield rows


PROBES = (outbox_probe, queue_probe, pool_probe, standby_probe, jobs_probe, billing_probe)

_WAITING = (OutboxMessage.delivered_at.is_(None), OutboxMessage.failed_at.is_(None))


def _outbox_age(uow: UnitOfWork) -> float:
    oldest: datetime | None = uow.session.scalar(select(func.min(OutboxMessage.due_at)).where(*_WAITING))
    return max(0.0, (uow.now - oldest).total_seconds()) if oldest else 0.0


def _outbox_waiting(uow: UnitOfWork) -> int:
    some = select(OutboxMessage.id).where(*_WAITING).limit(_COUNTED_AT_MOST).subquery()
    return uow.session.scalar(select(func.count()).select_from(some)) or 0


def _outbox_failed(uow: UnitOfWork) -> int:
    some = select(OutboxMessage.id).where(OutboxMessage.failed_at.is_not(None)).limit(_COUNTED_AT_MOST).subquery()
    return uow.session.scalar(select(func.count()).select_from(some)) or 0


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]
