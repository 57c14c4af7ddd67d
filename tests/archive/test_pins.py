"""What stands at the top of a circle: pins, and what a new member reads first."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.archive.shelf_models import MAX_PINS
from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.posts import BuiltPost
from tests.client import Api, World
from tests.conftest import START
from tests.statements import counted


def pinned(api: Api, circle: BuiltCircle) -> list[str]:
    return [item["post"]["id"] for item in api.get(f"{circle.path}/pins").ok()["items"]]


def started(api: Api, circle: BuiltCircle) -> list[str]:
    return [item["post"]["id"] for item in api.get(f"{circle.path}/start-here").ok()["items"]]


def ids(*posts: BuiltPost) -> list[str]:
    return [str(post.id) for post in posts]


def test_a_new_pin_comes_first_and_a_position_moves_it(world: World) -> None:
    circle = world.circle()
    first, second, third = (world.post(circle) for _ in range(3))
    for post in (first, second, third):
        circle.owner.api.put(f"{post.path}/pin").ok(204)
    assert pinned(circle.owner.api, circle) == ids(third, second, first)

    circle.owner.api.put(f"{third.path}/pin", {"position": 3}).ok(204)

    assert pinned(circle.owner.api, circle) == ids(second, first, third)
    positions = [item["position"] for item in circle.owner.api.get(f"{circle.path}/pins").ok()["items"]]
    assert positions == [1, 2, 3]


def test_a_sixth_pin_is_refused_until_there_is_room(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(MAX_PINS + 1)]
    tomorrow = (START + timedelta(days=1)).isoformat()
    circle.owner.api.put(f"{posts[0].path}/pin", {"ends_at": tomorrow}).ok(204)
    for post in posts[1:MAX_PINS]:
        circle.owner.api.put(f"{post.path}/pin").ok(204)

    assert circle.owner.api.put(f"{posts[-1].path}/pin").code == "too_many_pins"
    clock.advance(timedelta(days=1))

    circle.owner.api.put(f"{posts[-1].path}/pin").ok(204)
    assert pinned(circle.owner.api, circle) == ids(posts[-1], *reversed(posts[1:MAX_PINS]))


def test_a_pin_is_over_when_its_time_has_come(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    post = world.post(circle)
    circle.owner.api.put(f"{post.path}/pin", {"ends_at": (START + timedelta(hours=1)).isoformat()}).ok(204)
    assert pinned(circle.owner.api, circle) == ids(post)

    clock.advance(timedelta(hours=1))

    assert pinned(circle.owner.api, circle) == []


def test_the_same_pin_again_changes_nothing(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)

    for _ in range(2):
        circle.owner.api.put(f"{post.path}/pin").ok(204)
    for _ in range(2):
        circle.owner.api.delete(f"{post.path}/pin").ok(204)

    log = circle.owner.api.get(f"{circle.path}/audit").ok()["items"]
    assert [entry["action"] for entry in log][:2] == ["post.unpin", "post.pin"]
    assert [entry["action"] for entry in log].count("post.pin") == 1


def test_a_post_in_the_trash_is_no_pin_and_makes_room(world: World) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(MAX_PINS + 1)]
    for post in posts[:MAX_PINS]:
        circle.owner.api.put(f"{post.path}/pin").ok(204)
    circle.owner.api.delete(posts[0].path).ok(204)

    circle.owner.api.put(f"{posts[-1].path}/pin").ok(204)

    assert str(posts[0].id) not in pinned(circle.owner.api, circle)
    assert len(pinned(circle.owner.api, circle)) == MAX_PINS


def test_what_is_locked_is_pinned_as_a_teaser(world: World, api: Api) -> None:
    circle = world.circle()
    post = world.post(circle, access="学员", body="只给学员", kind="article", title="标题")
    circle.owner.api.put(f"{post.path}/pin").ok(204)
    reader = world.member(circle, "读者")

    for visitor in (reader.api, api):
        [item] = visitor.get(f"{circle.path}/pins").ok()["items"]
        assert (item["post"]["locked"], item["post"]["body"], item["post"]["title"]) == (True, None, "标题")


def test_only_those_who_file_pin(world: World) -> None:
    circle = world.circle()
    member, guest, admin = world.member(circle), world.member(circle, role="guest"), world.member(circle, role="admin")
    post = world.post(circle, member)

    assert member.api.put(f"{post.path}/pin").code == "missing_permission"
    assert guest.api.delete(f"{post.path}/pin").code == "missing_permission"
    admin.api.put(f"{post.path}/pin").ok(204)


def test_what_is_not_published_is_not_pinned(world: World) -> None:
    circle = world.circle()
    draft = world.post(circle, status="draft")

    assert circle.owner.api.put(f"{draft.path}/pin").code == "not_published"


@pytest.mark.parametrize("position", [0, MAX_PINS + 1, 1.5, "1", None, True])
def test_a_position_that_is_none_is_refused(world: World, position: Any) -> None:
    post = world.post(world.circle())

    assert post.author.api.put(f"{post.path}/pin", {"position": position}).fields.keys() == {"position"}


def test_an_end_in_the_past_is_refused(world: World) -> None:
    post = world.post(world.circle())

    refused = post.author.api.put(f"{post.path}/pin", {"ends_at": START.isoformat()})

    assert refused.fields == {"ends_at": "in_the_past"}


def test_clients_that_mirror_the_circle_hear_of_pins_and_start(world: World, sql: Callable[..., Any]) -> None:
    circle = world.circle()
    post = world.post(circle)
    circle.owner.api.put(f"{post.path}/pin").ok(204)
    circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": ids(post)}).ok()
    sql("UPDATE changes SET xid = 1")

    items = circle.owner.api.get(f"{circle.path}/changes").ok()["items"]

    found = {item["kind"]: item["item"] for item in items if item["kind"] != "post"}
    assert found["pins"] == {"circle_id": str(circle.id), "pins": [{"post_id": str(post.id), "ends_at": None}]}
    assert found["start_here"] == {"circle_id": str(circle.id), "post_ids": ids(post)}


def test_the_creator_lays_out_where_to_start(world: World) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(3)]
    member = world.member(circle)
    member.api.put(f"{posts[2].path}/read").ok(204)

    shown = circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": ids(posts[2], posts[0])}).ok()

    assert shown["chosen"] is True
    mine = member.api.get(f"{circle.path}/start-here").ok()
    assert [(item["post"]["id"], item["read"]) for item in mine["items"]] == [
        (str(posts[2].id), True),
        (str(posts[0].id), False),
    ]
    assert started(circle.owner.api, circle) == ids(posts[2], posts[0])


def test_without_a_choice_one_starts_at_the_top_of_what_is_open(world: World) -> None:
    circle = world.circle()
    _plain, good, paid = world.post(circle), world.post(circle), world.post(circle, access="学员")
    for post in (good, paid):
        circle.owner.api.put(f"{post.path}/digest").ok(204)
    world.rescore()
    reader = world.member(circle, "读者")

    assert reader.api.get(f"{circle.path}/start-here").ok()["chosen"] is False
    assert started(reader.api, circle) == ids(good)
    assert set(started(world.member(circle, "学员").api, circle)) == set(ids(good, paid))


def test_an_empty_choice_goes_back_to_the_top_of_the_archive(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": ids(post)}).ok()

    assert circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": []}).ok()["chosen"] is False


def test_posts_of_others_drafts_and_doubles_are_no_start(world: World) -> None:
    circle = world.circle()
    here, draft, elsewhere = world.post(circle), world.post(circle, status="draft"), world.post(world.circle())
    wanted = [str(here.id), str(here.id), str(draft.id), str(elsewhere.id), str(uuid4())]

    refused = circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": wanted})

    assert refused.fields == {
        "post_ids.1": "doubled",
        "post_ids.2": "unknown_post",
        "post_ids.3": "unknown_post",
        "post_ids.4": "unknown_post",
    }


def test_members_lay_out_nothing(world: World) -> None:
    circle = world.circle()

    refused = world.member(circle).api.put(f"{circle.path}/start-here", {"post_ids": []})

    assert refused.code == "missing_permission"


def test_reading_pins_and_start_takes_three_statements(world: World) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(3)]
    for post in posts:
        circle.owner.api.put(f"{post.path}/pin").ok(204)
    circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": ids(*posts)}).ok()
    member = world.member(circle)

    for path in ("pins", "start-here"):
        member.api.get(f"{circle.path}/{path}").ok()
        with counted() as statements:
            member.api.get(f"{circle.path}/{path}").ok()
        assert len(statements) == 3
