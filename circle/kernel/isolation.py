"""Keeps a poison row from stopping its batch: the one place that catches broadly, and never silently."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from rq.timeouts import BaseTimeoutException

log = structlog.get_logger(__name__)

# What was set aside while somebody counts.
_set_aside: ContextVar[list[str] | None] = ContextVar("set_aside", default=None)


@dataclass
class Isolated:
    """What became of the isolated step: `error` is None where it went well."""

    error: str | None = None


@contextmanager
def counting() -> Iterator[list[str]]:
    """Keep the names of what is set aside meanwhile, here and in threads that work in copies of this context."""
    names = list[str]()
    token = _set_aside.set(names)
    try:
        yield names
    finally:
        _set_aside.reset(token)


@contextmanager
def isolated(what: str, *, again: bool = False, **where: Any) -> Iterator[Isolated]:
    """Run one row of a batch; an unforeseen error is logged with its trace and handed to the caller.

    With `again` the caller tries what failed once more in parts, and only those count as set aside.
    RQ's own time-out still ends the whole job: its rows come back by their leases.
    """
    outcome = Isolated()
    try:
        yield outcome
    except BaseTimeoutException:
        raise
    except Exception as error:
        outcome.error = f"{type(error).__name__}: {error}"[:500]
        names = _set_aside.get()
        if names is not None and not again:
            names.append(what)
        log.exception(what, **where)
