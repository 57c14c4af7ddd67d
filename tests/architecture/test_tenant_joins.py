"""No prepared statement joins rows of one circle with those of another, unless it is listed here with its reason.

Tables are bound to one circle where they are joined on `circle_id`, along a foreign key within a circle, or asked for
by the same parameter. See docs/scaling.md.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import circle
from circle.kernel.db import Query
from tests.architecture.joins import Joins
from tests.architecture.test_tenants import TABLES, of_a_circle

# What the caller may open is asked with their membership, which the gate has found in this circle.
GATE = frozenset({"grants", "tiers"})
APART = {
    "archive.search.rebuilding._OWE_ALL": "a union of posts, comments and works, joined with nothing",
    "archive.services.weekly._MISSED": "both halves are of the reader's circle, which stands in a row of parameters",
    "billing.ledger_queries._LEDGER": "entries, which are the installation's, stand between transactions and accounts",
    "billing.services.ledger._FIND": "accounts of a circle and of the operator meet in one transaction",
    "checkins.services.certificates._DUE": "a worker's look at all circles",
    "homework.queries._PAGE_OF_SUBMISSIONS": "a work's own submissions, by whichever of its columns a CASE chooses",
    "kernel.outbox._CLAIM": "a worker's look at all circles",
    "simulation.network._PAYER": "the simulated provider looks by numbers of the whole installation",
}
# Below that, most statements were not found.
LEAST = 130


def statements() -> dict[str, Query]:
    """Every prepared statement of the product by its name."""
    found: dict[str, Query] = {}
    for module in pkgutil.walk_packages(circle.__path__, "circle."):
        if not module.name.startswith("circle.embedded"):
            for name, value in vars(import_module(module.name)).items():
                for path, query in _queries(name, value):
                    found.setdefault(f"{module.name.removeprefix('circle.')}.{path}", query)
    return found


def _queries(name: str, value: object) -> Iterator[tuple[str, Query]]:
    if isinstance(value, Query):
        yield name, value
    elif isinstance(value, dict):
        yield from ((f"{name}[{key}]", one) for key, one in value.items() if isinstance(one, Query))


def parts(sql: str) -> list[frozenset[str]]:
    return Joins(sql, dict(TABLES), of_a_circle()).parts()


# Parses them all, which takes seconds.
@pytest.mark.reliability
def test_no_statement_joins_across_circles_unlisted() -> None:
    read: dict[int, list[frozenset[str]]] = {}
    everything = statements()
    for query in everything.values():
        read[id(query)] = read.get(id(query)) or parts(query.sql)

    apart = {name for name, query in everything.items() if len([one for one in read[id(query)] if one != GATE]) > 1}

    assert len(read) >= LEAST
    assert apart == set(APART)


@pytest.mark.parametrize(
    "bound",
    [
        "SELECT 1 FROM posts JOIN comments ON comments.post_id = posts.id",
        "SELECT 1 FROM posts JOIN memberships USING (circle_id)",
        "SELECT 1 FROM posts, comments WHERE posts.id = $1 AND comments.post_id = $1",
        "SELECT 1 FROM posts WHERE EXISTS (SELECT 1 FROM comments WHERE comments.post_id = posts.id)",
        "WITH mine AS (SELECT circle_id AS it FROM memberships) SELECT 1 FROM posts JOIN mine ON it = posts.circle_id",
        "SELECT 1 FROM check_ins JOIN camp_standings ON camp_standings.camp_id = check_ins.camp_id",
    ],
)
def test_what_binds_to_one_circle(bound: str) -> None:
    assert len(parts(bound)) == 1


@pytest.mark.parametrize(
    "loose",
    [
        "SELECT 1 FROM posts JOIN memberships ON memberships.user_id = posts.author_id",
        "SELECT 1 FROM posts, comments WHERE posts.circle_id = $1 AND comments.circle_id = $2",
        "SELECT 1 FROM posts WHERE posts.author_id IN (SELECT user_id FROM memberships)",
        "SELECT 1 FROM posts LEFT JOIN tags ON true",
    ],
)
def test_what_joins_across_circles_is_seen(loose: str) -> None:
    assert len(parts(loose)) == 2
