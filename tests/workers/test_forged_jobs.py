"""What somebody puts into Redis past our doorbell: nothing of it runs."""

import json
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue, SimpleWorker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.webhook import Webhook

from circle.config import Settings
from workers.runtime import ForgedJob, QueueWorker, RungJob


class HereAndNow(SimpleWorker):  # type: ignore[misc]
    """Works a queue in this process, with the jobs that our workers accept."""

    job_class = QueueWorker.job_class


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.folder,)


@pytest.fixture
def queue(settings: Settings) -> Iterator[Queue]:
    redis = Redis.from_url(settings.redis_url)
    queue = Queue(f"forged-{uuid.uuid4().hex}", connection=redis, serializer=JSONSerializer)
    yield queue
    queue.delete(delete_jobs=True)
    redis.close()


def work(queue: Queue, job: Job) -> JobStatus | None:
    """Work everything in the queue; return what became of the job."""
    HereAndNow([queue], connection=queue.connection, serializer=JSONSerializer).work(
        burst=True, logging_level="CRITICAL"
    )
    return job.get_status(refresh=True)


def believed(queue: Queue, job: Job) -> Any:
    return RungJob.fetch(job.id, connection=queue.connection, serializer=JSONSerializer).func


@pytest.mark.parametrize(
    "name",
    [
        "os.mkdir",
        "pathlib.Path.mkdir",
        "workers.runtime.install",
        "workers.runtime.os.mkdir",
        "workers.__main__.main",
        "workers.outbox.relay.run",
        "circle.kernel.queue.queue_of",
        "outbox.relay",
        "workers.outbox.nothing",
    ],
)
def test_no_function_runs_but_a_job_of_ours(queue: Queue, name: str, tmp_path: Path) -> None:
    job = queue.enqueue(name, str(tmp_path / "made"))

    assert work(queue, job) == JobStatus.FAILED
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ForgedJob):
        believed(queue, job)


@pytest.mark.parametrize(
    "name", ["outbox.relay", "workers.runtime.job", "workers.outbox.relay ", "workers." + "x" * 10_000]
)
def test_no_name_but_that_of_a_job_is_believed(queue: Queue, name: str) -> None:
    job = queue.enqueue(name)

    with pytest.raises(ForgedJob) as refused:
        believed(queue, job)
    assert len(str(refused.value)) <= 80


def test_a_job_of_somebody_elses_object_is_refused(queue: Queue) -> None:
    job = queue.enqueue("workers.outbox.relay")
    queue.connection.hset(job.key, "data", json.dumps(["workers.outbox.relay", {"a": 1}, [], {}]).encode())

    with pytest.raises(ForgedJob):
        believed(queue, job)


@pytest.mark.parametrize("arguments", [{"args": ("x",)}, {"kwargs": {"self": 1}}])
def test_a_job_of_ours_takes_nothing_from_the_queue(queue: Queue, arguments: dict[str, Any]) -> None:
    job = queue.enqueue_call("workers.outbox.relay", **arguments)

    with pytest.raises(ForgedJob):
        believed(queue, job)


def test_a_ring_of_ours_is_believed(queue: Queue) -> None:
    assert believed(queue, queue.enqueue("workers.outbox.relay")).name == "outbox.relay"


def test_nothing_is_called_besides_the_job(queue: Queue) -> None:
    """Callbacks would be run here, webhooks called from here."""
    calls = {
        "on_success": Callback("os.getpid"),
        "on_failure": Callback("os.getpid"),
        "on_stopped": Callback("os.getpid"),
    }
    job = queue.enqueue("workers.outbox.relay", webhooks=[Webhook("http://127.0.0.1:1/", JobStatus.FINISHED)], **calls)

    ring = RungJob.fetch(job.id, connection=queue.connection, serializer=JSONSerializer)

    assert (ring.success_callback, ring.failure_callback, ring.stopped_callback, ring.webhooks) == (
        None,
        None,
        None,
        [],
    )


def test_nothing_is_unpickled(queue: Queue, tmp_path: Path) -> None:
    job = queue.enqueue("workers.outbox.relay")
    queue.connection.hset(job.key, "data", pickle.dumps(Trap(tmp_path / "made")))

    assert work(queue, job) == JobStatus.FAILED
    assert list(tmp_path.iterdir()) == []


def test_an_object_in_place_of_a_name_is_refused(queue: Queue) -> None:
    job = queue.enqueue("workers.outbox.relay")
    queue.connection.hset(job.key, "data", json.dumps([["os", "mkdir"], {"a": 1}, [], {}]).encode())

    assert work(queue, job) == JobStatus.FAILED
