"""The one rule of who may open a post, for many readers in one statement: of several circles, or the members of one.

`unlocked()` takes the reader's standing as parameters. Here the standings are rows of a table, and the parameters its
columns: the rule stays written once.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import BindParameter, Boolean, DateTime, FromClause, Integer, Uuid, any_, bindparam, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import visitors
from sqlalchemy.sql.visitors import ExternallyTraversible

from circle.kernel.db import Json, Query
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing
from circle.posts.cards import post_card, select_cards, select_page
from circle.posts.models import Post
from circle.posts.policy import IS_PUBLISHED

T = TypeVar("T", bound=ExternallyTraversible)

# What `Standing.reading()` gives, and the circle that it holds in.
_KINDS: Mapping[str, Any] = {
    "circle_id": Uuid(),
    "reader_id": Uuid(),
    "reader_membership_id": Uuid(),
    "reader_rank": Integer(),
    "reads_everything": Boolean(),
    "reads_since": DateTime(timezone=True),
    "keeps_paid_term": Boolean(),
}
_PREFIX = "each_"

# One row for each standing that is given with `each_reader(...)`.
READER: Any = (
    func.unnest(*(bindparam(f"{_PREFIX}{name}", type_=ARRAY(kind)) for name, kind in _KINDS.items()))
    .table_valued(*_KINDS)
    .render_derived(name="reader")
)


def for_each_reader(clause: T) -> T:
    """Return a statement or condition in which each row of READER takes the place of the one reader."""
    return asked_of(clause, READER, _KINDS.keys() - {"circle_id"})


def asked_of(clause: T, rows: FromClause, names: Collection[str]) -> T:
    """Return a statement or condition whose parameters of these names are columns of `rows` instead."""

    def replace(element: Any, **_: Any) -> Any:
        return rows.c[element.key] if isinstance(element, BindParameter) and element.key in names else None

    return cast("T", visitors.replacement_traverse(clause, {}, replace))


def each_reader(standings: Iterable[Standing]) -> dict[str, list[Any]]:
    """Return the parameters of READER."""
    rows = [{"circle_id": standing.circle_id, **standing.reading()} for standing in standings]
    return {f"{_PREFIX}{name}": [row[name] for row in rows] for name in _KINDS}


def _select_cards_across() -> Any:
    ids = any_(bindparam("ids", type_=ARRAY(Uuid())))
    chosen = select_page().join(READER, READER.c.circle_id == Post.circle_id).where(Post.id == ids, IS_PUBLISHED)
    return select_cards(for_each_reader(chosen))


_CARDS = Query(_select_cards_across)


def cards_across(uow: UnitOfWork, standings: Collection[Standing], ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return cards of published posts by id, in one statement: of the circles that one reader stands in like this.

    What is in a circle that shows itself to the reader no more is left out.
    """
    shown = {one.circle_id: one for one in standings if one.may_look}
    if not ids or not shown:
        return {}
    (reader_id,) = {one.user_id for one in shown.values()}
    rows = uow.rows(_CARDS, ids=list(ids), reader_id=reader_id, **each_reader(shown.values()))
    return {row["id"]: post_card(row, shown[row["circle_id"]]) for row in rows}
