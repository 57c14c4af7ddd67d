"""Scheduled posts come out at their time, once, under the rules of that time."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import World
from workers.posts import publish_due


def scheduled(world: World, circle: BuiltCircle, author: Person, clock: ManualClock, body: str = "正文") -> BuiltPost:
    return world.post(circle, author, body=body, publish_at=clock.now() + timedelta(hours=1))


def test_a_scheduled_post_comes_out_once_at_its_time(world: World, clock: ManualClock, units: Units, sql: Any) -> None:
    circle = world.circle()
    author, reader = world.member(circle), world.member(circle)
    post = scheduled(world, circle, author, clock)

    clock.advance(timedelta(minutes=59))
    assert publish_due.run(units) == 0
    clock.advance(timedelta(minutes=2))
    assert publish_due.run(units) == 1
    assert publish_due.run(units) == 0

    shown = reader.api.get(post.path).ok()
    assert (shown["status"], shown["published_at"], shown["publish_at"]) == ("published", "2026-03-01T05:01:00Z", None)
    assert len(sql("SELECT 1 FROM changes WHERE item_id = :id", id=post.id)) == 1


def test_somebody_who_may_not_speak_any_more_finds_it_among_their_drafts(
    world: World, clock: ManualClock, units: Units
) -> None:
    circle = world.circle()
    expired, muted = world.member(circle, days=1), world.member(circle)
    posts = [world.post(circle, author, publish_at=clock.now() + timedelta(days=2)) for author in (expired, muted)]
    until = (clock.now() + timedelta(days=9)).isoformat()
    circle.owner.api.patch(f"{circle.path}/members/{muted.id}", {"muted_until": until}).ok()

    clock.advance(timedelta(days=3))
    assert publish_due.run(units) == 2
    assert publish_due.run(units) == 0

    assert [post.author.api.get(post.path).ok()["status"] for post in posts] == ["draft", "draft"]


def test_a_word_that_was_listed_meanwhile_holds_it_back(world: World, clock: ManualClock, units: Units) -> None:
    circle = world.circle()
    post = scheduled(world, circle, world.member(circle), clock, body="加微信")
    own = scheduled(world, circle, circle.owner, clock, body="加微信")
    circle.owner.api.post(f"{circle.path}/blocked-words", {"word": "加微信", "action": "block"}).ok(201)

    clock.advance(timedelta(hours=1))
    publish_due.run(units)

    assert circle.owner.api.get(post.path).ok()["status"] == "review"
    assert circle.owner.api.get(own.path).ok()["status"] == "published"
