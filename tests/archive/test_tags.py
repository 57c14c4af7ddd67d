"""Filing posts under tags, and putting the tree of tags in order."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.builders.circles import BuiltCircle
from tests.client import World

Sql = Callable[..., list[Any]]


def tree(circle: BuiltCircle) -> dict[str, Any]:
    return {tag["path"]: tag for tag in circle.owner.api.get(f"{circle.path}/tags").ok()["items"]}


def test_a_tag_is_added_by_its_path_with_the_slash_plain_or_encoded(world: World) -> None:
    circle = world.circle()
    plain, encoded = world.post(circle), world.post(circle)

    circle.owner.api.put(f"{plain.path}/tags/写作/选题/热点").ok(204)
    circle.owner.api.put(f"{encoded.path}/tags/{quote('写作/选题/热点', safe='')}").ok(204)

    assert circle.owner.api.get(plain.path).ok()["tags"] == ["写作/选题/热点"]
    assert circle.owner.api.get(encoded.path).ok()["tags"] == ["写作/选题/热点"]


def test_adding_a_tag_leaves_the_others(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["写作"])

    for _ in range(2):
        circle.owner.api.put(f"{post.path}/tags/阅读").ok(204)

    assert circle.owner.api.get(post.path).ok()["tags"] == ["写作", "阅读"]


def test_removing_a_tag_leaves_the_others_and_a_second_time_nothing_happens(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["写作", "写作/选题"])

    for _ in range(2):
        circle.owner.api.delete(f"{post.path}/tags/写作/选题").ok(204)

    assert circle.owner.api.get(post.path).ok()["tags"] == ["写作"]


@pytest.mark.parametrize(
    "path", ["a//b", "%00", "a%0Ab", "%20", "x" * 41, "/".join("abcdefghi"), "a%E2%80%AEb"], ids=repr
)
def test_a_bad_path_is_refused(world: World, path: str) -> None:
    circle = world.circle()
    post = world.post(circle)

    assert 400 <= circle.owner.api.put(f"{post.path}/tags/{path}").status < 500
    assert tree(circle) == {}


def test_a_post_has_at_most_twenty_tags(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=[f"标签{n}" for n in range(20)])

    assert circle.owner.api.put(f"{post.path}/tags/标签1").status == 204
    assert circle.owner.api.put(f"{post.path}/tags/再来").code == "too_many_tags"


def test_members_do_not_file_others_posts_nor_their_own_through_here(world: World) -> None:
    circle = world.circle()
    author = world.member(circle)
    post = world.post(circle, author)

    assert author.api.put(f"{post.path}/tags/写作").code == "missing_permission"
    assert author.api.delete(f"{post.path}/tags/写作").code == "missing_permission"


def test_the_tree_counts_published_posts_of_a_subtree_once(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["写作/选题", "写作/结构"])
    world.post(circle, tags=["写作"])
    world.post(circle, tags=["写作/选题"], status="trashed")

    tags = tree(circle)

    assert {path: tag["post_count"] for path, tag in tags.items()} == {"写作": 2, "写作/结构": 1, "写作/选题": 1}
    assert tags["写作/选题"]["parent_id"] == tags["写作"]["id"]
    assert [tags["写作"]["depth"], tags["写作/选题"]["depth"]] == [1, 2]


def test_the_tree_comes_in_pages(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=[f"甲/{n}" for n in range(5)])

    seen, cursor = [], ""
    while cursor is not None:
        page = circle.owner.api.get(f"{circle.path}/tags?limit=2{cursor and '&cursor=' + cursor}").ok()
        seen += [tag["path"] for tag in page["items"]]
        cursor = page["next_cursor"]

    assert seen == ["甲", *(f"甲/{n}" for n in range(5))]


def test_a_renamed_tag_takes_its_subtree_along(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["写作/选题/热点", "写作坊"])
    tag = tree(circle)["写作"]

    renamed = circle.owner.api.patch(f"/tags/{tag['id']}", {"name": "创作"}).ok()

    assert renamed["path"] == "创作"
    assert set(tree(circle)) == {"创作", "创作/选题", "创作/选题/热点", "写作坊"}
    assert circle.owner.api.get(post.path).ok()["tags"] == ["写作坊", "创作/选题/热点"]
    assert len(circle.owner.api.get(f"{circle.path}/posts?tag=创作").ok()["items"]) == 1


def test_a_tag_moves_below_another_and_back_to_the_top(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["选题/热点", "写作"])
    tags = tree(circle)

    moved = circle.owner.api.patch(f"/tags/{tags['选题']['id']}", {"parent_id": tags["写作"]["id"]}).ok()
    assert moved["path"] == "写作/选题"
    assert "写作/选题/热点" in tree(circle)

    circle.owner.api.patch(f"/tags/{tags['选题']['id']}", {"parent_id": None, "name": "题目"}).ok()
    assert set(tree(circle)) == {"写作", "题目", "题目/热点"}


def test_a_tag_does_not_go_below_itself(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["甲/乙/丙"])
    tags = tree(circle)
    top, bottom = tags["甲"]["id"], tags["甲/乙/丙"]["id"]

    assert circle.owner.api.patch(f"/tags/{top}", {"parent_id": bottom}).code == "tag_inside"
    assert circle.owner.api.patch(f"/tags/{top}", {"parent_id": top}).code == "tag_inside"
    assert circle.owner.api.patch(f"/tags/{top}", {"merge_into": bottom}).code == "tag_inside"
    assert circle.owner.api.patch(f"/tags/{top}", {"merge_into": top}).code == "tag_inside"


def test_a_taken_path_names_the_tag_to_merge_with(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["写作", "创作"])
    tags = tree(circle)

    refused = circle.owner.api.patch(f"/tags/{tags['写作']['id']}", {"name": "创作"})

    assert refused.code == "tag_exists"
    assert refused.json["data"] == {"tag_id": tags["创作"]["id"]}


def test_merging_joins_posts_and_children_of_one_name(world: World) -> None:
    circle = world.circle()
    both = world.post(circle, tags=["写作/选题", "创作/选题"])
    one = world.post(circle, tags=["写作/选题", "写作/结构/开头"])
    tags = tree(circle)

    merged = circle.owner.api.patch(f"/tags/{tags['写作']['id']}", {"merge_into": tags["创作"]["id"]}).ok()

    assert merged["id"] == tags["创作"]["id"]
    after = tree(circle)
    assert {path: tag["post_count"] for path, tag in after.items()} == {
        "创作": 2,
        "创作/选题": 2,
        "创作/结构": 1,
        "创作/结构/开头": 1,
    }
    assert after["创作/结构"]["parent_id"] == after["创作"]["id"]
    assert circle.owner.api.get(both.path).ok()["tags"] == ["创作/选题"]
    assert circle.owner.api.get(one.path).ok()["tags"] == ["创作/结构/开头", "创作/选题"]


def test_a_tag_is_merged_into_its_own_ancestor(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["甲/乙", "甲/乙/乙/丙"])
    tags = tree(circle)

    circle.owner.api.patch(f"/tags/{tags['甲/乙']['id']}", {"merge_into": tags["甲"]["id"]}).ok()

    assert set(tree(circle)) == {"甲", "甲/乙", "甲/乙/丙"}
    assert circle.owner.api.get(post.path).ok()["tags"] == ["甲", "甲/乙/丙"]


def test_nothing_gets_deeper_than_eight_levels(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["甲/二/三/四", "a/b/c/d/e"])
    tags = tree(circle)

    refused = circle.owner.api.patch(f"/tags/{tags['甲']['id']}", {"parent_id": tags["a/b/c/d/e"]["id"]})

    assert refused.fields == {"parent_id": "too_deep"}


@pytest.mark.parametrize("change", [{"name": "a/b"}, {"name": ""}, {"name": "x" * 41}, {"nope": 1}, {"parent_id": "x"}])
def test_a_bad_change_is_refused(world: World, change: dict[str, Any]) -> None:
    circle = world.circle()
    world.post(circle, tags=["写作"])

    assert circle.owner.api.patch(f"/tags/{tree(circle)['写作']['id']}", change).status == 422


def test_tags_of_two_circles_do_not_mix(world: World) -> None:
    ours, theirs = world.circle(), world.circle()
    world.post(ours, tags=["写作"])
    world.post(theirs, tags=["写作"])
    mine, other = tree(ours)["写作"]["id"], tree(theirs)["写作"]["id"]

    assert ours.owner.api.patch(f"/tags/{mine}", {"parent_id": other}).fields == {"parent_id": "unknown_tag"}
    assert ours.owner.api.patch(f"/tags/{mine}", {"merge_into": other}).fields == {"merge_into": "unknown_tag"}
    assert ours.owner.api.patch(f"/tags/{other}", {"name": "偷"}).status in {403, 404}


def test_a_stale_editor_loses(world: World) -> None:
    circle = world.circle()
    world.post(circle, tags=["写作"])
    tag = tree(circle)["写作"]
    circle.owner.api.patch(f"/tags/{tag['id']}", {"name": "创作"}).ok()

    late = circle.owner.api.patch(f"/tags/{tag['id']}", {"name": "文"}, headers={"If-Match": f'"{tag["version"]}"'})

    assert late.status == 412


def test_clients_that_mirror_the_circle_load_the_tags_and_their_posts_again(world: World, sql: Sql) -> None:
    circle = world.circle()
    post = world.post(circle, tags=["写作/选题"])
    tags = tree(circle)
    sql("DELETE FROM changes")

    circle.owner.api.patch(f"/tags/{tags['写作']['id']}", {"name": "创作"}).ok()

    noted = {(row["kind"], str(row["item_id"]), row["operation"]) for row in sql("SELECT * FROM changes")}
    assert noted == {
        ("tag", tags["写作"]["id"], "updated"),
        ("tag", tags["写作/选题"]["id"], "updated"),
        ("post", str(post.id), "updated"),
    }


def test_strangers_see_the_tags_of_a_public_circle_only(world: World) -> None:
    shown, hidden = world.circle(), world.circle(preview_policy="none")
    stranger = world.person()

    assert stranger.api.get(f"{shown.path}/tags").status == 200
    assert stranger.api.get(f"{hidden.path}/tags").status == 404
