"""`/healthz`: the process lives. `/readyz`: what it needs answers."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response

from circle.web.answers import JSON, dumps

# A check raises or returns a short word on what is wrong; None: all is well.
Check = Callable[[], str | None]


def health_blueprint(checks: Mapping[str, Check]) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response(dumps({"status": "ok"}), mimetype=JSON)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        wrong = {name: trouble for name, check in checks.items() if (trouble := check()) is not None}
        parts = {name: wrong.get(name, "ok") for name in checks}
        body = dumps({"status": "unavailable" if wrong else "ok", "parts": parts})
        return Response(body, 503 if wrong else 200, mimetype=JSON)

    return blueprint
