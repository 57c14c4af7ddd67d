"""A member's own bookmarks: folders, notes, and what is left when access ends."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.archive.services.bookmarking import MAX_FOLDERS
from circle.kernel.clock import ManualClock
from tests.builders.people import Person
from tests.client import World
from tests.conftest import START
from tests.statements import counted


def kept(person: Person, **query: str) -> list[Any]:
    found: list[Any] = person.api.get("/me/bookmarks", query_string=query).ok()["items"]
    return found


def test_bookmarks_are_ones_own_the_latest_first(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    first, second = world.post(circle), world.post(circle)
    member, other = world.member(circle), world.member(circle)
    member.api.put(f"{first.path}/bookmark", {"folder": "素材", "note": "第三段"}).ok(204)
    clock.advance(timedelta(minutes=1))
    member.api.put(f"{second.path}/bookmark").ok(204)

    shown = kept(member)

    assert [(one["post_id"], one["note"], one["folder"] and one["folder"]["name"]) for one in shown] == [
        (str(second.id), "", None),
        (str(first.id), "第三段", "素材"),
    ]
    assert shown[0]["post"]["body"] == "正文"
    assert kept(other) == []


def test_keeping_again_changes_folder_and_note_and_not_the_place(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    first, second = world.post(circle), world.post(circle)
    member = world.member(circle)
    for post in (first, second):
        member.api.put(f"{post.path}/bookmark", {"note": "旧"}).ok(204)
        clock.advance(timedelta(minutes=1))

    member.api.put(f"{first.path}/bookmark", {"folder": "新", "note": "新"}).ok(204)

    assert [one["note"] for one in kept(member)] == ["旧", "新"]


def test_filters_narrow_them(world: World) -> None:
    circle, elsewhere = world.circle(), world.circle()
    member = world.member(circle)
    world.member(elsewhere, person=member)
    here, there = world.post(circle), world.post(elsewhere)
    member.api.put(f"{here.path}/bookmark", {"folder": "甲"}).ok(204)
    member.api.put(f"{there.path}/bookmark", {"folder": "乙"}).ok(204)

    assert [one["post_id"] for one in kept(member, folder="甲")] == [str(here.id)]
    assert [one["post_id"] for one in kept(member, circle_id=str(elsewhere.id))] == [str(there.id)]
    assert kept(member, folder="甲", circle_id=str(elsewhere.id)) == []
    assert {one["circle_id"] for one in kept(member)} == {str(circle.id), str(elsewhere.id)}


def test_pages_go_on_where_the_last_ended(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    posts = [world.post(circle) for _ in range(5)]
    for post in posts:
        member.api.put(f"{post.path}/bookmark").ok(204)

    first = member.api.get("/me/bookmarks?limit=3").ok()
    rest = member.api.get(f"/me/bookmarks?limit=3&cursor={first['next_cursor']}").ok()

    found = [one["post_id"] for page in (first, rest) for one in page["items"]]
    assert sorted(found) == sorted(str(post.id) for post in posts)
    assert rest["next_cursor"] is None


def test_what_is_locked_by_now_stays_listed_as_a_teaser(world: World, clock: ManualClock) -> None:
    circle = world.circle(after_expiry="none")
    post = world.post(circle, kind="article", title="标题", body="付费的字")
    member = world.member(circle, days=10)
    member.api.put(f"{post.path}/bookmark", {"note": "我的话"}).ok(204)

    clock.set(START + timedelta(days=11))

    [one] = kept(member)
    assert (one["note"], one["post"]["title"], one["post"]["locked"]) == ("我的话", "标题", True)
    assert one["post"]["body"] is None


def test_what_one_may_not_see_any_more_leaves_the_note(world: World) -> None:
    circle = world.circle(preview_policy="none")
    banned, gone = world.post(circle), world.post(circle)
    member = world.member(circle)
    member.api.put(f"{gone.path}/bookmark", {"note": "会被删"}).ok(204)
    circle.owner.api.delete(gone.path).ok(204)
    assert [(one["note"], one["post"]) for one in kept(member)] == [("会被删", None)]
    member.api.put(f"{banned.path}/bookmark", {"note": "还在"}).ok(204)

    circle.owner.api.post(f"{circle.path}/members/{member.id}/ban", {"refund": False}).ok()

    assert {(one["note"], one["post"]) for one in kept(member)} == {("会被删", None), ("还在", None)}


def test_what_one_may_not_read_is_not_kept(world: World) -> None:
    circle = world.circle()
    member = world.member(circle, "读者")

    assert member.api.put(f"{world.post(circle, access='学员').path}/bookmark").code == "post_locked"
    assert member.api.put(f"{world.post(circle, status='draft').path}/bookmark").status == 404
    assert member.api.put(f"/posts/{uuid4()}/bookmark").status == 404


def test_a_bookmark_is_taken_away_also_of_what_is_gone(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    member.api.put(f"{post.path}/bookmark").ok(204)
    circle.owner.api.delete(post.path).ok(204)

    assert [member.api.delete(f"{post.path}/bookmark").status for _ in range(2)] == [204, 204]
    assert kept(member) == []


def test_folders_are_made_renamed_and_deleted(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    posts = [world.post(circle) for _ in range(3)]
    for post, folder in zip(posts, ("甲", "甲", "乙"), strict=True):
        member.api.put(f"{post.path}/bookmark", {"folder": folder}).ok(204)
    folders = {one["name"]: one for one in member.api.get("/me/bookmark-folders").ok()["items"]}
    assert {name: one["bookmark_count"] for name, one in folders.items()} == {"甲": 2, "乙": 1}
    path = f"/me/bookmark-folders/{folders['甲']['id']}"

    assert member.api.patch(path, {"name": "乙"}).code == "folder_exists"
    assert member.api.patch(path, {"name": "丙"}).ok() == {**folders["甲"], "name": "丙"}
    assert len(kept(member, folder="丙")) == 2
    member.api.delete(path).ok(204)

    assert [one["name"] for one in member.api.get("/me/bookmark-folders").ok()["items"]] == ["乙"]
    assert [one["folder"] for one in kept(member)].count(None) == 2


def test_folders_of_others_do_not_exist(world: World) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle)
    member.api.put(f"{world.post(circle).path}/bookmark", {"folder": "甲"}).ok(204)
    path = f"/me/bookmark-folders/{member.api.get('/me/bookmark-folders').ok()['items'][0]['id']}"

    assert other.api.patch(path, {"name": "乙"}).status == 404
    assert other.api.delete(path).status == 404
    assert member.api.patch(path, {"name": " "}).fields == {"name": "blank"}


def test_there_is_an_end_to_folders(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    sql(
        "INSERT INTO bookmark_folders (id, user_id, name, created_at)"
        " SELECT gen_random_uuid(), :id, n::text, now() FROM generate_series(1, :most) AS n",
        id=member.id,
        most=MAX_FOLDERS,
    )

    assert member.api.put(f"{post.path}/bookmark", {"folder": "又一个"}).code == "too_many_folders"
    member.api.put(f"{post.path}/bookmark", {"folder": "7"}).ok(204)


@pytest.mark.parametrize(
    "body", [{"folder": "字" * 61}, {"note": "字" * 2_001}, {"folder": "a\u202eb"}, {"nonsense": 1}]
)
def test_nonsense_is_refused(world: World, body: Any) -> None:
    post = world.post(world.circle())

    assert post.author.api.put(f"{post.path}/bookmark", body).status == 422


def test_they_go_with_the_account_and_are_in_its_copy(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    member.api.put(f"{post.path}/bookmark", {"folder": "甲", "note": "我的话"}).ok(204)
    member.api.put(f"{circle.path}/read").ok(204)

    copy = member.api.get("/me/export").ok()
    member.api.delete("/me", json={}).ok(204)

    assert "我的话" in str(copy)
    for table in ("bookmarks", "bookmark_folders", "circle_reads"):
        assert sql(f"SELECT count(*) FROM {table}")[0]["count"] == 0  # noqa: S608 - names of our own tables


def test_however_many_circles_a_page_takes_three_statements(world: World) -> None:
    member = world.person()
    for _ in range(4):
        circle = world.circle()
        world.member(circle, person=member)
        member.api.put(f"{world.post(circle).path}/bookmark").ok(204)

    member.api.get("/me/bookmarks").ok()
    with counted() as statements:
        assert len(member.api.get("/me/bookmarks").ok()["items"]) == 4

    assert len(statements) == 3
