"""`/healthz`: the process lives and stays. `/readyz`: what it needs answers, each part asked at once and shortly."""

import mmap
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from flask import Blueprint, Flask, Response, current_app

from circle.kernel.checks import Check
from circle.kernel.clock import elapsed
from circle.kernel.isolation import isolated
from circle.web.answers import JSON, dumps
from circle.web.system import system

PATIENCE_SECONDS = 2.0
_NO_ANSWER = f"no answer in {PATIENCE_SECONDS:g} s"


class Draining:
    """Whether the web processes were told to end: set in their parent, seen by all that are forked from it."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def begin(self) -> None:
        self._shared[0] = 1

    def __bool__(self) -> bool:
        return self._shared[0] == 1


DRAINING = Draining()


class Readiness:
    """Asks every part in a thread of its own; one that still hangs from before is not asked again."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = {check.name: check for check in checks}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(checks)), thread_name_prefix="readiness")
        self._asked: dict[str, Future[str | None]] = {}

    def ask(self, app: Flask) -> dict[str, str | None]:
        """Return what is wrong by part; None where all is well."""
        deadline = elapsed() + PATIENCE_SECONDS
        for name, check in self._checks.items():
            if name not in self._asked:
                self._asked[name] = self._pool.submit(_run, app, check)
        return {name: self._await(name, deadline) for name in self._checks}

    def _await(self, name: str, deadline: float) -> str | None:
        asked = self._asked[name]
        try:
            trouble = asked.result(timeout=max(0.0, deadline - elapsed()))
        except TimeoutError:
            return _NO_ANSWER
        self._asked.pop(name, None)
        return trouble


def _run(app: Flask, check: Check) -> str | None:
    with app.app_context(), isolated("check_failed", part=check.name) as outcome:
        return check.run(system().units)
    return outcome.error


def health_blueprint(checks: Sequence[Check]) -> Blueprint:
    blueprint = Blueprint("health", __name__)
    readiness = Readiness(checks)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        # A proxy that asks here sends nothing more to a process that is about to end.
        status, code = ("draining", 503) if DRAINING else ("ok", 200)
        return Response(dumps({"status": status}), code, mimetype=JSON)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        parts = readiness.ask(current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way into threads
        wrong = any(parts.values())
        shown = {name: trouble or "ok" for name, trouble in parts.items()}
        body = dumps({"status": "unavailable" if wrong else "ok", "parts": shown})
        response = Response(body, 503 if wrong else 200, mimetype=JSON)
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint
