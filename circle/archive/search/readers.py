"""One reader in many circles: the access rules of everywhere, their parameters taken from a row per circle."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Uuid,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.search.folding import circle_key
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing
from circle.posts.readers import asked_of

_E = TypeVar("_E", bound=ColumnElement[Any])
_NEVER_JOINED = datetime(1, 1, 1, tzinfo=UTC)

# Column of `readers` → its type. Those of the same name as a parameter of the access rules stand for it.
READER_COLUMNS: dict[str, Any] = {
    "circle_id": Uuid(),
    "circle_key": Integer(),
    "reader_membership_id": Uuid(),
    "reader_rank": Integer(),
    "reads_everything": Boolean(),
    "reads_since": DateTime(timezone=True),
    "keeps_paid_term": Boolean(),
    "moderates": Boolean(),
    "teaches": Boolean(),
    "keeps_own_work": Boolean(),
    "knows_askers": Boolean(),
    "joined_at": DateTime(timezone=True),
}


def readers() -> FromClause:
    """Select a row per circle of the reader; run with `reading_in(standings)`.

    Each array hides in a select of its own: a planner that saw how many circles there are would think a plan for just
    these cheaper than the one that it keeps, and plan at every run, for longer than the search takes.
    """
    arrays = [
        select(bindparam(f"of_{name}", type_=ARRAY(kind))).scalar_subquery() for name, kind in READER_COLUMNS.items()
    ]
    return func.unnest(*arrays).table_valued(*READER_COLUMNS).render_derived("readers")


def in_each(rule: _E, each: FromClause) -> _E:
    """Return an access rule that is asked of each circle's row instead of one standing's parameters."""
    return asked_of(rule, each, READER_COLUMNS)


def reading_in(standings: Sequence[Standing]) -> dict[str, Any]:
    """Return the parameters of `readers()`, and those that are the same in all circles."""
    rows = [_row(standing) for standing in standings]
    return {
        "reader_id": standings[0].user_id,
        "now": standings[0].now,
        **{f"of_{name}": [row[name] for row in rows] for name in READER_COLUMNS},
    }


def _row(standing: Standing) -> dict[str, Any]:
    return {
        **standing.reading(),
        "circle_id": standing.circle_id,
        "circle_key": circle_key(standing.circle_id),
        "moderates": standing.may(Permission.MODERATE),
        "teaches": standing.may(Permission.TEACH),
        "keeps_own_work": standing.is_inside or standing.keeps_paid_term,
        "knows_askers": standing.role == Role.OWNER,
        "joined_at": standing.joined_at or _NEVER_JOINED,
    }
