"""A streaming standby, asked only while it is known to be no more than a second behind.

Beside the requests a thread asks the primary how far it has written, then the standby how far it has applied: that
needs no clock of either. Whatever is wrong with the standby, whoever wanted it is sent to the primary instead. See
docs/decisions/0016-standby.md.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from select import POLLIN, poll
from threading import Event, Lock, Thread
from typing import cast

import psycopg
import structlog
from psycopg.pq import ExecStatus
from sqlalchemy import Engine

from circle.kernel.clock import elapsed
from circle.kernel.uow import Driver, Rows
from circle.web.lending import Loan

log = structlog.get_logger(__name__)

# A standby further behind than this is left out.
MOST_BEHIND_SECONDS = 1.0
LOOK_SECONDS = 0.2
# So long an answer to a look may take; after it, nobody is left waiting for this standby.
_PATIENCE_SECONDS = 1.0
# After trouble it is left out for so long at least, and looked at less often.
_PAUSE_SECONDS = 1.0
# A process that nobody asks any more looks no more.
_IDLE_SECONDS = 30.0
_REMEMBERED = 16

_WRITTEN = b"SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
# NULL of a server that is no standby, which is left out: the primary is asked by its own address.
_APPLIED = b"SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint WHERE pg_is_in_recovery()"


class Silent(Exception):
    """A server gave no answer in time, or none that says anything."""


class Progress:
    """Up to which moment a standby shows everything, from what the primary had written by then."""

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        self.shows_until = float("-inf")

    def wrote(self, before: float, written: int) -> None:
        """Take note how far the primary was at a moment not earlier than `before`."""
        self._written.append((before, written))

    def applied(self, applied: int) -> None:
        """Take note how far the standby is."""
        moments = [moment for moment, written in self._written if written <= applied]
        if moments:
            self.shows_until = max(self.shows_until, moments[-1])


class Line:
    """A connection of its own for looks, whose answers are not waited for beyond `_PATIENCE_SECONDS`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._driver: Driver | None = None

    def ask(self, question: bytes) -> int:
        """Return the one number that a question is about. Errors: Silent, psycopg.Error."""
        if self._driver is None:
            pooled = self._engine.raw_connection()
            self._driver = cast("Driver", pooled.driver_connection)
            pooled.detach()
        try:
            return _number(self._driver, question)
        except (Silent, psycopg.Error):
            self.close()
            raise

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None


def _number(driver: Driver, question: bytes) -> int:
    line = driver.pgconn
    line.send_query(question)
    until = elapsed() + _PATIENCE_SECONDS
    while line.flush() or line.is_busy():
        waiting = poll()
        waiting.register(line.socket, POLLIN)
        if not waiting.poll(max(0.0, until - elapsed()) * 1000):
            raise Silent
        line.consume_input()
    found = None
    while (result := line.get_result()) is not None:
        if result.status == ExecStatus.TUPLES_OK and result.ntuples:
            found = result.get_value(0, 0)
    if found is None:
        raise Silent
    return int(found)


class Standby:
    """The standby's engine, who is waiting for it, and the thread that looks."""

    def __init__(self, engine: Engine, primary: Engine) -> None:
        self._engine, self._primary = engine, primary
        self._lines = Line(primary), Line(engine)
        self._progress = Progress()
        self._lent: set[Driver] = set()
        self._lock = Lock()
        self._watch: Thread | None = None
        self._ended = Event()
        self._asked_at = 0.0
        self._left_out_until = 0.0

    @property
    def behind(self) -> float | None:
        """How many seconds of writing may be missing there; None while nobody asks, and so nobody looks."""
        return None if self._watch is None else elapsed() - self._progress.shows_until

    def ask(self, ask: Callable[[Driver], Rows]) -> Rows | None:
        """Return the rows, None where the standby is behind, away, or breaks off. Errors: a QueryCanceled."""
        now = self._asked_at = elapsed()
        if self._watch is None:
            self._begin()
        if now < self._left_out_until or now - self._progress.shows_until > MOST_BEHIND_SECONDS:
            return None
        try:
            with Loan(self._engine) as driver:
                self._lent.add(driver)
                try:
                    return ask(driver)
                finally:
                    # Not while it is being hung up: its number may be another's once it is closed.
                    with self._lock:
                        self._lent.discard(driver)
        except psycopg.errors.QueryCanceled:
            raise  # its time was up, as it would be at the primary
        except psycopg.OperationalError as error:
            self._leave_out(str(error))
            return None

    def trouble(self) -> str | None:
        """Look at it now, apart from the thread: say what keeps it from being asked."""
        primary, standby = lines = Line(self._primary), Line(self._engine)
        until = elapsed() + MOST_BEHIND_SECONDS
        try:
            written = primary.ask(_WRITTEN)
            while standby.ask(_APPLIED) < written:
                if elapsed() > until:
                    return f"it is more than {MOST_BEHIND_SECONDS:g} s behind"
                self._ended.wait(LOOK_SECONDS)
        except Silent:
            return "it does not answer, or is no standby"
        except psycopg.Error as error:
            return str(error).strip().partition("\n")[0]
        finally:
            for line in lines:
                line.close()
        return None

    def close(self) -> None:
        """Look no more."""
        self._ended.set()

    def _begin(self) -> None:
        with self._lock:
            if self._watch is None and not self._ended.is_set():
                self._watch = Thread(target=self._look_on, name="standby", daemon=True)
                self._watch.start()

    def _look_on(self) -> None:
        pause = LOOK_SECONDS
        while not self._ended.wait(pause) and elapsed() - self._asked_at < _IDLE_SECONDS:
            pause = LOOK_SECONDS if self._look() else _PAUSE_SECONDS
        for line in self._lines:
            line.close()
        with self._lock:
            self._watch = None

    def _look(self) -> bool:
        primary, standby = self._lines
        try:
            before = elapsed()
            self._progress.wrote(before, primary.ask(_WRITTEN))
        except (Silent, psycopg.Error):
            # Without the primary nothing is known of the standby, nor is there anything to ask it for.
            return False
        try:
            self._progress.applied(standby.ask(_APPLIED))
        except (Silent, psycopg.Error) as error:
            self._leave_out(str(error) or "no answer")
            self._release()
            return False
        return True

    def _leave_out(self, why: str) -> None:
        self._left_out_until = elapsed() + _PAUSE_SECONDS
        log.warning("standby_left_out", error=why.partition("\n")[0])

    def _release(self) -> None:
        """Hang up on a standby that does not answer, so that those who wait for it go to the primary."""
        with self._lock:
            for driver in tuple(self._lent):
                with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(driver.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
