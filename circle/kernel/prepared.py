"""Prepared statements straight through libpq: what the driver's cursor adds to each costs more than most answers' rows.

Only for connections on which each statement is a transaction of its own: after a ROLLBACK psycopg deallocates
everything that was prepared. Figures: docs/decisions/0003.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.exc import NotSupportedError

Driver: TypeAlias = "psycopg.Connection[Any]"

_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# A migration changed what the statement returns; or somebody between here and the server has forgotten it.
_INVALID = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)
# The same inside a transaction, where the driver prepares: the server ends it, and nothing was written.
OUTDATED = (*_INVALID, NotSupportedError)
_numbers = count()
# Of one connection; each keeps a plan in the server's memory.
MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class _Statement:
    name: bytes
    row: Callable[[Sequence[Any]], dict[str, Any]]


# By text and types of arguments, the one that waits longest first.
_Statements: TypeAlias = dict[tuple[bytes, tuple[int, ...]], _Statement]


class _Kept:
    """What a connection has prepared, and what has learnt how each type is written and read.

    It knows the connection's adapters and not the connection, which could not be forgotten any more.
    """

    __slots__ = ("statements", "transformer")

    def __init__(self, connection: Driver) -> None:
        self.statements: _Statements = {}
        self.transformer = Transformer(connection.adapters)


_kept: WeakKeyDictionary[Driver, _Kept] = WeakKeyDictionary()


def fetch(connection: Driver, statement: bytes, arguments: Sequence[Any]) -> list[dict[str, Any]]:
    """Run a statement, with `$1`, `$2` … for its arguments, and return its rows. Errors: those of psycopg."""
    kept = _kept.get(connection)
    if kept is None:
        kept = _kept[connection] = _Kept(connection)
    transformer, statements = kept.transformer, kept.statements
    values: Any = transformer.dump_sequence(arguments, [PyFormat.AUTO] * len(arguments))
    key = (statement, transformer.types or ())
    prepared = statements.pop(key, None)
    fresh = prepared is None
    if prepared is None:
        prepared = _prepare(connection, statements, *key)
    statements[key] = prepared
    result = connection.pgconn.exec_prepared(prepared.name, values, transformer.formats)
    if result.status not in _DONE:
        error = _error(connection, result)
        if fresh or not isinstance(error, _INVALID):
            raise error
        # Nothing was done by it, for it is a transaction by itself: once more, prepared anew.
        _forget(connection, prepared)
        prepared = statements[key] = _prepare(connection, statements, *key)
        result = _require(connection, connection.pgconn.exec_prepared(prepared.name, values, transformer.formats))
    transformer.set_pgresult(result)
    rows = transformer.load_rows(0, result.ntuples, prepared.row)
    transformer.set_pgresult(None)
    return rows


def _prepare(connection: Driver, kept: _Statements, statement: bytes, types: tuple[int, ...]) -> _Statement:
    if len(kept) >= MOST_KEPT:
        _forget(connection, kept.pop(next(iter(kept))))
    name = b"alone_%d" % next(_numbers)
    _require(connection, connection.pgconn.prepare(name, statement, types))
    described = _require(connection, connection.pgconn.describe_prepared(name))
    columns = [(described.fname(n) or b"").decode() for n in range(described.nfields)]
    return _Statement(name, lambda values: dict(zip(columns, values, strict=True)))


def _forget(connection: Driver, statement: _Statement) -> None:
    """Close it by the protocol: a pooler keeps count of that, and can't read the names in a DEALLOCATE."""
    _require(connection, connection.pgconn.close_prepared(statement.name))


def _require(connection: Driver, result: PGresult) -> PGresult:
    if result.status in _DONE:
        return result
    raise _error(connection, result)


def _error(connection: Driver, result: PGresult) -> psycopg.Error:
    error = error_from_result(result)
    if connection.closed and not isinstance(error, psycopg.OperationalError):
        # What libpq itself finds out has no code of the server's to tell it by.
        return psycopg.OperationalError(str(error))
    return error
