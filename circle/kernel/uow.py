"""The unit of work: one request or job, one transaction, one instant.

Use cases change rows through `session`, announce what happened with `emit` and `outbox.put`, and never
commit. Only the outer shell (the routes facade, a worker's job) opens a unit and lets it commit; the
doorbells of the queue ring after that.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event, text
from sqlalchemy.orm import Session, make_transient_to_detached

from circle.kernel.clock import Clock
from circle.kernel.db import Base, Query, insertion
from circle.kernel.errors import CircleError
from circle.kernel.joining import Statement, joined
from circle.kernel.queue import Doorbell

T = TypeVar("T")
E = TypeVar("E", bound=Base)
Driver = psycopg.Connection[Any]
Rows: TypeAlias = list[dict[str, Any]]
# Writes the changes of figures, by their key, and may refuse them.
Settle = Callable[["UnitOfWork", Mapping[UUID, int]], None]
Handler = Callable[["UnitOfWork", Any], None]
Handlers = Mapping[type, Sequence[Handler]]

# A pipeline is one transaction: what is set for the transaction holds for the next statement and is gone after it.
_WITHIN = Query(lambda: text("SELECT set_config('statement_timeout', :milliseconds, true)"))

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

    def commit(self, statements: Sequence[Statement]) -> Rows:
        """Run compiled writes as one transaction, in one round trip; return the rows of the last."""
        ...

    def reader(self) -> AbstractContextManager[Driver]: ...

    def standby(self, ask: Callable[[Driver], Rows]) -> Rows | None:
        """Ask a standby that is a second behind at most; None where there is none, or it fails."""
        ...

    def renew(self) -> None:
        """Close what is open and unused: a migration has made statements invalid that were prepared there."""
        ...

    def read_session(self) -> Session: ...


class UnitOfWork:
    """One transaction. `now` is the only time that its code may use."""

    read_only = False

    def __init__(
        self, connections: Connections, *, now: datetime, handlers: Handlers, adapters: Mapping[type, Any]
    ) -> None:
        self.now = now
        self.bells: dict[str, None] = {}
        self._connections = connections
        self._handlers = handlers
        self._adapters = adapters
        self._session: Session | None = None
        self._tallies: dict[Settle, Counter[UUID]] = {}
        # Compiled writes, which go out together with the next statement or the commit; and the entities they insert.
        self._unsent: list[Statement] = []
        self._inserted: list[Base] = []

    @property
    def session(self) -> Session:
        """The ORM; it finds everything written that was written before."""
        session = self._open_session()
        if self._unsent:
            self._send()
        return session

    def emit(self, happened: object) -> None:
        """Run the handlers of an event now, in this transaction."""
        for handle in self._handlers.get(type(happened), ()):
            handle(self, happened)

    def ring(self, job: str) -> None:
        """Have the job's queue rung after the commit; ringing twice rings once."""
        self.bells[job] = None

    def tally(self, settle: Settle, key: UUID, by: int) -> None:
        """Change a figure that many units share.

        What this unit changes goes together and last, right before the commit: nobody waits for its row for longer,
        and no two units wait for each other. `settle` writes it, and may refuse.
        """
        self._tallies.setdefault(settle, Counter())[key] += by

    def use(self, kind: type[T]) -> T:
        """Return the adapter registered for a Protocol, e.g. `uow.use(Storage)`."""
        return cast("T", self._adapters[kind])

    def rows(self, query: Query, **params: Any) -> Rows:
        return self._send((query, params))

    def row(self, query: Query, **params: Any) -> dict[str, Any] | None:
        return next(iter(self.rows(query, **params)), None)

    def rows_within(self, milliseconds: int, query: Query, **params: Any) -> Rows:
        """Return the rows of a select that is stopped after this time, in one round trip. Errors: QueryCanceled."""
        return run_together(self._driver(), [(_WITHIN, {"milliseconds": str(milliseconds)}), (query, params)])

    def execute(self, query: Query, **params: Any) -> None:
        """Run a compiled write whose rows nobody reads, at the latest before the next statement or the commit."""
        if self.read_only:
            raise ReadOnlyViolation("execute")
        self.flush()
        self._unsent.append((query, params))

    def insert(self, entity: Base) -> None:
        """Write a new entity's row as `execute` does, without the ORM's flush; then it is as if it had been loaded."""
        query, values = insertion(entity)
        self.execute(query, **values)
        make_transient_to_detached(entity)
        self._inserted.append(entity)
        if self._session is not None:
            self._session.add(entity)

    def get(self, kind: type[E], row_id: UUID) -> E:
        """Return an entity by its id; one that this unit inserted, without asking. Errors: NoResultFound."""
        for entity in self._inserted:
            if isinstance(entity, kind) and vars(entity).get("id") == row_id:
                return entity
        return self.session.get_one(kind, row_id)

    def flush(self) -> None:
        """Send what the ORM holds."""
        if self._session is not None and _has_changes(self._session):
            self._send()

    def commit(self) -> None:
        """Only for the outer shell."""
        for settle, changed in self._tallies.items():
            settle(self, changed)
        if self._session is not None:
            self._send()
            self._session.commit()
        elif self._unsent:
            self._connections.commit(joined(self._unsent))

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _driver(self) -> Driver:
        return driver_of(self.session)

    def _open_session(self) -> Session:
        if self._session is None:
            self._session = self._connections.session()
            self._session.add_all(self._inserted)
        return self._session

    def _send(self, last: Statement | None = None) -> Rows:
        """Send what is unsent, then what the ORM holds; last a statement whose rows are returned."""
        session = self._open_session()
        unsent, self._unsent = joined(self._unsent), []
        changed = _has_changes(session)
        statements = unsent if changed or last is None else [*unsent, last]
        rows = run_together(driver_of(session), statements) if statements else []
        if changed:
            session.flush()
            rows = run_together(driver_of(session), [last]) if last else []
        return rows


def _has_changes(session: Session) -> bool:
    return bool(session.new or session.dirty or session.deleted)


def driver_of(session: Session) -> Driver:
    """Return the connection in which a session's transaction runs."""
    return cast("Driver", session.connection().connection.driver_connection)


def run_together(connection: Driver, statements: Sequence[Statement]) -> Rows:
    """Run statements in one round trip, with the BEGIN if there was none yet; return the rows of the last."""
    if len(statements) == 1 and connection.info.transaction_status == TransactionStatus.INTRANS:
        [(query, params)] = statements
        return query.run(connection, params)
    with connection.pipeline():
        sent = [query.send(connection, params) for query, params in statements]
    return sent[-1].rows()


class ReadOnlyUnitOfWork(UnitOfWork):
    """For GET: autocommit statements on the read engine, and a session that refuses to flush.

    Connection and session are taken when first asked for, and given back by `close`.
    """

    read_only = True
    # Statements that may lag are asked of a standby. Only the facade knows who is asking, and whether they just wrote.
    may_lag = False
    _reader: AbstractContextManager[Driver] | None = None
    _connection: Driver | None = None

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = self._connections.read_session()
            event.listen(self._session, "before_flush", _refuse_flush)
        return self._session

    def emit(self, happened: object) -> None:
        raise ReadOnlyViolation(type(happened).__name__)

    def ring(self, job: str) -> None:
        raise ReadOnlyViolation(job)

    def rows(self, query: Query, **params: Any) -> Rows:
        if self.may_lag and query.may_lag:
            rows = self._connections.standby(lambda driver: query.alone(driver, params))
            if rows is not None:
                return rows
        return query.alone(self._driver(), params)

    def rows_within(self, milliseconds: int, query: Query, **params: Any) -> Rows:
        statements = [(_WITHIN, {"milliseconds": str(milliseconds)}), (query, params)]
        if self.may_lag and query.may_lag:
            rows = self._connections.standby(lambda driver: run_together(driver, statements))
            if rows is not None:
                return rows
        return run_together(self._driver(), statements)

    def _driver(self) -> Driver:
        if self._connection is None:
            self._reader = self._connections.reader()
            self._connection = self._reader.__enter__()
        return self._connection

    def close(self) -> None:
        try:
            if self._reader is not None:
                self._reader.__exit__(None, None, None)
        finally:
            super().close()


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
        uow = UnitOfWork(self.connections, now=self.clock.now(), handlers=self.handlers, adapters=self.adapters)
        inside = _inside.set(True)
        try:
            yield uow
            uow.commit()
        except CircleError as refusal:
            if refusal.keeps_changes:
                uow.commit()
            raise
        finally:
            # First: closing fails where the connection was lost, and this thread serves others after that.
            _inside.reset(inside)
            uow.close()
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
            _inside.reset(inside)
            uow.close()

    def use(self, kind: type[T]) -> T:
        """Return an adapter outside any unit, for the shells of billing and media jobs."""
        return cast("T", self.adapters[kind])
