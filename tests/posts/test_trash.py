"""Trash and hiding: who may, what comes back, and what is forgotten."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.client import World
from workers.posts import purge_trash


def test_a_trashed_post_can_be_restored_for_30_days(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    author, reader = world.member(circle, days=60), world.member(circle, days=60)
    post = world.post(circle, author, tags=["写作"])
    before = reader.api.get(post.path).ok()

    author.api.delete(post.path).ok(204)
    author.api.delete(post.path).ok(204)
    assert reader.api.get(post.path).status == 404
    clock.advance(timedelta(days=29))
    restored = author.api.post(f"{post.path}/restore").ok()

    assert restored["status"] == "published"
    assert {**reader.api.get(post.path).ok(), "version": 1} == before
    author.api.delete(post.path).ok(204)
    clock.advance(timedelta(days=30))
    assert author.api.post(f"{post.path}/restore").code == "restore_too_late"


@pytest.mark.parametrize("status", ["draft", "hidden"])
def test_what_was_not_published_comes_back_as_it_was(world: World, status: str) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author, status=status)

    author.api.delete(post.path).ok(204)

    assert author.api.post(f"{post.path}/restore").ok()["status"] == status
    assert author.api.post(f"{post.path}/restore").code == "wrong_state"


def test_a_scheduled_post_comes_back_as_a_draft(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    post = world.post(circle, publish_at=clock.now() + timedelta(hours=1))
    circle.owner.api.delete(post.path).ok(204)
    clock.advance(timedelta(days=1))

    restored = circle.owner.api.post(f"{post.path}/restore").ok()

    assert (restored["status"], restored["publish_at"]) == ("draft", None)


def test_moderators_trash_what_others_wrote_and_only_they_bring_it_back(world: World, sql: Any) -> None:
    circle = world.circle()
    author, admin = world.member(circle), world.member(circle, role="admin")
    post = world.post(circle, author)

    for other in (world.member(circle), world.member(circle, role="guest")):
        assert other.api.delete(post.path).code == "missing_permission"
    assert world.person().api.delete(post.path).code == "not_a_member"
    admin.api.delete(post.path).ok(204)
    assert author.api.post(f"{post.path}/restore").code == "missing_permission"
    circle.owner.api.post(f"{post.path}/restore").ok()

    rows = sql("SELECT action, actor_id FROM audit_log WHERE subject_id = :id ORDER BY id", id=post.id)
    assert [(row["action"], row["actor_id"]) for row in rows] == [
        ("post.trash", admin.id),
        ("post.restore", circle.owner.id),
    ]


def test_an_author_may_take_their_own_back_even_after_expiry(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    author = world.member(circle, days=1)
    post = world.post(circle, author)
    clock.advance(timedelta(days=2))

    author.api.delete(post.path).ok(204)

    assert circle.owner.api.get(f"{circle.path}/posts").ok()["items"] == []


def test_a_hidden_post_is_out_of_sight_until_a_moderator_shows_it(world: World, sql: Any) -> None:
    circle = world.circle()
    author, admin, reader = world.member(circle), world.member(circle, role="admin"), world.member(circle)
    post = world.post(circle, author)

    for other in (author, reader, world.person()):
        assert other.api.put(f"{post.path}/hidden").status == 403
    admin.api.put(f"{post.path}/hidden").ok(204)
    admin.api.put(f"{post.path}/hidden").ok(204)
    assert reader.api.get(post.path).status == 404
    assert author.api.get(post.path).ok()["status"] == "hidden"
    admin.api.delete(f"{post.path}/hidden").ok(204)
    admin.api.delete(f"{post.path}/hidden").ok(204)
    assert reader.api.get(post.path).ok()["status"] == "published"

    rows = sql("SELECT action FROM audit_log WHERE subject_id = :id ORDER BY id", id=post.id)
    assert [row["action"] for row in rows] == ["post.hide", "post.unhide"]


def test_after_30_days_the_text_is_gone_for_good(world: World, clock: ManualClock, units: Units, sql: Any) -> None:
    circle = world.circle()
    author = world.member(circle, days=90)
    media = world.media(author)
    body = {"kind": "talk", "body": "一", "attachments": [str(media)]}
    post = author.api.post(f"{circle.path}/posts", body).ok(201)
    author.api.patch(f"/posts/{post['id']}", {"body": "二"}).ok()
    kept = world.post(circle, author)
    author.api.delete(f"/posts/{post['id']}").ok(204)

    clock.advance(timedelta(days=30) - timedelta(seconds=1))
    assert purge_trash.run(units) == 0
    clock.advance(timedelta(seconds=1))
    assert purge_trash.run(units) == 1
    assert purge_trash.run(units) == 0

    row = sql("SELECT body, attachments, purged_at FROM posts WHERE id = :id", id=post["id"])[0]
    assert (row["body"], row["attachments"]) == ("", [])
    assert sql("SELECT 1 FROM post_revisions WHERE post_id = :id", id=post["id"]) == []
    assert sql("SELECT attached_to, expires_at > :now AS leaving FROM media WHERE id = :id", id=media, now=clock.now())[
        0
    ] == {"attached_to": None, "leaving": True}
    assert author.api.get(f"/posts/{post['id']}").status == 404
    assert author.api.get(f"{circle.path}/posts?status=trashed").ok()["items"] == []
    assert author.api.post(f"/posts/{post['id']}/restore").code == "restore_too_late"
    assert author.api.get(kept.path).ok()["body"] == "正文"


def test_what_a_deleted_person_had_not_published_goes(world: World, sql: Any) -> None:
    circle = world.circle()
    author = world.member(circle, person=world.person(password="a good password"))
    draft, published = world.post(circle, author, status="draft"), world.post(circle, author)

    author.api.delete("/me", json={"password": "a good password"}).ok(204)

    rows = sql("SELECT id, status FROM posts WHERE circle_id = :id", id=circle.id)
    assert {row["id"]: row["status"] for row in rows} == {draft.id: "trashed", published.id: "published"}
    assert circle.owner.api.get(published.path).ok()["author"]["display_name"] == "已注销用户"
