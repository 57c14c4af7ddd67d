"""Reads the data map: a person's copy of everything about them, and what a deleted account left behind."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, Text, and_, cast, false, func, or_, select

from circle.accounts.models import User
from circle.data_map import EMPTIED, GONE, HIDDEN, OWNED
from circle.homework.told import told_columns
from circle.kernel.db import Base
from circle.kernel.uow import UnitOfWork, Units

# A text, a list and an object without anything in them, and no bytes, as PostgreSQL writes them.
_NOTHING = ("", "{}", "[]", "\\x")


class DataMap:
    """Reads a person's rows table by table."""

    def of(self, uow: UnitOfWork, user_id: UUID) -> dict[str, list[dict[str, Any]]]:
        tables = Base.metadata.tables
        return {name: self._rows(uow, tables[name], column, user_id) for name, column in OWNED.items()}

    @staticmethod
    def _rows(uow: UnitOfWork, table: Table, column: str, user_id: UUID) -> list[dict[str, Any]]:
        told = told_columns()
        names = {one.name: f"{table.name}.{one.name}" for one in table.columns}
        shown = [told.get(name, table.c[column]).label(column) for column, name in names.items() if name not in HIDDEN]
        rows = uow.session.execute(select(*shown).where(table.c[column] == user_id).order_by(*table.primary_key))
        return [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]


def left_behind(uow: UnitOfWork) -> dict[str, int]:
    """Return in which tables deleted accounts still have what had to go with them, and how many rows."""
    counts = {name: _left_in(uow, name) for name in sorted(GONE | EMPTIED.keys())}
    return {name: count for name, count in counts.items() if count}


def deleted_are_forgotten(units: Units) -> str | None:
    """Tell what deleted accounts left behind, for `circle doctor`."""
    with units.read() as uow:
        left = left_behind(uow)
    return (
        ", ".join(f"{count} rows of {name}" for name, count in left.items()) + " of deleted accounts" if left else None
    )


def _left_in(uow: UnitOfWork, name: str) -> int:
    table = Base.metadata.tables[name]
    owner = table.c[OWNED[name]]
    of_deleted = owner.in_(select(User.id).where(User.deleted_at.is_not(None)))
    telling = of_deleted if name in GONE else and_(of_deleted, _says_something(table, EMPTIED[name]))
    return uow.session.scalars(select(func.count()).select_from(table).where(telling)).one()


def _says_something(table: Table, columns: frozenset[str]) -> ColumnElement[bool]:
    return or_(false(), *(_is_filled(table.c[name]) for name in sorted(columns)))


def _is_filled(column: Column[Any]) -> ColumnElement[bool]:
    return and_(column.is_not(None), cast(column, Text).not_in(_NOTHING))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID | datetime | date | Decimal | bytes) else value
