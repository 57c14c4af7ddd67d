"""What surrounds every request: its id, its log line, its metrics, and errors as problem+json."""

import re
from functools import cache
from secrets import token_hex
from typing import Any

import structlog
from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram
from psycopg import errors as pg
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, InternalServerError

from circle.kernel.clock import elapsed
from circle.kernel.errors import CircleError, Invalid, StaleVersion, Unavailable, error_for_constraint
from circle.web.answers import http_problem, problem, show_allowance
from circle.web.metrics import REQUESTS, SECONDS
from circle.web.system import system, this_request

log = structlog.get_logger("circle.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = frozenset({"health.healthz", "health.readyz", "metrics.metrics"})
# Tokens may stand in an address, as those of feeds do, but not in a log.
_TOKEN = re.compile(r"\b(c[ps]_)[A-Za-z0-9_-]{16,}")
# A year, by the second.
_TLS_FROM_NOW_ON = "max-age=31536000"
MAX_BODY = 2 * 1024 * 1024


def surround_requests(app: Flask) -> None:
    """Install the hooks and error handlers."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(CircleError, problem)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(IntegrityError, _integrity_error)
    app.register_error_handler(pg.IntegrityError, _integrity_error)
    app.register_error_handler(StaleDataError, lambda _error: problem(StaleVersion()))
    app.register_error_handler(DataError, _data_error)
    app.register_error_handler(pg.DataError, _data_error)
    app.register_error_handler(OperationalError, _database_trouble)
    app.register_error_handler(InterfaceError, _database_trouble)
    app.register_error_handler(pg.OperationalError, _database_trouble)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    request_id = given if given and _REQUEST_ID.fullmatch(given) else token_hex(16)
    g.request_id, g.began = request_id, elapsed()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    allowance = g.get("allowance")
    if allowance is not None:
        show_allowance(response, allowance)
    if system().settings.secure:
        response.headers["Strict-Transport-Security"] = _TLS_FROM_NOW_ON
    asked = this_request()
    route = asked.endpoint or "none"
    seconds = elapsed() - g.began
    requests, durations = _measures(route, asked.method, response.status_code)
    requests.inc()
    durations.observe(seconds)
    if route not in _QUIET:
        log.info(
            "request",
            method=asked.method,
            path=_TOKEN.sub(r"\1…", asked.path) if "_" in asked.path else asked.path,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            route=route,
        )
    return response


@cache
def _measures(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, status), SECONDS.labels(route)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, InternalServerError):
        log.error("unhandled", exc_info=error.original_exception or error)
        return problem(CircleError())
    return http_problem(error)


def _integrity_error(error: Any) -> Response:
    name = getattr(getattr(_driver_error(error), "diag", None), "constraint_name", None)
    log.info("constraint", constraint=name)
    return problem(error_for_constraint(name)())


def _data_error(error: Any) -> Response:
    # Validation should have caught it: the answer is right, the log asks for a tighter schema.
    log.error("data_error", error=str(_driver_error(error)))
    return problem(Invalid())


def _database_trouble(error: Any) -> Response:
    log.error("database_trouble", error=str(_driver_error(error)))
    return problem(Unavailable())


def _driver_error(error: Any) -> Any:
    """Return the driver's own error, which the ORM wraps and compiled statements don't."""
    return getattr(error, "orig", error)
