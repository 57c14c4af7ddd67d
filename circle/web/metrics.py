"""Prometheus metrics: requests, jobs, outbox age, pool. Gauges of the database are read when scraped."""

import os
from collections.abc import Callable

from flask import Blueprint, Response, abort, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from circle.kernel.uow import ReadOnlyUnitOfWork
from circle.web.system import system

REQUESTS = Counter("circle_requests_total", "Requests by route, method and status.", ["route", "method", "status"])
SECONDS = Histogram(
    "circle_request_seconds",
    "Time of a request by route.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
JOBS = Counter("circle_jobs_total", "Jobs by name and result.", ["job", "result"])
JOB_ROWS = Counter("circle_job_rows_total", "Rows that jobs worked on.", ["job"])

Probe = Callable[[ReadOnlyUnitOfWork], float]


def metrics_blueprint(probes: dict[str, tuple[str, Probe]]) -> Blueprint:
    """Serve `/metrics` to loopback and to holders of METRICS_TOKEN; `probes` are gauges by name."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        at = system()
        token = at.settings.metrics_token
        trusted = request.remote_addr in {"127.0.0.1", "::1"} and "X-Forwarded-For" not in request.headers
        if not trusted and not (token and request.headers.get("Authorization") == f"Bearer {token}"):
            abort(404)
        registry = CollectorRegistry()
        with at.units.read() as uow:
            for name, (meaning, probe) in probes.items():
                Gauge(name, meaning, registry=registry).set(probe(uow))
        page = generate_latest(_process_registry()) + generate_latest(registry)
        return Response(page, mimetype=CONTENT_TYPE_LATEST)

    return blueprint


def _process_registry() -> CollectorRegistry:
    """Return the metrics of all processes where they share a folder, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
