"""Unread counts, where one stopped, and how far one is on a reading path."""

from datetime import timedelta
from typing import Any

import pytest

from circle.archive.reading_queries import MOST_COUNTED
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World
from tests.conftest import START
from tests.statements import counted


def unread(person: Person, circle: BuiltCircle) -> dict[str, Any]:
    found: dict[str, Any] = person.api.get(f"{circle.path}/unread").ok()
    return found


def stopped(person: Person, **query: str) -> list[tuple[str, int, int | None]]:
    items = person.api.get("/me/continue", query_string=query).ok()["items"]
    return [(item["post"]["id"], item["progress"], item["position"]) for item in items]


def test_what_came_since_one_joined_is_unread_until_it_is_opened(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.post(circle)
    clock.advance(timedelta(hours=1))
    member = world.member(circle)
    clock.advance(timedelta(hours=1))
    first, _second, _own = world.post(circle), world.post(circle), world.post(circle, member)
    assert unread(member, circle) == {"unread": 2, "columns": [], "tags": []}

    member.api.put(f"{first.path}/read", {"progress": 1}).ok(204)

    assert unread(member, circle)["unread"] == 1


def test_columns_and_tags_have_counts_of_their_own(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle, "读者")
    clock.advance(timedelta(hours=1))
    both = world.post(circle, tags=["写作/选题", "写作/改稿"])
    _one = world.post(circle, tags=["写作"])
    paid = world.post(circle, tags=["写作"], access="学员")
    column, locked = world.column(circle, [both, paid]), world.column(circle, [both], access="学员")
    tags = {tag["id"]: tag["path"] for tag in circle.owner.api.get(f"{circle.path}/tags").ok()["items"]}

    shown = unread(member, circle)

    assert shown["unread"] == 2
    assert shown["columns"] == [{"column_id": str(column.id), "unread": 1}]
    assert {tags[one["tag_id"]]: one["unread"] for one in shown["tags"]} == {
        "写作": 2,
        "写作/选题": 1,
        "写作/改稿": 1,
    }
    higher = {one["column_id"] for one in unread(world.member(circle, "学员", started=START), circle)["columns"]}
    assert higher == {str(column.id), str(locked.id)}


def test_marking_all_as_read_holds_until_the_next_post(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        world.post(circle)
    between = START + timedelta(hours=2)

    member.api.put(f"{circle.path}/read", {"until": between.isoformat()}).ok(204)
    assert unread(member, circle)["unread"] == 1
    member.api.put(f"{circle.path}/read").ok(204)
    assert unread(member, circle)["unread"] == 0
    member.api.put(f"{circle.path}/read", {"until": between.isoformat()}).ok(204)  # it does not go back
    assert unread(member, circle)["unread"] == 0

    clock.advance(timedelta(hours=1))
    world.post(circle)
    assert unread(member, circle)["unread"] == 1


def test_a_mark_does_not_run_ahead(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)

    member.api.put(f"{circle.path}/read", {"until": "2099-01-01T00:00:00Z"}).ok(204)
    clock.advance(timedelta(hours=1))
    world.post(circle)

    assert unread(member, circle)["unread"] == 1


def test_counting_ends_where_a_client_shows_plus(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    clock.advance(timedelta(hours=1))
    like = world.post(circle, tags=["写作"])
    for _ in range(MOST_COUNTED + 5):
        sql(
            "INSERT INTO posts SELECT (jsonb_populate_record(post, jsonb_build_object('id', CAST(:id AS text)))).*"
            " FROM posts AS post WHERE id = :like",
            id=str(new_id()),
            like=like.id,
        )
    sql(
        "INSERT INTO post_tags (post_id, tag_id, circle_id, created_at)"
        " SELECT post.id, tag.id, post.circle_id, now() FROM posts AS post JOIN tags AS tag USING (circle_id)"
        " ON CONFLICT DO NOTHING"
    )

    shown = unread(member, circle)

    assert shown["unread"] == MOST_COUNTED
    assert [one["unread"] for one in shown["tags"]] == [MOST_COUNTED]


def test_who_is_no_member_marks_nothing(world: World) -> None:
    circle = world.circle()

    assert world.person().api.put(f"{circle.path}/read").code == "not_a_member"
    assert unread(world.person(), circle) == {"unread": 0, "columns": [], "tags": []}


def test_an_article_goes_on_where_one_stopped(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    first, second, third = (world.post(circle, kind="article", title="长文") for _ in range(3))
    talk = world.post(circle)
    for post, progress, position in ((first, 40, 900), (second, 10, None), (third, 95, 3_000), (talk, 20, 5)):
        clock.advance(timedelta(minutes=1))
        member.api.put(f"{post.path}/read", {"progress": progress, "position": position}).ok(204)

    assert stopped(member) == [(str(second.id), 10, None), (str(first.id), 40, 900)]
    clock.advance(timedelta(minutes=1))
    member.api.put(f"{first.path}/read", {"progress": 30, "position": 700}).ok(204)
    assert stopped(member) == [(str(first.id), 40, 700), (str(second.id), 10, None)]
    member.api.put(f"{second.path}/read").ok(204)
    assert stopped(member, circle_id=str(circle.id)) == [(str(first.id), 40, 700)]
    assert stopped(member, circle_id=str(world.circle().id)) == []


def test_what_is_locked_by_now_is_not_gone_on_with(world: World, clock: ManualClock) -> None:
    circle = world.circle(after_expiry="none")
    member = world.member(circle, days=10)
    post = world.post(circle, kind="article", title="长文")
    member.api.put(f"{post.path}/read", {"progress": 40}).ok(204)
    assert len(stopped(member)) == 1

    clock.set(START + timedelta(days=11))

    assert stopped(member) == []


@pytest.mark.parametrize("position", [-1, 1.5, "3", 2**40, True])
def test_a_position_that_is_none_is_refused(world: World, position: Any) -> None:
    post = world.post(world.circle())

    assert post.author.api.put(f"{post.path}/read", {"position": position}).fields.keys() == {"position"}


def test_a_path_tells_how_far_one_is_and_what_comes_next(world: World) -> None:
    circle = world.circle()
    first, paid, second, third = (
        world.post(circle),
        world.post(circle, access="学员"),
        world.post(circle),
        world.post(circle),
    )
    trashed = world.post(circle, status="hidden")
    path = world.column(circle, [first, paid, second, third, trashed], is_path=True)
    member = world.member(circle, "读者")
    member.api.put(f"{first.path}/read").ok(204)
    member.api.put(f"{second.path}/read", {"progress": 60}).ok(204)

    shown = member.api.get(f"{path.path}/progress").ok()

    assert (shown["item_count"], shown["open_count"], shown["done_count"]) == (4, 3, 1)
    assert shown["next"]["id"] == str(second.id)
    for post in (second, third):
        member.api.put(f"{post.path}/read").ok(204)
    assert member.api.get(f"{path.path}/progress").ok()["next"] is None


def test_a_column_that_is_no_path_has_no_progress(world: World) -> None:
    circle = world.circle()
    plain, locked = world.column(circle), world.column(circle, access="学员", is_path=True)
    member = world.member(circle, "读者")

    assert member.api.get(f"{plain.path}/progress").code == "not_a_path"
    assert member.api.get(f"{locked.path}/progress").code == "column_locked"
    assert member.api.get(f"/columns/{new_id()}/progress").status == 404


def test_each_takes_a_fixed_number_of_statements(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    clock.advance(timedelta(hours=1))
    posts = [world.post(circle, kind="article", title="长文", tags=["写作"]) for _ in range(3)]
    path = world.column(circle, posts, is_path=True)
    for post in posts:
        member.api.put(f"{post.path}/read", {"progress": 10}).ok(204)

    for at, expected in ((f"{circle.path}/unread", 2), (f"{path.path}/progress", 3), ("/me/continue", 3)):
        member.api.get(at).ok()
        with counted() as statements:
            member.api.get(at).ok()
        assert len(statements) == expected, at
