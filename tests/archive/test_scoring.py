"""The value of a post: what counts, what does not, and that only what changed is counted anew."""

from collections.abc import Callable
from datetime import timedelta
from math import log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from circle.archive.services.scoring import COUNT_AGAIN, GEM
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.kernel.uow import Units
from tests.builders.posts import BuiltPost
from tests.client import World

Sql = Callable[..., list[Any]]


def value(sql: Sql, post: BuiltPost) -> int | None:
    rows = sql("SELECT score FROM post_scores WHERE post_id = :id", id=post.id)
    return rows[0]["score"] if rows else None


def test_everybody_counts_once_and_the_author_not_at_all(world: World, sql: Sql) -> None:
    circle = world.circle()
    post = world.post(circle)
    readers = [world.member(circle) for _ in range(4)]
    for person in (*readers, circle.owner):
        for _ in range(2):
            person.api.put(f"{post.path}/read", {"progress": 100 if person is readers[0] else 50}).ok(204)
    for person in (readers[0], circle.owner):
        person.api.put(f"{post.path}/reactions/👍").ok()
        person.api.put(f"{post.path}/reactions/🎉").ok()
        person.api.put(f"{post.path}/bookmark").ok(204)
        person.api.post(f"{post.path}/comments", {"body": "同意"}).ok(201)
        person.api.post(f"{post.path}/comments", {"body": "再说一句"}).ok(201)

    world.rescore()

    [row] = sql("SELECT * FROM post_scores WHERE post_id = :id", id=post.id)
    figures = {name: row[name] for name in ("readers", "finishers", "likers", "keepers", "repliers")}
    assert figures == {"readers": 4, "finishers": 1, "likers": 1, "keepers": 1, "repliers": 1}
    assert row["score"] == round(20 * log2(1 + 4 / 4 + 1 / 2 + 2 + 4 + 3))


def test_a_digest_is_a_gem_by_itself(world: World, sql: Sql, doorbell: SilentDoorbell) -> None:
    circle = world.circle()
    post = world.post(circle)

    circle.owner.api.put(f"{post.path}/digest").ok(204)
    assert "archive.rescore" in doorbell.rung
    world.rescore()
    assert value(sql, post) == GEM

    circle.owner.api.delete(f"{post.path}/digest").ok(204)
    world.rescore()
    assert value(sql, post) == 0


def test_what_is_taken_back_counts_no_more(world: World, sql: Sql) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    member.api.put(f"{post.path}/reactions/👍").ok()
    member.api.put(f"{post.path}/bookmark").ok(204)
    comment = member.api.post(f"{post.path}/comments", {"body": "同意"}).ok(201)
    world.rescore()
    assert value(sql, post) == round(20 * log2(1 + 2 + 4 + 3))

    member.api.delete(f"{post.path}/reactions/👍").ok()
    member.api.delete(f"{post.path}/bookmark").ok(204)
    member.api.delete(f"/comments/{comment['id']}").ok(204)
    world.rescore()

    assert value(sql, post) == 0


def test_age_does_not_lower_it(world: World, sql: Sql, clock: ManualClock) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle, days=2_000)
    member.api.put(f"{post.path}/bookmark").ok(204)
    world.rescore()
    before = value(sql, post)

    clock.advance(timedelta(days=1_000))
    assert load_job("archive.rescore_old").run(world.units) == 1

    assert value(sql, post) == before


def test_only_what_changed_is_counted_and_a_second_run_finds_nothing(world: World, sql: Sql) -> None:
    circle = world.circle()
    first, second, _untouched = world.post(circle), world.post(circle), world.post(circle)
    member = world.member(circle)
    for post in (first, second, second):
        member.api.put(f"{post.path}/read").ok(204)

    assert [world.rescore(), world.rescore()] == [3, 0]
    member.api.put(f"{second.path}/bookmark").ok(204)
    assert [world.rescore(), world.rescore()] == [1, 0]

    assert len(sql("SELECT post_id FROM post_scores")) == 2


def test_values_that_are_old_are_counted_again_twice_the_same(world: World, sql: Sql, clock: ManualClock) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    member.api.put(f"{post.path}/read").ok(204)
    world.rescore()
    sql("UPDATE post_scores SET score = 7, readers = 9")
    old = load_job("archive.rescore_old")
    assert old.run(world.units) == 0

    clock.advance(COUNT_AGAIN + timedelta(seconds=1))

    assert [old.run(world.units), old.run(world.units)] == [1, 0]
    assert value(sql, post) == round(20 * log2(1.75))


def test_a_rolled_back_reading_marks_nothing(world: World, units: Units, sql: Sql) -> None:
    circle = world.circle()
    draft = world.post(circle, status="draft")

    assert circle.owner.api.put(f"{draft.path}/read").code == "not_published"

    assert sql("SELECT * FROM post_scores_due") == []


@pytest.fixture(scope="module")
def formula(engine: Engine) -> Callable[..., int]:
    """The value by the formula of docs/archive.md, for figures that are given."""

    def of(readers: int, finishers: int, likers: int, repliers: int, keepers: int) -> int:
        points = 1 + readers / 4 + finishers / 2 + 2 * likers + 3 * repliers + 4 * keepers
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT round(20 * ln(:p) / ln(2.0))"), {"p": points}).scalar_one())

    return of


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=5), st.integers(0, 4))
def test_more_interest_never_lowers_it(formula: Callable[..., int], figures: list[int], which: int) -> None:
    more = [n + 1 if at == which else n for at, n in enumerate(figures)]

    assert formula(*more) >= formula(*figures) >= 0
