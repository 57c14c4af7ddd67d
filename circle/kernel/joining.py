"""Several plain writes as one statement: on a short row the driver spends more on each message than the server.

They become `WITH a AS (INSERT …), b AS (INSERT …) INSERT …`, built and prepared once for each combination. All of them
see the rows as they were before any, so none may read what another writes; foreign keys are checked at the end.
"""

import re
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, TypeAlias

from circle.kernel.db import Query, Row

Statement: TypeAlias = tuple[Query, Row]

_PARAMETER = re.compile(r"\$(\d+)")


def joined(statements: Sequence[Statement]) -> Sequence[Statement]:
    """Return the statements as one, where all of them are plain INSERTs and no two the same."""
    queries = tuple(query for query, _params in statements)
    if len(queries) < 2 or not all(query.joins for query in queries) or len(set(queries)) < len(queries):  # noqa: PLR2004
        return statements
    return [(_together(queries), {str(at): params for at, (_query, params) in enumerate(statements)})]


@cache
def _together(queries: tuple[Query, ...]) -> "_Joined":
    return _Joined(queries)


class _Joined(Query):
    """Run with the parameters of each INSERT under its number."""

    def __init__(self, queries: tuple[Query, ...]) -> None:
        self._queries = queries
        self.joins = self.may_lag = False

    @cached_property
    def _compiled(self) -> tuple[bytes, tuple[str, ...], Row]:
        written: list[str] = []
        before = 0
        for query in self._queries:
            written.append(_counted_from(query.sql, before))
            before += len(query.names)
        named = ", ".join(f"write_{at} AS ({sql})" for at, sql in enumerate(written[:-1]))
        return f"WITH {named} {written[-1]}".encode(), (), {}

    def arguments(self, params: Row) -> list[Any]:
        return [value for at, query in enumerate(self._queries) for value in query.arguments(params[str(at)])]


def _counted_from(sql: str, before: int) -> str:
    """Return a statement whose parameters begin after those of others."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + before}", sql)
