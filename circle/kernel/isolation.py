"""Keeps a poison row from stopping its batch: the one place that catches broadly, and never silently."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from rq.timeouts import BaseTimeoutException

log = structlog.get_logger(__name__)


@dataclass
class Isolated:
    """What became of the isolated step: `error` is None where it went well."""

    error: str | None = None


@contextmanager
def isolated(what: str, **where: Any) -> Iterator[Isolated]:
    """Run one row of a batch; an unforeseen error is logged with its trace and handed to the caller.

    RQ's own time-out still ends the whole job: its rows come back by their leases.
    """
    outcome = Isolated()
    try:
        yield outcome
    except BaseTimeoutException:
        raise
    except Exception as error:
        outcome.error = f"{type(error).__name__}: {error}"[:500]
        log.exception(what, **where)
