"""Prometheus metrics: requests of all web processes, and what is read from database and Redis when scraped."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hmac import compare_digest

from flask import Blueprint, Response, abort, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from circle.kernel.isolation import isolated
from circle.kernel.uow import Units
from circle.web.pages import on_loopback
from circle.web.system import system

REQUESTS = Counter("circle_requests_total", "Requests by route, method and status.", ["route", "method", "status"])
SECONDS = Histogram(
    "circle_request_seconds",
    "Time of a request by route.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)

Probe = Callable[[Units], Iterable[Metric]]


class _Probed(Collector):
    """Reads the probes; one that fails is missing from the page and the others are there."""

    def __init__(self, units: Units, probes: Sequence[Probe]) -> None:
        self._units = units
        self._probes = probes

    def collect(self) -> Iterator[Metric]:
        for probe in self._probes:
            found: list[Metric] = []
            with isolated("probe_failed"):
                found = list(probe(self._units))
            yield from found


def metrics_blueprint(probes: Sequence[Probe]) -> Blueprint:
    """Serve `/metrics` to loopback and to holders of METRICS_TOKEN; to others it does not exist."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        at = system()
        if not (on_loopback() or _knows(at.settings.metrics_token)):
            abort(404)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Probed(at.units, probes))
        page = generate_latest(_process_registry()) + generate_latest(registry)
        return Response(page, mimetype=CONTENT_TYPE_LATEST)

    return blueprint


def _knows(token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return bool(token) and compare_digest(given.encode(), f"Bearer {token}".encode())


def _process_registry() -> CollectorRegistry:
    """Return the metrics of all processes where they share a folder, else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
