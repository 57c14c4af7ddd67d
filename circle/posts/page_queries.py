"""The page of one post: who asks, what they are in its circle, and the post, in one statement.

The gate's statement works out in SQL how its caller reads and brings the card along. The policy still decides: where
its standing says otherwise than the SQL, the card is left alone and read again.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, select, true

from circle.accounts.models import User
from circle.kernel.caller import Caller
from circle.kernel.db import Row
from circle.memberships.gates import gate_along
from circle.memberships.policy import reading_columns, with_standing
from circle.posts import policy
from circle.posts.cards import select_cards, select_page
from circle.posts.models import Post
from circle.posts.readers import asked_of

_CARD = "card_"


def select_one(key: str) -> Select[*tuple[Any, ...]]:
    """Select one post, if it exists for the reader, for `select_cards`; run with `policy.reading(standing)`."""
    one = select_page().where(Post.id == bindparam(key, type_=Uuid()), policy.seen(), Post.purged_at.is_(None))
    return one.limit(1)


def _with_post(credential: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    standing = with_standing(credential, policy.circle_of_post(), User.id).subquery("standing")
    reads = reading_columns(standing)
    reader = select(standing, *(column.label(name) for name, column in reads.items())).subquery("reader")
    chosen = asked_of(select_one("key"), reader, reads.keys()).correlate(reader)
    card = asked_of(select_cards(chosen, whole=True), reader, reads.keys()).lateral("card")
    return select(reader, *(column.label(f"{_CARD}{column.key}") for column in card.c)).outerjoin(card, true())


def _remember(caller: Caller, row: Row) -> None:
    """Keep the post, or that there is none for the caller, if the SQL read as the caller's standing does."""
    standing = caller.known.get(row["circle_id"])
    if standing is not None and all(row[name] == value for name, value in policy.reading(standing).items()):
        caller.known[_CARD] = {name.removeprefix(_CARD): value for name, value in row.items() if name.startswith(_CARD)}


page_gate = gate_along("post_id", _with_post, _remember)


def gated_card(caller: Caller, post_id: UUID) -> Row | None:
    """Return the row of `select_one` that `page_gate` brought along; None where there is none to show."""
    card: Row | None = caller.known.get(_CARD)
    return card if card is not None and card["id"] == post_id else None
