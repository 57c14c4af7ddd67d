"""Who may open what. A locked post shows its teaser and nothing else, on every surface."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import Api, World
from tests.conftest import START
from tests.posts.shapes import assert_posts

CANARY = "canary-7f3a"
TEASER = {"id", "circle_id", "kind", "status", "title", "excerpt", "author", "locked", "required_tier", "version"}
TIMES = {"created_at", "published_at", "edited_at"}


def opens(who: Api, post: BuiltPost) -> bool:
    """Whether somebody may read a post; feed and page must agree."""
    page = who.get(post.path).ok()
    shown = who.get(f"{post.circle.path}/posts").ok()["items"]
    listed = next(item for item in shown if item["id"] == str(post.id))
    assert_posts(page, listed)
    assert page["locked"] == listed["locked"]
    assert (page["body"] is None) == page["locked"]
    return not page["locked"]


def three_posts(world: World, circle: BuiltCircle) -> tuple[BuiltPost, BuiltPost, BuiltPost]:
    """A preview post, one for all members, one for the upper tier."""
    return tuple(world.post(circle, access=access) for access in ("preview", "members", "学员"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("who", "opened"),
    [
        ("anonymous", [True, False, False]),
        ("stranger", [True, False, False]),
        ("pending", [True, False, False]),
        ("tier 1", [True, True, False]),
        ("tier 2", [True, True, True]),
        ("guest", [True, True, True]),
        ("admin", [True, True, True]),
        ("partner", [True, True, True]),
        ("owner", [True, True, True]),
        ("other circle's owner", [True, False, False]),
        ("removed", [True, False, False]),
    ],
)
def test_a_post_opens_for_its_tier_and_above(world: World, api: Api, who: str, opened: list[bool]) -> None:
    circle = world.circle()
    posts = three_posts(world, circle)

    reader = _reader(world, api, circle, who)

    assert [opens(reader, post) for post in posts] == opened


def _reader(world: World, api: Api, circle: BuiltCircle, who: str) -> Api:
    if who == "anonymous":
        return api
    person: Person = {
        "stranger": world.person,
        "pending": lambda: world.pending_member(circle),
        "tier 1": lambda: world.member(circle, 1),
        "tier 2": lambda: world.member(circle, 2),
        "owner": lambda: circle.owner,
        "other circle's owner": lambda: world.circle().owner,
        "removed": lambda: world.member(circle, 2, status="removed"),
    }.get(who, lambda: world.member(circle, role=who))()
    return person.api


def test_a_locked_post_shows_its_teaser_and_nothing_else(world: World) -> None:
    circle = world.circle()
    post = world.post(
        circle, title="怎样收费", body=CANARY, excerpt="开头免费", access="学员", tags=[CANARY], kind="article"
    )
    circle.owner.api.patch(post.path, {"body": f"{CANARY} 二"}).ok()
    member = world.member(circle, 1)

    for page in (member.api.get(post.path).ok(), member.api.get(f"{circle.path}/posts").ok()["items"][0]):
        shown = {name for name, value in page.items() if value not in (None, [], {}, False)}
        assert shown == TEASER | TIMES
        assert page["required_tier"] == {"id": str(circle.tier(2).id), "name": "学员", "rank": 2}
        assert (page["title"], page["excerpt"]) == ("怎样收费", "开头免费")


def test_no_surface_lets_out_what_is_locked(world: World, api: Api) -> None:
    circle = world.circle()
    post = world.post(circle, body=CANARY, access="学员", tags=[CANARY])
    circle.owner.api.patch(post.path, {"body": f"{CANARY} 二"}).ok()
    outsiders = [api, world.person().api, world.member(circle, 1).api, world.pending_member(circle).api]

    for outsider in outsiders:
        for surface in (
            post.path,
            f"{post.path}/revisions",
            f"{circle.path}/posts",
            f"{circle.path}/posts?kind=talk&digest=false",
            f"{circle.path}/posts?status=trashed",
            f"{circle.path}/changes",
        ):
            assert CANARY not in outsider.get(surface).bytes.decode(), surface


def test_a_circle_that_hides_itself_hides_its_posts(world: World, api: Api) -> None:
    circle = world.circle(preview_policy="none")
    post = world.post(circle, access="preview")

    for outsider in (api, world.person().api, world.pending_member(circle).api):
        assert outsider.get(post.path).status == 404
        assert outsider.get(f"{circle.path}/posts").status == 404
    assert opens(world.member(circle).api, post)


def test_the_banned_see_nothing(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, access="preview")
    banned = world.banned_member(circle)

    assert banned.api.get(post.path).code == "banned"
    assert banned.api.get(f"{circle.path}/posts").code == "banned"
    assert banned.api.get(f"{circle.path}/changes").code == "banned"


def test_an_expired_member_keeps_what_was_posted_in_paid_time(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    before = world.post(circle)
    clock.advance(timedelta(days=1))
    member = world.member(circle, 1, days=30)
    during, above = world.post(circle), world.post(circle, access="学员")
    clock.advance(timedelta(days=31))
    after = world.post(circle)

    assert [opens(member.api, post) for post in (before, during, above, after)] == [False, True, False, False]


def test_an_expired_member_keeps_nothing_where_the_circle_says_so(world: World, clock: ManualClock) -> None:
    circle = world.circle(after_expiry="none")
    member = world.member(circle, 1, days=30)
    post = world.post(circle)
    clock.advance(timedelta(days=31))

    assert not opens(member.api, post)


def test_somebody_who_moves_down_keeps_what_they_paid_for(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle, 2, days=30)
    then = world.post(circle, access="学员")
    clock.advance(timedelta(days=31))
    world.member(circle, 1, person=member)
    now = world.post(circle, access="学员")

    assert [opens(member.api, post) for post in (then, now)] == [True, False]


def test_a_new_member_sees_as_far_back_as_the_circle_says(world: World, clock: ManualClock) -> None:
    circle = world.circle(lookback_days=7)
    old = world.post(circle)
    clock.advance(timedelta(days=5))
    recent = world.post(circle)
    clock.advance(timedelta(days=5))
    member = world.member(circle, 2)

    assert [opens(member.api, post) for post in (old, recent)] == [False, True]
    assert member.api.get(old.path).ok()["required_tier"] is None


def test_an_author_reads_their_own_whatever_its_gate(world: World) -> None:
    circle = world.circle()
    author = world.member(circle, 1)
    post = world.post(circle, author, access="学员")

    assert opens(author.api, post)
    assert not opens(world.member(circle, 1).api, post)


@pytest.mark.parametrize("status", ["draft", "scheduled", "hidden", "trashed", "review"])
def test_what_is_not_published_exists_for_its_author_and_moderators_only(world: World, status: str) -> None:
    circle = world.circle()
    author = world.member(circle, 2)
    if status == "scheduled":
        post = world.post(circle, author, publish_at=START + timedelta(days=1))
    elif status == "review":
        circle.owner.api.post(f"{circle.path}/blocked-words", {"word": "加微信", "action": "review"}).ok(201)
        post = world.post(circle, author, body="加微信")
    else:
        post = world.post(circle, author, status=status)

    assert author.api.get(post.path).ok()["status"] == status
    for reader in (world.member(circle, 2), world.member(circle, role="guest"), world.person()):
        assert reader.api.get(post.path).status == 404
        assert reader.api.get(f"{circle.path}/posts").ok()["items"] == []
    seen = circle.owner.api.get(post.path).status
    assert seen == (404 if status in {"draft", "scheduled"} else 200)


def test_an_unknown_post_is_not_found(api: Api, world: World) -> None:
    for caller in (api, world.person().api):
        assert caller.get(f"/posts/{uuid4()}").status == 404
        assert caller.get("/posts/not-an-id").status == 404


def test_a_post_that_closes_is_locked_at_once(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle, 1)
    assert opens(member.api, post)

    circle.owner.api.patch(post.path, {"access": {"level": "tier", "tier_id": str(circle.tier(2).id)}}).ok()

    assert not opens(member.api, post)
