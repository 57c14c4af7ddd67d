"""Attachments: who may attach what, who may fetch it, and how it is shown once it is processed."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.client import World
from tests.posts.shapes import assert_posts


def test_attachments_are_shown_in_order_and_change_when_processed(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    first, second = world.uploaded(author), world.media(author)
    body = {"kind": "talk", "body": "", "attachments": [str(second), str(first)]}

    post = author.api.post(f"{circle.path}/posts", body).ok(201)

    assert [(one["id"], one["status"]) for one in post["attachments"]] == [
        (str(second), "ready"),
        (str(first), "ready"),
    ]
    assert_posts(post)
    turned = author.api.patch(f"/posts/{post['id']}", {"attachments": [str(first)]}).ok()
    assert [one["id"] for one in turned["attachments"]] == [str(first)]


def test_a_picture_in_processing_becomes_ready_in_its_post(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    media = world.uploaded(author)
    post = author.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "图", "attachments": [str(media)]}).ok(201)
    assert post["attachments"][0]["status"] == "uploaded"

    world.process_media()

    after = author.api.get(f"/posts/{post['id']}").ok()
    assert after["attachments"][0]["status"] == "ready"
    assert after["version"] == post["version"]
    assert_posts(after)


def test_whoever_may_read_the_post_may_fetch_its_media(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    media = world.media(circle.owner)
    access = {"level": "tier", "tier_id": str(circle.tier(2).id)}
    post = {"kind": "talk", "body": "图", "attachments": [str(media)], "access": access}
    path = f"/posts/{circle.owner.api.post(f'{circle.path}/posts', post).ok(201)['id']}"
    below, above = world.member(circle, 1), world.member(circle, 2, days=1)

    assert above.api.get(f"/media/{media}").status == 302
    for other in (below, world.person()):
        assert other.api.get(f"/media/{media}").status == 404
    clock.advance(timedelta(days=2))
    assert above.api.get(f"/media/{media}").status == 302  # posted in paid time
    circle.owner.api.delete(path).ok(204)
    assert above.api.get(f"/media/{media}").status == 404


def test_nobody_attaches_what_is_not_theirs(world: World) -> None:
    circle = world.circle()
    thief, owner = world.member(circle), world.member(circle)
    media = world.media(owner)

    stolen = thief.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "图", "attachments": [str(media)]})

    assert stolen.fields == {"attachments.0": "unknown_media"}


def test_a_post_shows_nine_images_at_most(world: World) -> None:
    circle = world.circle()
    images = [str(world.uploaded(circle.owner)) for _ in range(10)]

    many = circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "图", "attachments": images})

    assert many.fields == {"attachments": "too_many_images"}
    circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "图", "attachments": images[:9]}).ok(201)
