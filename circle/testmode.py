"""Test mode: a clock that can be set, and a drain that runs all due work to the end.

Registered only where TEST_MODE is on. Both routes are public: whoever reaches such an installation may move it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

import isodate
import psycopg

from circle import jobs
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.clock import elapsed
from circle.kernel.db import Json
from circle.kernel.errors import Invalid, Unavailable
from circle.kernel.shared_clock import SettableClock
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork, Units
from circle.web.fields import Dict, Instant, List, OutInt, OutStr, Schema, Str
from circle.web.routes import Routes

routes = Routes("testing", "Only where the installation runs in test mode: time and due work.")

_LAST_YEAR = 2100
# Advisory lock: jobs of worker processes hold it shared, a drain holds it alone.
_DRAIN = 7003
_LONGEST_WAIT_SECONDS = 30.0
_RETRY_SECONDS = 0.02
# Then a drain answers, whatever is left.
DRAIN_SECONDS = 120.0


class DrainBusy(Unavailable):
    code = "drain_busy"
    text = Text("后台任务仍在运行，请重试。", "Background work is still running; try again.")


class ClockIn(Schema):
    now = Instant(metadata={"description": "The instant to set the clock to; it goes on from there."})
    advance = Str(
        most=40,
        metadata={"example": "P1M", "description": "An ISO 8601 duration; months and years by the calendar, in UTC."},
    )


class ClockOut(Schema):
    now = Instant(required=True)


class DrainOut(Schema):
    ran = Dict(required=True, metadata={"description": "Rows worked on, by job.", "example": {"outbox.relay": 3}})
    rounds = OutInt(required=True, metadata={"description": "Sweeps over all jobs; the last found nothing."})
    left = List(
        OutStr(),
        required=True,
        metadata={
            "description": "Jobs that still found something after two minutes; workers go on. Empty: all is done.",
            "example": [],
        },
    )


@routes.get("/test/clock", public=True, answer=ClockOut)
def get_clock(uow: UnitOfWork, _caller: Caller | None) -> Json:
    """The installation's present time."""
    return {"now": uow.now}


@routes.post("/test/clock", public=True, steps=True, body=ClockIn, answer=ClockOut)
def set_clock(units: Units, _caller: Caller | None, body: Json) -> Json:
    """Set the clock, or advance it."""
    clock: SettableClock = units.clock  # type: ignore[assignment] # test mode has no other
    if ("now" in body) == ("advance" in body):
        raise Invalid.field("now", "one_of", "now 和 advance 须填且只填一个。", "Give either now or advance.")
    then = body["now"] if "now" in body else later(clock.now(), body["advance"])
    if then.year > _LAST_YEAR:
        raise Invalid.field("now", "out_of_range", "时间过远。", "That is too far in the future.")
    clock.set(then)
    return {"now": then}


@routes.post("/test/drain", public=True, steps=True, answer=DrainOut)
def drain(units: Units, _caller: Caller | None) -> Json:
    """Run every job of the schedule, round by round, until none finds anything to do."""
    with _alone(units):
        done = run_all_due(units)
    for name in done["left"]:
        units.doorbell.ring(name)
    return done


def later(now: datetime, advance: str) -> datetime:
    """Return `now` moved by an ISO 8601 duration such as P1M or PT36H. Errors: Invalid."""
    refused = Invalid.field("advance", "bad_duration", "不是有效的时长。", "Not a valid ISO 8601 duration.")
    try:
        then = now + isodate.parse_duration(advance)
    except (isodate.ISO8601Error, ValueError, OverflowError, ArithmeticError):
        raise refused from None
    if not isinstance(then, datetime) or then < now:
        raise refused
    return then.astimezone(UTC)


def run_all_due(units: Units) -> Json:
    """Run the schedule's jobs here until a round finds nothing, or time is up."""
    work = [jobs.load_job(row.job) for row in jobs.load_schedule()]
    ran = Counter[str]()
    rounds, until = 0, elapsed() + DRAIN_SECONDS
    found = Counter[str](dict.fromkeys((one.name for one in work), 1))
    while found and elapsed() < until:
        rounds += 1
        found = +Counter({one.name: one.run(units) for one in work})
        ran += found
    return {"ran": dict(ran), "rounds": rounds, "left": sorted(found)}


def unless_draining(units: Units, work: Callable[[Units], int]) -> int:
    """Run a job of a worker process; in test mode not beside a drain, which does its work and must see its end."""
    if not units.use(Settings).test_mode:
        return work(units)
    with units.connections.reader() as connection:
        if not _try(connection, "pg_try_advisory_lock_shared"):
            return 0
        try:
            return work(units)
        finally:
            _try(connection, "pg_advisory_unlock_shared")


@contextmanager
def _alone(units: Units) -> Iterator[None]:
    """Wait for the jobs at work in worker processes, and keep further ones out."""
    with units.connections.reader() as connection:
        began = elapsed()
        while not _try(connection, "pg_try_advisory_lock"):
            if elapsed() - began > _LONGEST_WAIT_SECONDS:
                raise DrainBusy
            Event().wait(_RETRY_SECONDS)
        try:
            yield
        finally:
            _try(connection, "pg_advisory_unlock")


def _try(connection: "psycopg.Connection[Any]", function: str) -> bool:
    row = connection.execute(f"SELECT {function}(%s)".encode(), (_DRAIN,)).fetchone()
    return bool(row and row[0])
