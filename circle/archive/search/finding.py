"""Searching: over one circle or all of the reader's, by relevance or the newest first.

What is locked is not found by anything, not by its title or excerpt either: a hit would tell what stands in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.errors import QueryCanceled

from circle.accounts.queries import user_card
from circle.archive.search.asking import Asked, read_query
from circle.archive.search.errors import SearchTooBroad
from circle.archive.search.folding import title_keys
from circle.archive.search.misses import note_miss
from circle.archive.search.models import Found
from circle.archive.search.readers import reading_in
from circle.archive.search.snippets import marked, snippet
from circle.archive.search.statements import RANKED, RANKED_AT_LEAST, Shape, search_statement
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, require_look, standings_of
from circle.posts.cards import post_card
from circle.posts.policy import hides_asker

_PLACE = {"hit_score": int, "hit_shown_at": datetime, "hit_subject_id": UUID}
_RELEVANCE, _NEWEST = Keyset("search", _PLACE), Keyset("search.newest", _PLACE)
_START: Row = {
    "hit_score": 2**62,
    "hit_shown_at": datetime(9999, 12, 31, tzinfo=UTC),
    "hit_subject_id": UUID(int=2**128 - 1),
}
_MILLION = 1_000_000
# Filters that are asked as true or false.
_FLAGS = ("digest", "has_attachment", "unread", "bookmarked")


@dataclass(frozen=True, slots=True)
class Searched:
    """A page of hits. `note` counts a search that says that a circle has nothing of what was asked for."""

    page: Json
    note: Callable[[UnitOfWork], None] | None = None


def search(
    uow: UnitOfWork,
    caller: Caller,
    *,
    q: str,
    circle_id: UUID | None,
    sort: str,
    cursor: str | None,
    limit: int,
    **filters: Any,
) -> Searched:
    """Return a page of what the reader may open that holds all words of `q`.

    Errors: NotFound, Banned (of the circle), Invalid (nothing to look for), TooManyTerms, SearchTooBroad, BadCursor.
    """
    asked = read_query(q)
    keyset = _NEWEST if sort == "newest" else _RELEVANCE
    after = keyset.decode(cursor) if cursor else _START
    standings = _standings(uow, caller, circle_id)
    if not standings:
        return Searched({"items": [], "next_cursor": None})
    names, given = _narrowed(filters)
    shape = Shape(
        newest=sort == "newest",
        filters=names,
        needles=bool(asked.needles),
        phrases=bool(asked.phrases),
        single=not asked.pairs,
        limit=limit + 1,
        ranked=max(RANKED // len(standings), RANKED_AT_LEAST),
    )
    rows = _rows(uow, shape, asked, standings, {**given, **_position(after)})
    by_circle = {standing.circle_id: standing for standing in standings}
    page, next_cursor = keyset.page(rows, limit)
    items = [_item(row, by_circle[row["circle_id"]], asked) for row in page]
    note = None
    if circle_id is not None and standings[0].is_inside and not (items or names or cursor):
        note = partial(note_miss, circle_id=circle_id, asked=asked)
    return Searched({"items": items, "next_cursor": next_cursor}, note)


def _standings(uow: UnitOfWork, caller: Caller, circle_id: UUID | None) -> list[Standing]:
    """Return the reader's standing in each circle to be searched."""
    if circle_id is not None:
        return [require_look(uow, caller, circle_id)]
    return [one for one in standings_of(caller) if one.is_inside or one.keeps_paid_term]


def _narrowed(filters: Mapping[str, Any]) -> tuple[frozenset[str], Row]:
    """Return the names of the filters that are asked for, and their parameters."""
    given = {name: value for name, value in filters.items() if value is not None}
    names = {name if given.pop(name) else f"no_{name}" for name in _FLAGS if name in given}
    if "kind" in given:
        names.add(given.pop("kind"))
    return frozenset(names | given.keys()), given


def _position(after: Row) -> Row:
    return {name.removeprefix("hit_"): value for name, value in after.items()}


def question(asked: Asked) -> Row:
    """Return the parameters of a search that come from what is asked for."""
    return {
        "pairs": asked.pairs,
        "title_pairs": sorted(title_keys(asked.pairs)),
        "needles": asked.needles,
        "phrases": asked.phrases,
        "everything": asked.everything,
        "words": asked.words,
        "whole": " ".join(asked.everything),
        "landmark": asked.landmark,
    }


def _rows(
    uow: UnitOfWork, shape: Shape, asked: Asked, standings: Sequence[Standing], params: Row
) -> list[dict[str, Any]]:
    within = uow.use(Settings).search_timeout_ms
    try:
        return uow.rows_within(within, search_statement(shape), **question(asked), **params, **reading_in(standings))
    except QueryCanceled as canceled:
        raise SearchTooBroad from canceled


def _item(row: Row, standing: Standing, asked: Asked) -> Json:
    is_work = row["hit_kind"] == Found.SUBMISSION
    return {
        "kind": row["hit_kind"],
        "id": str(row["hit_subject_id"]),
        "circle_id": str(row["circle_id"]),
        "post": None if is_work else post_card(row, standing),
        "assignment": {"id": str(row["hit_assignment_id"]), "title": row["hit_title"]} if is_work else None,
        "author": _author(row, standing),
        "shown_at": row["hit_shown_at"],
        "title": marked(row["hit_title"], asked.pattern),
        "snippet": snippet(row["hit_text"] or "", asked.pattern, cut=row["hit_cut"]),
        "score": row["hit_score"] / _MILLION,
    }


def _author(row: Row, standing: Standing) -> Json | None:
    """Who wrote it; not who asked without their name, in what they say below their question either."""
    asker_id = row["author_id"] if row["hit_author_id"] == row["author_id"] else None
    if asker_id is not None and hides_asker(standing, asker_id, anonymous=bool(row["anonymous"])):
        return None
    return user_card(row["hit_author_id"], row["hit_author_name"], row["hit_author_avatar"])
