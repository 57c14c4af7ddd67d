"""Batch work: many posts in one request, a count of what changed, and the same again changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.archive.services import batches
from circle.kernel.clock import ManualClock
from tests.builders.archive import BuiltColumn
from tests.builders.circles import BuiltCircle
from tests.builders.posts import BuiltPost
from tests.client import Reply, World
from tests.conftest import START


def work(circle: BuiltCircle, body: Any) -> Reply:
    return circle.owner.api.post(f"{circle.path}/batch", body)


def tags(post: BuiltPost) -> list[str]:
    found: list[str] = post.circle.owner.api.get(post.path).ok()["tags"]
    return found


def items(column: BuiltColumn) -> list[str]:
    return [item["post"]["id"] for item in column.circle.owner.api.get(f"{column.path}/items").ok()["items"]]


def ids(*posts: BuiltPost) -> list[str]:
    return [str(post.id) for post in posts]


def test_all_steps_at_once_and_again_without_effect(world: World) -> None:
    circle = world.circle()
    first, second, other = (
        world.post(circle, tags=["旧"]),
        world.post(circle, tags=["旧", "写作/选题"]),
        world.post(circle),
    )
    column = world.column(circle)
    body = {
        "filter": {"tag": "旧"},
        "add_tags": ["写作/选题"],
        "remove_tags": ["旧"],
        "column_id": str(column.id),
        "digest": True,
    }
    by_ids = {**{name: body[name] for name in body if name != "filter"}, "post_ids": ids(first, second)}

    done = work(circle, body).ok()
    again = work(circle, by_ids).ok()

    assert (done["matched"], done["changed"], done["next_cursor"]) == (2, 2, None)
    assert done["by_step"] == {"tagged": 1, "untagged": 2, "filed": 2, "digest": 2}
    assert (again["matched"], again["changed"]) == (2, 0)
    assert (tags(first), tags(second), tags(other)) == (["写作/选题"], ["写作/选题"], [])
    assert items(column) == ids(first, second)
    digests = circle.owner.api.get(f"{circle.path}/posts?digest=true").ok()["items"]
    assert {one["id"] for one in digests} == set(ids(first, second))


def test_filters_find_what_the_feed_would(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    talk = world.post(circle, tags=["写作/选题"])
    article = world.post(circle, member, kind="article", title="长文")
    clock.advance(timedelta(days=1))
    late = world.post(circle, member)
    column = world.column(circle, [late])
    circle.owner.api.put(f"{talk.path}/digest").ok(204)
    noon = (START + timedelta(hours=1)).isoformat()
    cases: list[tuple[dict[str, Any], tuple[BuiltPost, ...]]] = [
        ({}, (talk, article, late)),
        ({"kind": "article"}, (article,)),
        ({"author": str(member.id)}, (article, late)),
        ({"tag": "写作"}, (talk,)),
        ({"tag": "写"}, ()),
        ({"column": str(column.id)}, (late,)),
        ({"digest": True}, (talk,)),
        ({"digest": False, "kind": "talk"}, (late,)),
        ({"since": noon}, (late,)),
        ({"until": noon}, (talk, article)),
        ({"untagged": True}, (article, late)),
        ({"untagged": False}, (talk,)),
    ]

    for number, (wanted, found) in enumerate(cases):
        assert work(circle, {"filter": wanted, "add_tags": [f"第{number}"]}).ok()["changed"] == len(found), wanted
        assert all(f"第{number}" in tags(post) for post in found)
        work(circle, {"filter": {"tag": f"第{number}"}, "remove_tags": [f"第{number}"]}).ok()


def test_what_is_not_published_or_elsewhere_is_left_alone(world: World) -> None:
    circle = world.circle()
    draft, trashed, elsewhere = (
        world.post(circle, status="draft"),
        world.post(circle, status="trashed"),
        world.post(world.circle()),
    )
    named = ids(world.post(circle), draft, trashed, elsewhere)

    assert work(circle, {"filter": {}, "digest": True}).ok()["matched"] == 1
    assert work(circle, {"post_ids": named, "digest": True}).fields == {
        f"post_ids.{number}": "unknown_post" for number in (1, 2, 3)
    }


def test_an_anonymous_asker_is_not_found_out_by_a_filter(world: World) -> None:
    circle = world.circle(anonymous_questions=True)
    asker, admin = world.member(circle), world.member(circle, role="admin")
    world.ask(circle, asker, anonymous=True)
    body = {"filter": {"author": str(asker.id)}, "add_tags": ["猜"]}

    assert admin.api.post(f"{circle.path}/batch", body).ok()["matched"] == 0
    assert work(circle, body).ok()["matched"] == 1


def test_more_than_one_request_takes_goes_on_at_the_cursor(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_BATCH", 2)
    circle = world.circle()
    posts = [world.post(circle) for _ in range(5)]
    column = world.column(circle)
    body: dict[str, Any] = {"filter": {"kind": "talk"}, "column_id": str(column.id)}

    matched, cursor = [], None
    for _ in range(3):
        done = work(circle, {**body, "cursor": cursor}).ok()
        matched.append(done["matched"])
        cursor = done["next_cursor"]

    assert (matched, cursor) == ([2, 2, 1], None)
    assert items(column) == ids(*posts)


def test_named_posts_are_filed_in_their_order(world: World) -> None:
    circle = world.circle()
    first, second, third = (world.post(circle) for _ in range(3))
    column = world.column(circle, [second])

    work(circle, {"post_ids": ids(third, second, first), "column_id": str(column.id)}).ok()

    assert items(column) == ids(second, third, first)


def test_a_section_takes_them_at_its_end(world: World) -> None:
    circle = world.circle()
    before, one, two, moved, new = (world.post(circle) for _ in range(5))
    column = world.column(circle)
    sections = [{"name": "一", "post_ids": ids(one, moved)}, {"name": "二", "post_ids": ids(two)}]
    order = {"post_ids": ids(before), "sections": sections}
    arranged = circle.owner.api.put(f"{column.path}/items", order).ok()
    first, second = (section["id"] for section in arranged["sections"])

    work(circle, {"post_ids": ids(new), "column_id": str(column.id), "section_id": first}).ok()
    done = work(circle, {"post_ids": ids(moved, two), "column_id": str(column.id), "section_id": second}).ok()

    assert done["by_step"]["filed"] == 1  # the other stood there
    after = circle.owner.api.get(column.path).ok()
    assert [(item["section_id"], item["post"]["id"]) for item in after["items"]] == [
        (None, str(before.id)),
        (first, str(one.id)),
        (first, str(new.id)),
        (second, str(two.id)),
        (second, str(moved.id)),
    ]
    assert after["version"] == arranged["version"] + 2


def test_a_post_that_would_have_too_many_tags_is_skipped_and_named(world: World) -> None:
    circle = world.circle()
    full, room = world.post(circle, tags=[f"标签{n}" for n in range(20)]), world.post(circle)

    done = work(circle, {"post_ids": ids(full, room), "add_tags": ["新", "标签1"]}).ok()

    assert done["skipped"] == [{"post_id": str(full.id), "code": "too_many_tags"}]
    assert (len(tags(full)), tags(room)) == (20, ["新", "标签1"])
    assert work(circle, {"post_ids": ids(full), "add_tags": ["标签1", "标签2"]}).ok()["skipped"] == []


def test_it_is_on_record_and_clients_hear_of_it_once_a_post(world: World, sql: Callable[..., list[Any]]) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(3)]
    sql("DELETE FROM changes")

    for _ in range(2):
        work(circle, {"post_ids": ids(*posts), "add_tags": ["新"], "digest": True}).ok()

    changed = sql("SELECT item_id FROM changes WHERE kind = 'post' AND operation = 'updated'")
    assert sorted(str(row["item_id"]) for row in changed) == sorted(ids(*posts))
    [entry] = [
        one for one in circle.owner.api.get(f"{circle.path}/audit").ok()["items"] if one["action"] == "archive.batch"
    ]
    assert entry["data"]["add_tags"] == ["新"]
    assert entry["data"]["changed"] == {"tagged": 3, "untagged": 0, "filed": 0, "digest": 3}


def test_only_those_who_file_work_in_batches(world: World) -> None:
    circle = world.circle()
    body = {"filter": {}, "digest": True}

    for person in (world.member(circle), world.member(circle, role="guest")):
        assert person.api.post(f"{circle.path}/batch", body).code == "missing_permission"


def test_what_is_asked_must_make_sense(world: World) -> None:
    circle, elsewhere = world.circle(), world.circle()
    post = world.post(circle)
    mine = {"post_ids": ids(post)}
    column, foreign = world.column(circle), world.column(elsewhere)

    assert work(circle, {"digest": True}).fields == {"filter": "one_of"}
    assert work(circle, {"filter": {}, **mine, "digest": True}).fields == {"filter": "one_of"}
    assert work(circle, mine).fields == {"add_tags": "nothing_to_do"}
    assert work(circle, {**mine, "add_tags": ["a//b"]}).fields == {"add_tags.0": "bad_tag"}
    assert work(circle, {**mine, "column_id": str(uuid4())}).status == 404
    assert work(circle, {**mine, "column_id": str(foreign.id)}).status in {403, 404}
    wrong_section = {**mine, "column_id": str(column.id), "section_id": str(uuid4())}
    assert work(circle, wrong_section).fields == {"section_id": "unknown_section"}
    assert work(circle, {**mine, "digest": True, "cursor": "W10"}).code == "bad_cursor"
    assert work(circle, {"filter": {"nonsense": 1}, "digest": True}).status == 422
    assert work(circle, {"post_ids": [], "digest": True}).fields.keys() == {"post_ids"}
    assert circle.owner.api.get(post.path).ok()["digest"] is False
