"""Whatever is typed gets a clear answer."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from circle.archive.search import finding
from circle.config import Settings
from circle.kernel.db import Query
from tests.archive.search.looking import catch_up
from tests.client import World


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("x" * 10_000, "too_long"),
        ("", "too_short"),
        ("   ", "blank"),
        ("，。！？…", "nothing_to_search"),
        ("\u200b\u200b", "blank"),
        ("a\0b", "characters"),
        ("a\nb", "characters"),
    ],
)
def test_what_can_not_be_looked_for_is_refused_by_name(world: World, query: str, field: str) -> None:
    reader = world.member(world.circle())

    refused = reader.api.get("/search", query_string={"q": query})

    assert refused.status == 422
    assert set(refused.fields) == {"q"}


def test_too_many_words_are_refused(world: World) -> None:
    reader = world.member(world.circle())

    assert reader.api.get("/search", query_string={"q": " ".join("一二三四五六七八九十百")}).code == "too_many_terms"


@pytest.mark.parametrize(
    "query",
    [
        "的",
        "的 了 是",
        "的是",
        "😀",
        "👩‍👩‍👧",
        "𠮷野家",
        "' OR 1=1 --",
        "a:* & !b | (c",
        "%_%",
        "\\",
        "'\\''",
        "a" * 200,
        "C++",
        "٣٤",
    ],
)
@pytest.mark.parametrize("sort", ["relevance", "newest"])
def test_whatever_else_is_typed_is_looked_for(world: World, query: str, sort: str) -> None:
    circle = world.circle()
    world.post(circle, body=f"前{query}后")
    catch_up(world.units)

    answer = circle.owner.api.get("/search", query_string={"q": query, "sort": sort})

    assert answer.status in {200, 422}, answer
    assert answer.status == 422 or len(answer.json["items"]) == 1, answer


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": "琥珀", "circle_id": "x"},
        {"q": "琥珀", "sort": "best"},
        {"q": "琥珀", "limit": "1000"},
        {"q": "琥珀", "since": "2026-02-30T00:00:00Z"},
        {"q": "琥珀", "nonsense": "1"},
        {"q": "琥珀", "unread": "maybe"},
    ],
)
def test_bad_filters_are_named(world: World, query: dict[str, str]) -> None:
    reader = world.member(world.circle())

    assert reader.api.get("/search", query_string=query).status == 422


def test_cursors_of_other_lists_are_refused(world: World) -> None:
    circle = world.circle()
    for _ in range(2):
        world.post(circle, body="琥珀")
    catch_up(world.units)
    of_newest = circle.owner.api.get("/search?q=琥珀&limit=1&sort=newest").ok()["next_cursor"]

    assert circle.owner.api.get(f"/search?q=琥珀&cursor={of_newest}").code == "bad_cursor"
    assert circle.owner.api.get("/search?q=琥珀&cursor=x").code == "bad_cursor"


def test_a_search_that_takes_too_long_is_told_to_be_too_broad(
    world: World, sql: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    assert settings.search_timeout_ms < settings.statement_timeout_ms
    monkeypatch.setitem(world.units.adapters, Settings, replace(settings, search_timeout_ms=50))
    monkeypatch.setattr(finding, "search_statement", lambda _shape: Query(lambda: text("SELECT pg_sleep(5)")))

    sql("SAVEPOINT before")
    refused = circle.owner.api.get("/search?q=琥珀")
    sql("ROLLBACK TO before")

    assert (refused.status, refused.code) == (503, "search_too_broad")
