"""`/healthz`, `/readyz` and `/metrics`."""

import importlib
from collections.abc import Callable
from threading import Event

import pytest
from flask import Flask
from redis import Redis
from rq.registry import StartedJobRegistry

from circle import checks
from circle.checks import sweeps_run
from circle.jobs import JobLog
from circle.kernel.checks import Check
from circle.kernel.clock import unix_seconds
from circle.kernel.uow import Units
from circle.web import health
from tests.client import Api

AppWith = Callable[..., Flask]


def test_a_live_process_says_so(app: Flask) -> None:
    assert app.test_client().get("/healthz").get_json() == {"status": "ok"}


def test_a_ready_installation_names_its_parts(app: Flask) -> None:
    importlib.import_module("circle.media.boto")  # which else counts against the patience of the check
    answer = app.test_client().get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json()["parts"].keys() >= {"database", "queue"}
    assert set(answer.get_json()["parts"].values()) == {"ok"}


def test_an_engine_that_is_away_is_named_and_the_others_still_asked(app_with: AppWith) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    app = app_with(database_url=away, redis_url="redis://127.0.0.1:1/0")

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    parts = answer.get_json()["parts"]
    assert parts["database"].startswith("PostgreSQL does not answer")
    assert parts["queue"].startswith("Redis does not answer")


def test_a_part_that_hangs_does_not_hold_the_others_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)
    go_on = Event()
    asked: list[int] = []

    def hang(_units: object) -> None:
        asked.append(1)
        go_on.wait(10)

    readiness = health.Readiness((Check("slow", hang), Check("quick", lambda _units: None)))
    try:
        for _ in range(3):
            answer = readiness.ask(app)
            assert answer["slow"] is not None
        assert len(asked) == 1
    finally:
        go_on.set()


def test_a_check_that_breaks_is_a_part_that_is_wrong(app_with: AppWith) -> None:
    app = app_with()

    def broken(_units: object) -> None:
        raise ValueError("boom")

    readiness = health.Readiness((Check("broken", broken),))

    assert readiness.ask(app) == {"broken": "ValueError: boom"}


def test_the_doctor_takes_a_long_job_for_a_worker_that_lives(
    units: Units, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    redis, at_work = units.use(Redis), StartedJobRegistry("transfers", connection=units.use(Redis)).key
    request.addfinalizer(lambda: redis.delete(at_work))
    monkeypatch.setattr(checks, "QUEUES", ("transfers",))
    monkeypatch.setattr(JobLog, "seconds_since", lambda _log, _job: 7_200.0)

    redis.zadd(at_work, {"killed:1": unix_seconds() - 1})
    assert "last ended 7200 s ago" in (sweeps_run(units) or "")

    redis.zadd(at_work, {"export:1": unix_seconds() + 90})
    assert sweeps_run(units) is None


def test_metrics_tell_of_requests_queues_and_outbox(app: Flask, api: Api) -> None:
    api.get("/test/clock").ok()

    page = app.test_client().get("/metrics").text

    assert 'circle_requests_total{method="GET",route="testing.get_clock",status="200"}' in page
    assert "circle_outbox_waiting 0.0" in page
    assert 'circle_queue_length{queue="billing"}' in page
    assert 'circle_pool_in_use{pool="write"}' in page


def test_metrics_are_for_this_machine_and_for_holders_of_the_token(app_with: AppWith) -> None:
    app = app_with(metrics_token="scrape")
    client, elsewhere = app.test_client(), {"REMOTE_ADDR": "203.0.113.9"}

    def status(headers: dict[str, str], **place: str) -> int:
        return client.get("/metrics", headers=headers, environ_overrides=place).status_code

    assert status({}) == 200
    assert status({"X-Forwarded-For": "203.0.113.9"}) == 404
    assert status({}, **elsewhere) == 404
    assert status({"Authorization": "Bearer guess"}, **elsewhere) == 404
    assert status({"Authorization": "Bearer scrape"}, **elsewhere) == 200


def test_metrics_are_served_with_every_engine_away(app_with: AppWith) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    app = app_with(database_url=away, redis_url="redis://127.0.0.1:1/0")

    page = app.test_client().get("/metrics")

    assert page.status_code == 200
    assert "circle_requests_total" in page.text
    assert "circle_outbox_age_seconds" not in page.text
