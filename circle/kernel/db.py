"""The declarative base, column shorthands, and hot selects that are compiled once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy import BigInteger, ColumnElement, DateTime, MetaData, Text, Uuid, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.expression import Executable

from circle.kernel.ids import new_id

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

    For hot reads: no statement is built per request and no entity is made. `build` is called once,
    at the first run, when every model is known. Source of the figures: docs/decisions/0003.
    """

    _dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]

    def __init__(self, build: Callable[[], Executable]) -> None:
        self._build = build

    @cached_property
    def _compiled(self) -> tuple[str, Mapping[str, Any]]:
        compiled = self._build().compile(dialect=self._dialect)  # type: ignore[attr-defined]
        return str(compiled), dict(compiled.params)

    @property
    def sql(self) -> str:
        """The SQL as sent, with `%(name)s` placeholders."""
        return self._compiled[0]

    def run(self, connection: "psycopg.Connection[Any]", params: Row) -> list[dict[str, Any]]:
        sql, defaults = self._compiled
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql.encode(), {**defaults, **params}, prepare=True)
            return [] if cursor.rownumber is None else cursor.fetchall()
