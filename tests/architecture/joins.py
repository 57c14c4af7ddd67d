"""Reads a statement's joins: which of its tables are bound to one circle by what they are joined on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Table
from sqlglot import exp, parse_one
from sqlglot.optimizer.scope import Scope, traverse_scope

CIRCLE = "circle_id"
# A recursive query selects from itself, for ever.
_MOST_THROUGH = 12
_WRAPPERS = (exp.Cast, exp.Paren, exp.Any)
# A column of a table in a statement, or a parameter; and what it names: a circle, or a row of a table.
Place = tuple[object, str]


@dataclass
class Joins:
    """One statement over `tables`, of which `tenants` are of a circle."""

    sql: str
    tables: dict[str, Table]
    tenants: set[str]
    _above: dict[object, object] = field(default_factory=dict)

    def parts(self) -> list[frozenset[str]]:
        """Return the tenants' tables that it reads, in parts: within each all are of one circle by its conditions."""
        here = {
            id(source): source.name
            for scope in self._scopes
            for source in scope.sources.values()
            if isinstance(source, exp.Table) and source.name in self.tenants
        }
        for scope in self._scopes:
            for one, other in self._equal(scope):
                if one[1] == other[1]:
                    self._above[self._top(one[0])] = self._top(other[0])
        found: dict[object, set[str]] = {}
        for place, name in here.items():
            found.setdefault(self._top(place), set()).add(name)
        return [frozenset(part) for part in found.values()]

    @cached_property
    def _scopes(self) -> list[Scope]:
        return traverse_scope(parse_one(self.sql, read="postgres"))

    def _top(self, place: object) -> object:
        while (above := self._above.get(place, place)) != place:
            place = above
        return place

    def _equal(self, scope: Scope) -> Iterator[tuple[Place, Place]]:
        for condition in scope.find_all(exp.EQ, exp.In):
            if isinstance(condition, exp.EQ):
                yield from self._pair(scope, condition.left, scope, condition.right)
            else:
                yield from self._within(scope, condition)
        for join in scope.find_all(exp.Join):
            for shared in join.args.get("using") or []:
                both = [self._origin(scope, exp.column(shared.name, table=name)) for name in scope.sources]
                known = [place for place in both if place]
                yield from ((known[0], other) for other in known[1:])

    def _within(self, scope: Scope, condition: exp.In) -> Iterator[tuple[Place, Place]]:
        query = condition.args.get("query")
        inner = query.this if isinstance(query, exp.Subquery) else query
        for other in self._scopes:
            if other.expression is inner and isinstance(inner, exp.Select):
                yield from self._pair(scope, condition.this, other, inner.selects[0].unalias())

    def _pair(
        self, scope: Scope, one: exp.Expression, other_scope: Scope, other: exp.Expression
    ) -> Iterator[tuple[Place, Place]]:
        """Yield what the condition binds; a parameter is the same wherever it names the same thing."""
        (left, left_parameter), (right, right_parameter) = self._side(scope, one), self._side(other_scope, other)
        if left and right:
            yield left, right
        elif left and right_parameter:
            yield left, ((right_parameter, left[1]), left[1])
        elif right and left_parameter:
            yield right, ((left_parameter, right[1]), right[1])

    def _side(self, scope: Scope, side: exp.Expression) -> tuple[Place | None, str | None]:
        while isinstance(side, _WRAPPERS):
            side = side.this
        if isinstance(side, exp.Column):
            return self._origin(scope, side), None
        return None, side.sql() if isinstance(side, exp.Parameter | exp.Placeholder) else None

    def _origin(self, scope: Scope | None, column: exp.Column, through: int = _MOST_THROUGH) -> Place | None:
        """Return the table's column that this one is, through subqueries and from outer ones; None if it is none."""
        while scope is not None:
            for name in [column.table] if column.table else list(scope.sources):
                source = scope.sources.get(name)
                if isinstance(source, exp.Table) and (what := self.names(source.name, column.name)):
                    return id(source), what
                if isinstance(source, Scope) and through and (selected := _selected(source, column.name)):
                    return self._origin(*selected, through - 1)
            if column.table in scope.sources:
                return None
            scope = scope.parent
        return None

    def names(self, table: str, column: str) -> str | None:
        """Return what a column names: `circle_id`, or the tenants' table whose row it is; None for anything else."""
        if table not in self.tables or column not in self.tables[table].columns:
            return None
        if column == CIRCLE or (table, column) == ("circles", "id"):
            return CIRCLE
        if table not in self.tenants:
            return None
        if column == "id":
            return table
        for key in self.tables[table].columns[column].foreign_keys:
            if named := self.names(key.column.table.name, key.column.name):
                return named
        return None


def _selected(scope: Scope, name: str) -> tuple[Scope, exp.Column] | None:
    """Return the column that a subquery hands out by this name; of a union, that of its first part."""
    while isinstance(scope.expression, exp.SetOperation):
        scope = scope.set_operation_scopes[0]
    if isinstance(scope.expression, exp.Select):
        for selected in scope.expression.selects:
            plain = selected.unalias()
            if selected.alias_or_name == name and isinstance(plain, exp.Column):
                return scope, plain
    return None
