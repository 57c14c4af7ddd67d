"""Columns: making, gating, arranging, reading."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.archive import schemas
from circle.kernel.clock import ManualClock
from tests.builders.archive import BuiltColumn
from tests.client import Api, World
from tests.statements import counted


def titles(page: dict[str, Any]) -> list[str]:
    return [item["post"]["title"] for item in page["items"]]


def test_a_column_is_made_and_listed(world: World) -> None:
    circle = world.circle()

    made = circle.owner.api.post(f"{circle.path}/columns", {"name": "写作入门", "intro": "从一百字开始"}).ok(201)

    assert made["sections"] == made["items"] == []
    listed = world.member(circle).api.get(f"{circle.path}/columns").ok()["items"]
    assert [(one["id"], one["name"], one["locked"]) for one in listed] == [(made["id"], "写作入门", False)]


def test_members_do_not_make_columns(world: World) -> None:
    circle = world.circle()

    assert world.member(circle).api.post(f"{circle.path}/columns", {"name": "我的"}).code == "missing_permission"


def test_posts_stand_in_the_order_that_was_sent_with_sections(world: World) -> None:
    circle = world.circle()
    posts = {name: world.post(circle, title=name) for name in "序一二三"}
    column = world.column(circle)

    arranged = circle.owner.api.put(
        f"{column.path}/items",
        {
            "post_ids": [str(posts["序"].id)],
            "sections": [
                {"name": "第一周", "post_ids": [str(posts["二"].id), str(posts["一"].id)]},
                {"name": "第二周", "post_ids": [str(posts["三"].id)]},
            ],
        },
    ).ok()

    assert titles(arranged) == ["序", "二", "一", "三"]
    assert [(one["name"], one["item_count"]) for one in arranged["sections"]] == [("第一周", 2), ("第二周", 1)]
    first, second = (one["id"] for one in arranged["sections"])
    assert [item["section_id"] for item in arranged["items"]] == [None, first, first, second]
    assert arranged["item_count"] == 4


def test_arranging_again_keeps_named_sections_and_drops_the_rest(world: World) -> None:
    circle = world.circle()
    one, two = world.post(circle, title="一"), world.post(circle, title="二")
    column = world.column(circle)
    put = f"{column.path}/items"
    sections = [{"name": name, "post_ids": [str(post.id)]} for name, post in (("甲", one), ("乙", two))]
    before = circle.owner.api.put(put, {"sections": sections}).ok()["sections"]

    after = circle.owner.api.put(
        put, {"sections": [{"id": before[1]["id"], "name": "乙改", "post_ids": [str(one.id)]}]}
    ).ok()

    assert [(s["id"], s["name"]) for s in after["sections"]] == [(before[1]["id"], "乙改")]
    assert titles(after) == ["一"]


def test_posts_that_nobody_sees_at_present_stay_filed(world: World) -> None:
    circle = world.circle()
    gone, stays = world.post(circle, title="回收"), world.post(circle, title="留下")
    column = world.column(circle, [gone, stays])
    circle.owner.api.delete(gone.path).ok()

    circle.owner.api.put(f"{column.path}/items", {"post_ids": [str(stays.id)]}).ok()
    circle.owner.api.post(f"{gone.path}/restore").ok()

    assert set(titles(circle.owner.api.get(column.path).ok())) == {"回收", "留下"}


@pytest.mark.parametrize("strange", ["unknown", "foreign", "draft of another"])
def test_only_posts_of_the_circle_are_filed(world: World, strange: str) -> None:
    circle = world.circle()
    column = world.column(circle)
    post_id = {
        "unknown": uuid4,
        "foreign": lambda: world.post(world.circle()).id,
        "draft of another": lambda: world.post(circle, world.member(circle), status="draft").id,
    }[strange]()

    refused = circle.owner.api.put(f"{column.path}/items", {"post_ids": [str(post_id)]})

    assert refused.fields == {"post_ids.0": "unknown_post"}


def test_a_post_stands_once(world: World) -> None:
    circle = world.circle()
    post, column = str(world.post(circle).id), world.column(circle)

    refused = circle.owner.api.put(
        f"{column.path}/items", {"post_ids": [post], "sections": [{"name": "甲", "post_ids": [post]}]}
    )

    assert refused.fields == {"sections.0.post_ids.0": "doubled"}


def test_a_section_of_another_column_is_unknown(world: World) -> None:
    circle = world.circle()
    other, column = world.column(circle), world.column(circle)
    foreign = circle.owner.api.put(f"{other.path}/items", {"sections": [{"name": "甲"}]}).ok()["sections"][0]["id"]

    refused = circle.owner.api.put(f"{column.path}/items", {"sections": [{"id": foreign, "name": "偷"}]})

    assert refused.fields == {"sections.0.id": "unknown_section"}


def test_items_come_in_pages_that_do_not_shift(world: World) -> None:
    circle = world.circle()
    posts = [world.post(circle, title=str(n)) for n in range(7)]
    column = world.column(circle, posts)
    first = circle.owner.api.get(f"{column.path}/items?limit=3").ok()
    circle.owner.api.delete(posts[1].path).ok()

    second = circle.owner.api.get(f"{column.path}/items?limit=3&cursor={first['next_cursor']}").ok()
    third = circle.owner.api.get(f"{column.path}/items?limit=3&cursor={second['next_cursor']}").ok()

    assert [titles(page) for page in (first, second, third)] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert third["next_cursor"] is None


def test_a_column_of_thousands_is_arranged_in_one_request_and_few_statements(
    world: World, sql: Callable[..., list[Any]]
) -> None:
    circle = world.circle()
    column = world.column(circle)
    sql(
        "INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, anonymous,"
        " attachments, reaction_counts, comment_count, published_at, created_at, version)"
        " SELECT gen_random_uuid(), :circle, :owner, 'article', 'published', n::text, 'x', '', 'members', false, '[]',"
        " '{}', 0, now(), now(), 1 FROM generate_series(1, 10000) n",
        circle=circle.id,
        owner=circle.owner.id,
    )
    ids = [str(row["id"]) for row in sql("SELECT id FROM posts ORDER BY title DESC")]

    arranged = circle.owner.api.put(f"{column.path}/items", {"post_ids": ids}).ok()

    assert arranged["item_count"] == 10_000
    assert [item["post"]["id"] for item in arranged["items"]] == ids[:20]
    assert circle.owner.api.put(f"{column.path}/items", {"post_ids": [*ids, ids[0]]}).status == 422


def _shown(api: Api, column: BuiltColumn) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(column.path).ok()
    return answer


def test_a_locked_column_tells_its_name_intro_and_count_only(world: World) -> None:
    circle = world.circle()
    secret = world.post(circle, title="只给学员", access="学员")
    column = world.column(circle, [secret], access="学员", intro="简介")
    reader, student = world.member(circle, "读者"), world.member(circle, "学员")

    locked = _shown(reader.api, column)

    assert (locked["locked"], locked["name"], locked["intro"], locked["item_count"]) == (True, "写作入门", "简介", 1)
    assert locked["required_tier"]["name"] == "学员"
    assert locked["sections"] == locked["items"] == []
    assert "只给学员" not in str(locked)
    refused = reader.api.get(f"{column.path}/items")
    assert (refused.status, refused.code, refused.json["data"]) == (403, "column_locked", {"required_tier": "学员"})
    assert reader.api.get(f"{circle.path}/posts?column={column.id}").ok()["items"] == []
    assert titles(_shown(student.api, column)) == ["只给学员"]
    assert len(student.api.get(f"{circle.path}/posts?column={column.id}").ok()["items"]) == 1
    assert _shown(world.member(circle, role="admin").api, column)["locked"] is False


def test_a_preview_column_is_open_to_strangers_and_its_posts_keep_their_own_gates(world: World) -> None:
    circle = world.circle()
    free, paid = world.post(circle, title="免费", access="preview"), world.post(circle, title="付费", body="机密")
    column = world.column(circle, [free, paid], access="preview")

    seen = _shown(world.person().api, column)["items"]

    assert [(item["post"]["title"], item["post"]["locked"]) for item in seen] == [("免费", False), ("付费", True)]
    assert "机密" not in str(seen)


def test_an_expired_member_looks_into_columns_of_the_paid_term(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    reader = world.member(circle, "读者", days=30)
    open_column = world.column(circle, [world.post(circle, title="付过")])
    higher = world.column(circle, access="学员")
    clock.advance(timedelta(days=31))
    later = world.post(circle, title="之后")
    circle.owner.api.put(
        f"{open_column.path}/items",
        {"post_ids": [i["post"]["id"] for i in _shown(circle.owner.api, open_column)["items"]] + [str(later.id)]},
    ).ok()

    items = _shown(reader.api, open_column)["items"]

    assert [(i["post"]["title"], i["post"]["locked"]) for i in items] == [("付过", False), ("之后", True)]
    assert _shown(reader.api, higher)["locked"] is True


def test_a_circle_that_hides_itself_hides_its_columns(world: World) -> None:
    column = world.column(world.circle(preview_policy="none"))

    assert world.person().api.get(column.path).status == 404
    assert world.person().api.get(f"{column.path}/items").status == 404


def test_a_column_is_edited_and_a_stale_editor_loses(world: World) -> None:
    circle = world.circle()
    column = world.column(circle)
    version = _shown(circle.owner.api, column)["version"]
    changes = {"name": "新名", "is_path": True, "access": {"level": "preview"}, "position": 3}

    edited = circle.owner.api.patch(column.path, changes, headers={"If-Match": f'"{version}"'}).ok()
    late = circle.owner.api.patch(column.path, {"name": "晚"}, headers={"If-Match": f'"{version}"'})

    assert (edited["name"], edited["is_path"], edited["access"]["level"]) == ("新名", True, "preview")
    assert late.status == 412


def test_arranging_makes_a_new_version(world: World) -> None:
    circle = world.circle()
    column = world.column(circle)
    version = _shown(circle.owner.api, column)["version"]

    circle.owner.api.put(f"{column.path}/items", {"sections": [{"name": "甲"}]}).ok()

    late = circle.owner.api.put(f"{column.path}/items", {}, headers={"If-Match": f'"{version}"'})
    assert late.status == 412


def test_a_tier_of_another_circle_gates_nothing(world: World) -> None:
    circle, other = world.circle(), world.circle()
    gate = {"level": "tier", "tier_id": str(other.tier(1).id)}

    refused = circle.owner.api.post(f"{circle.path}/columns", {"name": "甲", "access": gate})

    assert refused.fields == {"access.tier_id": "unknown_tier"}


def test_an_archived_column_is_gone_and_its_posts_stay(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    column = world.column(circle, [post])

    circle.owner.api.delete(column.path).ok(204)

    assert circle.owner.api.get(column.path).status == 404
    for gone in (column.path, f"/columns/{uuid4()}"):
        assert circle.owner.api.delete(gone).status == 404
    assert circle.owner.api.get(f"{circle.path}/columns").ok()["items"] == []
    assert circle.owner.api.get(post.path).status == 200


def test_answers_built_by_hand_have_their_schemas_shape(world: World) -> None:
    circle = world.circle()
    column = world.column(circle, [world.post(circle, tags=["写作"])], access="学员")
    reader = world.member(circle, "读者")

    for api in (circle.owner.api, reader.api):
        assert not schemas.ColumnPageOut().validate(api.get(column.path).ok())
        for item in api.get(f"{circle.path}/columns").ok()["items"]:
            assert not schemas.ColumnOut().validate(item)
    for tag in reader.api.get(f"{circle.path}/tags").ok()["items"]:
        assert not schemas.CountedTagOut().validate(tag)


def test_a_page_costs_the_same_few_statements_however_many_posts_it_shows(world: World) -> None:
    circle = world.circle()
    reader = world.member(circle)
    column = world.column(circle, [world.post(circle) for _ in range(8)])
    sent = {}

    for path in (column.path, f"{column.path}/items", f"{circle.path}/columns", f"{circle.path}/tags"):
        reader.api.get(path).ok()
        with counted() as statements:
            reader.api.get(path).ok()
        sent[path] = len(statements)

    # The credential with the standing; then column, sections, order, cards.
    assert list(sent.values()) == [5, 4, 2, 2]
