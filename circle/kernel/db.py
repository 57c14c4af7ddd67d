"""The declarative base, column shorthands, and hot selects that are compiled once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_loads
from sqlalchemy import BigInteger, ColumnElement, DateTime, MetaData, Text, Uuid, bindparam, insert, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.expression import Executable

from circle.kernel.ids import new_id
from circle.kernel.prepared import fetch

# The standard library's parser would be a tenth of a hot read.
set_json_loads(orjson.loads)

Row = Mapping[str, Any]
Json = dict[str, Any]


class Base(DeclarativeBase):
    """Every table of the installation, with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        str: Text(),
        Json: JSONB(),
    }


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
# bigint: minor units of money, and counts that may outgrow 2^31.
BigInt = Annotated[int, mapped_column(BigInteger)]


class Versioned:
    """A resource that people edit: the version counts up at each change and a stale writer loses."""

    version: Mapped[int] = mapped_column(default=1)


def constant(word: StrEnum) -> ColumnElement[str]:
    """Return a word as part of the SQL: a prepared plan can use a partial index for it, for a parameter it can't."""
    return literal_column(f"'{word.value}'", Text())


class Query:
    """A statement compiled once and run through psycopg's prepared statements; rows are dicts.

    For hot paths: no statement is built per request and no entity is made. `build` is called once, at the first
    run, when every model is known. Parameters are numbered, because psycopg would parse named ones anew at every
    run of a long statement. Source of the figures: docs/decisions/0003.
    """

    _dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

    def __init__(self, build: Callable[[], Executable], *, joins: bool = False, may_lag: bool = False) -> None:
        """`joins`: writes nothing that other writes read, and may become one statement with them (`kernel.joining`).

        `may_lag`: what it shows may be a second old, so a standby may be asked. Never for who somebody is, what they
        may do, or money.
        """
        self._build = build
        self.joins = joins
        self.may_lag = may_lag

    @cached_property
    def _compiled(self) -> tuple[bytes, tuple[str, ...], Row]:
        compiled: Any = self._build().compile(dialect=self._dialect)  # type: ignore[attr-defined]
        return str(compiled).encode(), tuple(compiled.positiontup), dict(compiled.params)

    @property
    def sql(self) -> str:
        """The SQL as sent, with `$1`, `$2` … for parameters."""
        return self._compiled[0].decode()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of their numbers."""
        return self._compiled[1]

    def arguments(self, params: Row) -> list[Any]:
        """Return the values of `$1`, `$2` … in order."""
        _sql, names, defaults = self._compiled
        return [params[name] if name in params else defaults[name] for name in names]

    def send(self, connection: "psycopg.Connection[Any]", params: Row) -> "Sent":
        """Have the statement run; in a pipeline its rows are fetched later."""
        cursor = psycopg.RawCursor(connection, row_factory=dict_row)
        cursor.execute(self._compiled[0], self.arguments(params), prepare=True)
        return Sent(cursor)

    def run(self, connection: "psycopg.Connection[Any]", params: Row) -> list[dict[str, Any]]:
        return self.send(connection, params).rows()

    def alone(self, connection: "psycopg.Connection[Any]", params: Row) -> list[dict[str, Any]]:
        """Run it as a transaction of its own: on an autocommit connection that may prepare, the shortest way."""
        if not connection.autocommit or connection.prepare_threshold is None:
            return self.run(connection, params)
        return fetch(connection, self._compiled[0], self.arguments(params))


class Sent:
    """A statement on its way, and its rows."""

    def __init__(self, cursor: "psycopg.RawCursor[dict[str, Any]]") -> None:
        self._cursor = cursor

    def rows(self) -> list[dict[str, Any]]:
        return [] if self._cursor.rownumber is None else self._cursor.fetchall()


def insertion(entity: Base) -> tuple[Query, Json]:
    """Return the INSERT of a new entity's row and its values, defaults filled in as the ORM would."""
    query, fields = _insert_into(type(entity))
    # Its own dict: what is filled in here has not to be told to the ORM, to which the row will be as loaded.
    given = vars(entity)
    for name, default in fields.items():
        if name not in given:
            given[name] = default()
    return query, {name: _plain(given[name]) for name in fields}


@cache
def _insert_into(kind: type[Base]) -> tuple[Query, Mapping[str, Callable[[], Any]]]:
    table: Any = kind.__table__
    fields = {column.key: _default_of(column) for column in table.columns if column.server_default is None}
    parameters = {name: bindparam(name, type_=table.columns[name].type) for name in fields}
    return Query(lambda: insert(table).values(parameters), joins=True), fields


def _default_of(column: Any) -> Callable[[], Any]:
    if column.default is None:
        return lambda: None
    if column.default.is_scalar:
        return lambda: column.default.arg
    # SQLAlchemy wraps a function without arguments into one that takes its context.
    return lambda: column.default.arg(None)


def _plain(value: Any) -> Any:
    """Return a value that the driver knows at a glance: it searches long for how to write an enumeration."""
    if isinstance(value, dict | list):
        return Jsonb(value, dumps=orjson.dumps)
    return value.value if isinstance(value, StrEnum) else value
