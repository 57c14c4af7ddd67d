"""Reads `tests/matrix.yml` and `tests/states.yml`: rows such as `GET /v1/posts/{post_id} @draft`, with its answers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[1] / "matrix.yml"
STATES = FILE.with_name("states.yml")
# 200, but only title and teaser.
LOCKED = "locked"
_PLACEHOLDER = re.compile(r"<(?:[^<>]*:)?(\w+)>")

Answer = int | str


@dataclass(frozen=True)
class Row:
    """A route before one target, and what each role is answered: a status, or `locked`."""

    key: str
    cells: Mapping[str, Answer]

    @property
    def route(self) -> str:
        return self.key.partition(" @")[0]

    @property
    def target(self) -> str | None:
        return self.key.partition(" @")[2] or None

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]

    @cached_property
    def readers(self) -> frozenset[str]:
        """Who gets all of it."""
        return frozenset(role for role, answer in self.cells.items() if answer != LOCKED and int(answer) < 400)


class BadMatrix(Exception):
    """The file breaks its own rules."""


def path_of(route: str) -> str:
    """A route's path as the matrix writes it: `/v1/posts/{post_id}`."""
    return "/v1" + _PLACEHOLDER.sub(r"{\1}", route)


@cache
def _content(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@cache
def read_matrix() -> Mapping[str, Row]:
    """The rows by their keys. Errors: BadMatrix for an unknown or doubled role."""
    groups: Mapping[str, Any] = _content(FILE)["groups"]
    return {key: Row(key, _cells(key, answers, groups)) for key, answers in _content(FILE)["rows"].items()}


@cache
def read_states() -> Mapping[str, Row]:
    """The rows of tests/states.yml: each of its routes before each of its targets. Errors: BadMatrix."""
    rows: dict[str, Row] = {}
    for several in _content(STATES):
        for route, target in product(several["routes"], several["targets"]):
            key = f"{route} @{target}" if target else route
            if key in rows or key in read_matrix():
                raise BadMatrix(f"{key} is decided twice")
            rows[key] = Row(key, _cells(key, several["answers"], _content(FILE)["groups"]))
    return rows


@cache
def all_rows() -> Mapping[str, Row]:
    return {**read_matrix(), **read_states()}


def _cells(key: str, answers: Mapping[Answer, Any], groups: Mapping[str, Any]) -> dict[str, Answer]:
    cells: dict[str, Answer] = {}
    for answer, who in answers.items():
        for role in _roles(who, groups):
            if role in cells:
                raise BadMatrix(f"{key}: {role} gets {cells[role]} and {answer}")
            cells[role] = answer
    return cells


def _roles(who: Any, groups: Mapping[str, Any]) -> Iterator[str]:
    for name in [who] if isinstance(who, str) else who:
        if name in groups:
            yield from _roles(groups[name], groups)
        else:
            yield name
