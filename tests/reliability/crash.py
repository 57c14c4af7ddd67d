"""`python -m tests.reliability.crash [MUTANT]`: does one piece of work in a process that dies at a given point of it.

A point is every step over the edge of the process: before and after each commit, and before and after each call to a
provider. The program reads lines `point work argument …`, forks a process for each, lets it work until the point is
reached, and prints `died` or `done`, or `failed`. Points are counted from 1.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy.orm import Session

from circle import jobs
from circle.app import create_app
from circle.billing import queries, steps
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import attempts, outcomes
from circle.config import Settings
from circle.kernel import uow
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import Units

CALLS = ("start", "charge", "query", "close", "refund", "query_refund", "payout", "query_payout")


class Points:
    """Counts the points that are reached, and dies at one of them."""

    def __init__(self) -> None:
        self.reached = 0
        self.fatal = 0

    def reach(self) -> None:
        self.reached += 1
        if self.reached == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type, name: str) -> None:
        """Make a point before and after a method."""
        method: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.reach()
            result = method(*args, **kwargs)
            self.reach()
            return result

        setattr(owner, name, watched)


def run_jobs(app: Flask, names: str) -> bool:
    """Run jobs, separated by commas, one after the other."""
    units: Units = app.extensions["circle"].units
    for name in names.split(","):
        jobs.load_job(name).run(units)
    return True


def post(app: Flask, path: str, body: str, token: str, key: str) -> bool:
    """Ask over HTTP, as a member does."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json"}
    return bool(app.test_client().post(path, data=body, headers=headers).status_code < 400)


WORK: dict[str, Callable[..., bool]] = {"jobs": run_jobs, "post": post}


def call_inside(units: Units, caller: Caller, checkout_id: UUID, *, payment_method: UUID) -> Json:
    """Pay in one unit of work: what was claimed is not kept before it is sent."""
    with units.write() as unit:
        claim = attempts.claim_payment(unit, caller, checkout_id, payment_method)
        if claim.errand is not None:
            unit.session.flush()
            inside = uow._inside.set(False)
            outcome = units.use(Sandbox).start(claim.errand.order)
            uow._inside.reset(inside)
            outcomes.apply(unit, claim.errand.number, outcome)
    with units.read() as reading:
        return queries.payment(reading, checkout_id)


def main() -> None:
    if sys.argv[1:] == ["call_inside"]:
        steps.pay = call_inside
    app = create_app(Settings.from_env())
    points = Points()
    points.around(Session, "commit")
    for call in CALLS:
        points.around(Sandbox, call)
    for line in sys.stdin:
        point, work, *arguments = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            points.fatal = int(point)
            code = 1
            try:
                with app.app_context():
                    code = 0 if WORK[work](app, *arguments) else 1
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        said = "died" if os.WIFSIGNALED(status) else "done" if status == 0 else "failed"
        print(said, flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
