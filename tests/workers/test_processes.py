"""Real worker and clock processes on a real Valkey."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest
from redis import Redis

from circle.app import create_app
from circle.config import Settings
from circle.embedded.datafolder import random_free_port
from circle.jobs import JobLog
from circle.kernel.queue import QUEUES, RqDoorbell
from circle.testmode import unless_draining
from circle.web.connections import close_connections, db
from tests.embedded.waiting import wait_for
from tests.workers.conftest import Installation


def test_a_ring_reaches_a_worker_and_is_counted(installation: Installation) -> None:
    installation.run("workers", "default")

    installation.ask_for_code("ring@example.org")

    installation.wait_for_mail("ring@example.org")
    log = JobLog(installation.redis)
    wait_for(lambda: log.seconds_since("outbox.relay") is not None, "the run to be counted")
    page = installation.app.test_client().get("/metrics").text
    assert 'circle_jobs_total{job="outbox.relay",result="ok"}' in page
    assert 'circle_job_rows_total{job="outbox.relay"} 1.0' in page
    assert 'circle_job_ended_seconds{job="outbox.relay"}' in page


def test_many_rings_wait_as_one(installation: Installation) -> None:
    for number in range(5):
        installation.ask_for_code(f"many{number}@example.org")

    assert installation.redis.llen("rq:queue:default") == 1


def test_what_was_gathered_and_sent_early_is_not_sent_again(installation: Installation) -> None:
    doorbell = RqDoorbell(installation.redis)
    for _ in range(2):
        doorbell.ring("outbox.relay")
        doorbell.answer("outbox.relay")

    doorbell.settle()
    doorbell.answer("outbox.relay")

    wait_for(
        lambda: not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()),
        "the moment to be over",
    )
    assert installation.redis.llen("rq:queue:default") == 2


def test_a_flushed_redis_costs_delay_only(installation: Installation) -> None:
    installation.ask_for_code("flushed@example.org")
    installation.redis.flushdb()

    installation.run("workers", "default")
    installation.run("workers.clock")

    installation.wait_for_mail("flushed@example.org")


def test_without_redis_requests_succeed_and_the_work_is_done_later(installation: Installation) -> None:
    settings = Settings.from_env(installation.environ)
    cut_off = create_app(replace(settings, redis_url="redis://127.0.0.1:1/0"))

    body = {"email": "later@example.org", "purpose": "register"}
    assert cut_off.test_client().post("/v1/auth/codes", json=body).status_code == 204
    with cut_off.app_context():
        close_connections()

    installation.run("workers", "default")
    installation.run("workers.clock")
    installation.wait_for_mail("later@example.org")


@pytest.mark.reliability
def test_workers_and_clock_wait_for_a_redis_that_is_away(installation: Installation) -> None:
    port = random_free_port("127.0.0.1")
    given = installation.redis.connection_pool.connection_kwargs
    password = f":{given['password']}@" if given.get("password") else ""
    away = f"redis://{password}127.0.0.1:{port}/{given['db']}"
    workers = installation.run("workers", "default", REDIS_URL=away)
    clock = installation.run("workers.clock", REDIS_URL=away)
    wait_for(lambda: "redis_away" in workers.said() and "doorbell_lost" in clock.said(), "both to notice")

    installation.ask_for_code("away@example.org")
    installation.redis.flushdb()
    with _forwarding(port, installation.redis):
        installation.wait_for_mail("away@example.org")
        assert workers.end() == clock.end() == 0


@pytest.mark.reliability
def test_a_killed_worker_is_replaced(installation: Installation) -> None:
    crew = installation.run("workers", "default")
    wait_for(lambda: len(crew.children()) == 1, "the worker")
    [first] = crew.children()

    first.kill()

    wait_for(lambda: [child for child in crew.children() if child.pid != first.pid], "the next worker")
    installation.ask_for_code("replaced@example.org")
    installation.wait_for_mail("replaced@example.org")


def test_a_stop_ends_every_process(installation: Installation) -> None:
    crew = installation.run("workers")
    wait_for(lambda: len(crew.children()) == len(QUEUES), "a worker for each queue")
    everybody = crew.children()

    crew.popen.send_signal(signal.SIGINT)

    assert crew.popen.wait(10) == 0
    assert not psutil.wait_procs(everybody, timeout=2)[1]


@pytest.mark.reliability
def test_a_crew_killed_outright_leaves_nobody_behind(installation: Installation) -> None:
    crew = installation.run("workers", "default")
    wait_for(lambda: len(crew.children()) == 1, "the worker")
    everybody = crew.children()

    crew.popen.kill()
    crew.popen.wait(5)

    assert not psutil.wait_procs(everybody, timeout=5)[1]


def test_a_worker_s_job_leaves_the_work_to_a_drain(installation: Installation) -> None:
    with installation.app.app_context(), db.engine.connect() as drain:
        drain.exec_driver_sql("SELECT pg_advisory_lock(7003)")
        assert unless_draining(installation.units, lambda _units: 1) == 0
        drain.exec_driver_sql("SELECT pg_advisory_unlock(7003)")
        assert unless_draining(installation.units, lambda _units: 1) == 1


def test_the_offset_of_the_clock_reaches_every_process(installation: Installation) -> None:
    client = installation.app.test_client()
    client.post("/v1/test/clock", json={"now": "2031-01-31T00:00:00Z"})
    installation.run("workers", "default")

    installation.ask_for_code("future@example.org")

    installation.wait_for_mail("future@example.org")
    [mail] = client.get("/dev/mailbox.json?to=future@example.org").get_json()["items"]
    assert mail["created_at"].startswith("2031-01-31")


@contextmanager
def _forwarding(port: int, redis: "Redis") -> Iterator[None]:
    """Let the real Redis be reached at another port too."""
    given = redis.connection_pool.connection_kwargs
    target = (given["host"], given["port"])
    listener = socket.create_server(("127.0.0.1", port))
    sockets: list[socket.socket] = [listener]

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(target)
            sockets.extend((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(source, sink), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for one in sockets:
            one.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
