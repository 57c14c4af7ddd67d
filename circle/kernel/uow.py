"""The unit of work: one request or job, one transaction, one instant.

Use cases change rows through `session`, announce what happened with `emit` and `outbox.put`, and never
commit. Only the outer shell (the routes facade, a worker's job) opens a unit and lets it commit; the
doorbells of the queue ring after that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

import psycopg
from sqlalchemy import event
from sqlalchemy.orm import Session

from circle.kernel.clock import Clock
from circle.kernel.db import Query
from circle.kernel.errors import CircleError
from circle.kernel.queue import Doorbell

T = TypeVar("T")
Handler = Callable[["UnitOfWork", Any], None]
Handlers = Mapping[type, Sequence[Handler]]

_inside: ContextVar[bool] = ContextVar("inside_unit_of_work", default=False)


class NetworkInsideUnitOfWork(RuntimeError):
    """An adapter was about to wait for the network while a transaction was open."""


def forbid_inside_unit_of_work() -> None:
    """Raise if a unit of work is open: called first by every adapter that talks to the outside."""
    if _inside.get():
        raise NetworkInsideUnitOfWork


class Connections(Protocol):
    """Where units get their connections: engines in production, one rolled-back connection in tests."""

    def session(self) -> Session: ...

    def reader(self) -> AbstractContextManager["psycopg.Connection[Any]"]: ...

    def read_session(self) -> Session: ...


class UnitOfWork:
    """One transaction. `now` is the only time that its code may use."""

    read_only = False

    def __init__(self, session: Session, *, now: datetime, handlers: Handlers, adapters: Mapping[type, Any]) -> None:
        self.session = session
        self.now = now
        self.bells: dict[str, None] = {}
        self._handlers = handlers
        self._adapters = adapters

    def emit(self, happened: object) -> None:
        """Run the handlers of an event now, in this transaction."""
        for handle in self._handlers.get(type(happened), ()):
            handle(self, happened)

    def ring(self, job: str) -> None:
        """Have the job's queue rung after the commit; ringing twice rings once."""
        self.bells[job] = None

    def use(self, kind: type[T]) -> T:
        """Return the adapter registered for a Protocol, e.g. `uow.use(Storage)`."""
        return cast("T", self._adapters[kind])

    def rows(self, query: Query, **params: Any) -> list[dict[str, Any]]:
        return query.run(self._driver_connection(), params)

    def row(self, query: Query, **params: Any) -> dict[str, Any] | None:
        return next(iter(self.rows(query, **params)), None)

    def execute(self, query: Query, **params: Any) -> None:
        """Run a compiled write, such as an INSERT of a hot path."""
        if self.read_only:
            raise ReadOnlyViolation("execute")
        self.rows(query, **params)

    def _driver_connection(self) -> "psycopg.Connection[Any]":
        if self.session.new or self.session.dirty or self.session.deleted:
            self.session.flush()
        return cast("psycopg.Connection[Any]", self.session.connection().connection.driver_connection)


class ReadOnlyUnitOfWork(UnitOfWork):
    """For GET: autocommit statements on the read engine, and a session that refuses to flush.

    Connection and session are taken when first asked for, and given back by `close`.
    """

    read_only = True

    def __init__(
        self, connections: Connections, *, now: datetime, handlers: Handlers, adapters: Mapping[type, Any]
    ) -> None:
        self.now = now
        self.bells = {}
        self._handlers = handlers
        self._adapters = adapters
        self._connections = connections
        self._session: Session | None = None
        self._reader: AbstractContextManager[psycopg.Connection[Any]] | None = None
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def session(self) -> Session:  # type: ignore[override]
        if self._session is None:
            self._session = self._connections.read_session()
            event.listen(self._session, "before_flush", _refuse_flush)
        return self._session

    def emit(self, happened: object) -> None:
        raise ReadOnlyViolation(type(happened).__name__)

    def ring(self, job: str) -> None:
        raise ReadOnlyViolation(job)

    def _driver_connection(self) -> "psycopg.Connection[Any]":
        if self._connection is None:
            self._reader = self._connections.reader()
            self._connection = self._reader.__enter__()
        return self._connection

    def close(self) -> None:
        if self._reader is not None:
            self._reader.__exit__(None, None, None)
        if self._session is not None:
            self._session.close()


class ReadOnlyViolation(RuntimeError):
    """A read-only unit was asked to change something."""


def _refuse_flush(session: Session, _context: object, _instances: object) -> None:
    if session.new or session.dirty or session.deleted:
        raise ReadOnlyViolation("flush")


class Units:
    """Opens units of work: the one place that knows connections, clock, handlers and adapters."""

    def __init__(
        self,
        connections: Connections,
        *,
        clock: Clock,
        doorbell: Doorbell,
        handlers: Handlers,
        adapters: Mapping[type, Any],
    ) -> None:
        self.connections = connections
        self.clock = clock
        self.doorbell = doorbell
        self.handlers = handlers
        self.adapters = adapters

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """Commit at the end, roll back on any error, then ring the doorbells."""
        inside = _inside.set(True)
        try:
            with self.connections.session() as session:
                uow = UnitOfWork(session, now=self.clock.now(), handlers=self.handlers, adapters=self.adapters)
                try:
                    yield uow
                except CircleError as refusal:
                    if refusal.keeps_changes:
                        session.commit()
                    raise
                session.commit()
        finally:
            _inside.reset(inside)
        for job in uow.bells:
            self.doorbell.ring(job)

    @contextmanager
    def read(self) -> Iterator[ReadOnlyUnitOfWork]:
        # The clock of test mode reads the database: it may fail before anything is open.
        uow = ReadOnlyUnitOfWork(self.connections, now=self.clock.now(), handlers=self.handlers, adapters=self.adapters)
        inside = _inside.set(True)
        try:
            yield uow
        finally:
            uow.close()
            _inside.reset(inside)

    def use(self, kind: type[T]) -> T:
        """Return an adapter outside any unit, for the shells of billing and media jobs."""
        return cast("T", self.adapters[kind])
