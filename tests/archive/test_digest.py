"""Marking posts as worth keeping."""

from collections.abc import Callable
from typing import Any

from tests.client import World


def test_a_digest_is_found_by_the_feed_and_told_by_the_post(world: World) -> None:
    circle = world.circle()
    kept, _other = world.post(circle, body="值得留下"), world.post(circle, body="闲聊")

    circle.owner.api.put(f"{kept.path}/digest").ok(204)

    found = circle.owner.api.get(f"{circle.path}/posts?digest=true").ok()["items"]
    assert [post["id"] for post in found] == [str(kept.id)]
    assert found[0]["digest"] is True


def test_marking_again_keeps_the_first_mark(world: World, sql: Callable[..., list[Any]]) -> None:
    circle = world.circle()
    partner, post = world.member(circle, role="partner"), world.post(circle)
    circle.owner.api.put(f"{post.path}/digest").ok(204)

    partner.api.put(f"{post.path}/digest").ok(204)

    rows = sql("SELECT digest_by FROM posts WHERE id = :id", id=post.id)
    assert rows[0]["digest_by"] == circle.owner.id


def test_a_mark_is_taken_away_and_a_second_time_nothing_happens(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    circle.owner.api.put(f"{post.path}/digest").ok(204)

    assert circle.owner.api.delete(f"{post.path}/digest").status == 204
    assert circle.owner.api.delete(f"{post.path}/digest").status == 204
    assert circle.owner.api.get(post.path).ok()["digest"] is False


def test_a_mark_does_not_make_the_authors_edit_stale(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author)
    version = author.api.get(post.path).ok()["version"]
    circle.owner.api.put(f"{post.path}/digest").ok(204)

    edited = author.api.patch(post.path, {"body": "改过"}, headers={"If-Match": f'"{version}"'})

    assert edited.ok()["digest"] is True


def test_members_do_not_mark(world: World) -> None:
    circle = world.circle()
    author, guest = world.member(circle), world.member(circle, role="guest")
    post = world.post(circle, author)

    assert author.api.put(f"{post.path}/digest").code == "missing_permission"
    assert guest.api.put(f"{post.path}/digest").code == "missing_permission"


def test_a_draft_is_not_marked(world: World) -> None:
    circle = world.circle()
    draft = world.post(circle, status="draft")

    assert circle.owner.api.put(f"{draft.path}/digest").code == "not_published"


def test_staff_of_another_circle_is_not_told_that_the_post_exists(world: World) -> None:
    post = world.post(world.circle(preview_policy="none"))
    stranger = world.circle().owner

    assert stranger.api.put(f"{post.path}/digest").status == 404


def test_a_mark_is_in_the_audit_log_once(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)

    for _ in range(2):
        circle.owner.api.put(f"{post.path}/digest").ok(204)

    log = circle.owner.api.get(f"{circle.path}/audit").ok()["items"]
    assert [entry["action"] for entry in log].count("post.mark_digest") == 1
