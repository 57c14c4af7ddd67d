"""How good search is, measured over what is in a circle, through the search that members use.

Recall: strings of two characters are drawn from the texts; what a scan of the texts finds must be found.

Precision: for each query of a fixed list, a post answers it if every word of it stands in the post's title or in one of
its headings. That is read from the texts before anything is searched. Of the first ten hits, or of as many as there are
answers if they are fewer, the answers are counted.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import yaml
from sqlalchemy import select

from circle.archive.search.asking import read_query
from circle.archive.search.documents import headings_of
from circle.archive.search.finding import search
from circle.archive.search.folding import fold
from circle.kernel.caller import Caller
from circle.kernel.cursor import MAX_LIMIT
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import find_standing_of
from circle.posts.models import Post, PostStatus

FIRST = 10


class Judged(NamedTuple):
    """A query: how many posts of the circle answer it, how many were looked at, and how many of these answer it."""

    query: str
    standing: int
    shown: int
    answering: int

    @property
    def precision(self) -> float | None:
        """None where no post answers: then nothing can be judged."""
        return self.answering / min(FIRST, self.standing) if self.standing else None


@dataclass(frozen=True)
class Recall:
    """Of all posts that hold one of the strings, how many were found; and by which strings not all."""

    strings: int
    standing: int
    found: int
    missed: Sequence[str]

    @property
    def share(self) -> float:
        return self.found / self.standing if self.standing else 1.0


def measure_recall(uow: UnitOfWork, owner_id: UUID, circle_id: UUID, *, strings: int, seed: int) -> Recall:
    """Draw strings from the circle's posts and search them as its owner."""
    texts = _texts(uow, circle_id)
    drawn = random.Random(seed)  # noqa: S311 - which strings are tried is no secret
    standing = found = 0
    missed = []
    for two in [_draw(drawn, texts) for _ in range(strings)] if texts else []:
        holding = {post_id for post_id, text in texts.items() if two in text}
        hits = {str(hit["post"]["id"]) for hit in _hits(uow, owner_id, circle_id, two, sort="newest")}
        standing += len(holding)
        found += len(holding & hits)
        if not holding <= hits:
            missed.append(two)
    return Recall(strings if texts else 0, standing, found, missed)


def judge_queries(uow: UnitOfWork, owner_id: UUID, circle_id: UUID) -> Iterator[Judged]:
    """Search each query of the list as the circle's owner and tell how many of its first posts answer it."""
    subjects = {post_id: _subjects(text) for post_id, text in _texts(uow, circle_id).items()}
    listed: list[str] = yaml.safe_load(files("circle.archive.search").joinpath("queries.yml").read_text("utf-8"))
    for query in listed:
        patterns = [re.compile(term.pattern) for term in read_query(query).terms]
        answers = {post_id for post_id, text in subjects.items() if all(one.search(text) for one in patterns)}
        hits = _hits(uow, owner_id, circle_id, query, sort="relevance", place="post")
        first = [str(hit["post"]["id"]) for hit in islice(hits, min(FIRST, len(answers)))]
        yield Judged(query, len(answers), len(first), len(answers.intersection(first)))


def mean_precision(judged: Iterable[Judged]) -> float:
    """Return the mean over the queries that some post answers."""
    found = [one.precision for one in judged if one.precision is not None]
    return sum(found) / len(found) if found else 0.0


def _subjects(text: str) -> str:
    """Return what a post says that it is about: title and headings, folded."""
    title, _, body = text.partition("\n")
    return fold(f"{title}\n{headings_of(body)}")


def _texts(uow: UnitOfWork, circle_id: UUID) -> dict[str, str]:
    written = select(Post.id, Post.title, Post.body).where(
        Post.circle_id == circle_id, Post.status == PostStatus.PUBLISHED
    )
    return {str(post_id): f"{title}\n{body}" for post_id, title, body in uow.session.execute(written)}


def _draw(drawn: random.Random, texts: dict[str, str]) -> str:
    """Return two neighbouring letters or digits of one of the texts."""
    while True:
        text = drawn.choice(list(texts.values()))
        at = drawn.randrange(max(1, len(text) - 1))
        if text[at : at + 2].isalnum() and len(text[at : at + 2]) > 1:
            return text[at : at + 2]


def _hits(uow: UnitOfWork, owner_id: UUID, circle_id: UUID, query: str, **how: Any) -> Iterator[Any]:
    """Yield what a search finds, page by page."""
    caller = Caller(owner_id)
    caller.known[circle_id] = find_standing_of(uow, owner_id, circle_id)
    cursor = None
    while True:
        found = search(uow, caller, q=query, circle_id=circle_id, cursor=cursor, limit=MAX_LIMIT, **how)
        yield from (hit for hit in found.page["items"] if hit["post"])
        cursor = found.page["next_cursor"]
        if cursor is None:
            return
