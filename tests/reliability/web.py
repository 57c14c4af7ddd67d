"""`python -m tests.reliability.web MUTANT`: `circle web`, with a mistake that the harness must catch patched in."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from granian import _signals
from limits.errors import StorageError

from circle.cli import circle
from circle.kernel.caller import Caller
from circle.media import boto
from circle.media.reach import Reach
from circle.media.services import uploads
from circle.web.limits import Allowance, Limiter

# Longer than any test is ready to wait.
_VERY_LONG_SECONDS = 60
_LATE_SECONDS = 2


def no_time_out() -> None:
    """The storage is waited for until it answers."""
    boto.CONFIG = boto.CONFIG.merge(boto.Config(read_timeout=_VERY_LONG_SECONDS))


def all_threads_wait() -> None:
    """Every request may wait for the storage, however long the others have been waiting."""
    Reach.waiting = lambda _reach: nullcontext()  # type: ignore[method-assign,assignment,return-value]


def kept_unseen() -> None:
    """What the storage does not tell of is taken as announced."""
    complete = uploads.complete_upload

    def trusting(units: Any, caller: Caller, media_id: Any) -> Any:
        with units.write() as uow:
            uploads.accept(uow, uploads.require_own_media(uow, caller, media_id))
        return complete(units, caller, media_id)

    uploads.complete_upload = trusting


def no_fallback() -> None:
    """Nothing is counted while Redis is away."""
    counted = Limiter._hit

    def hit(limiter: Any, *details: Any) -> Allowance:
        try:
            return counted(limiter, *details)
        except StorageError:
            return Allowance(1, 1, 1)

    Limiter._hit = staticmethod(hit)  # type: ignore[method-assign]


def dies_at_once() -> None:
    """A process that is told to end takes along what it is doing."""
    set_signals = _signals.set_sync_signals

    def setting() -> Any:
        waiting = set_signals()
        signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
        return waiting

    _signals.set_sync_signals = setting


def starts_late() -> None:
    """No mistake, but a busy machine: processes are forked long before they can take a signal."""
    os.register_at_fork(after_in_child=lambda: time.sleep(_LATE_SECONDS))
    starts_serving_late()


def starts_serving_late() -> None:
    """As above, but not before the parent's handlers are gone."""
    set_signals = _signals.set_sync_signals

    def setting() -> Any:
        time.sleep(_LATE_SECONDS)
        return set_signals()

    _signals.set_sync_signals = setting


MUTANTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "no_time_out": no_time_out,
    "all_threads_wait": all_threads_wait,
    "kept_unseen": kept_unseen,
    "no_fallback": no_fallback,
    "dies_at_once": dies_at_once,
    "starts_late": starts_late,
    "starts_serving_late": starts_serving_late,
}


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    circle(["web"])
