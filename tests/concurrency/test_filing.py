"""Filing under a race: tags, trees of tags, columns and imports hold."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from circle.kernel.errors import CircleError
from circle.kernel.uow import Units
from tests.builders.archive import folder_of
from tests.builders.circles import BuiltCircle
from tests.client import Reply, World
from tests.concurrency.conftest import Race

CROWD = 12


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def tree(circle: BuiltCircle) -> dict[str, Any]:
    return {tag["path"]: tag for tag in circle.owner.api.get(f"{circle.path}/tags").ok()["items"]}


def require_sound_tree(units: Units, circle: BuiltCircle) -> None:
    """Every path is its parent's path and its name; nothing hangs in the air or in a circle."""
    rows = look(units, "SELECT id, parent_id, name, path FROM tags WHERE circle_id = :circle", circle=circle.id)
    paths = {row["id"]: row["path"] for row in rows}
    for row in rows:
        above = f"{paths[row['parent_id']]}/" if row["parent_id"] else ""
        assert row["path"] == f"{above}{row['name']}"


def statuses(replies: list[Reply]) -> set[int]:
    return {reply.status for reply in replies}


def test_many_editors_tag_one_post_and_none_overwrites_another(world: World, race: Race) -> None:
    circle = world.circle()
    post = world.post(circle)

    replies = race.many(CROWD, lambda n: circle.owner.api.put(f"{post.path}/tags/写作/选题{n}"))

    assert statuses(replies) == {204}
    assert sorted(circle.owner.api.get(post.path).ok()["tags"]) == sorted(f"写作/选题{n}" for n in range(CROWD))


def test_a_new_tag_is_made_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(CROWD)]

    replies = race.many(CROWD, lambda n: circle.owner.api.put(f"{posts[n].path}/tags/写作/选题/热点"))

    assert statuses(replies) == {204}
    assert {path: tag["post_count"] for path, tag in tree(circle).items()} == dict.fromkeys(
        ("写作", "写作/选题", "写作/选题/热点"), CROWD
    )
    require_sound_tree(units, circle)


def test_the_last_places_for_tags_are_not_given_twice(world: World, race: Race) -> None:
    circle = world.circle()
    post = world.post(circle, tags=[f"标签{n}" for n in range(18)])

    replies = race.many(CROWD, lambda n: circle.owner.api.put(f"{post.path}/tags/新{n}"))

    assert sorted(reply.status for reply in replies) == [204, 204, *([409] * (CROWD - 2))]


@pytest.mark.parametrize("_round", range(5))
def test_filing_below_a_tag_that_is_being_renamed_keeps_paths_in_step(
    world: World, units: Units, race: Race, _round: int
) -> None:
    circle = world.circle()
    posts = [world.post(circle, tags=["甲/乙"]) for _ in range(6)]
    tag_id = tree(circle)["甲"]["id"]

    replies = race.run(
        lambda: circle.owner.api.patch(f"/tags/{tag_id}", {"name": "丁"}),
        *(lambda post=post, n=n: circle.owner.api.put(f"{post.path}/tags/甲/新{n}") for n, post in enumerate(posts)),
    )

    assert statuses(replies) == {200, 204}
    require_sound_tree(units, circle)
    assert all(len(circle.owner.api.get(post.path).ok()["tags"]) == 2 for post in posts)


@pytest.mark.parametrize("_round", range(5))
def test_two_tags_do_not_end_up_below_each_other(world: World, units: Units, race: Race, _round: int) -> None:
    circle = world.circle()
    world.post(circle, tags=["甲/子", "乙/子"])
    tags = tree(circle)
    one, other = tags["甲"]["id"], tags["乙"]["id"]

    replies = race.run(
        lambda: circle.owner.api.patch(f"/tags/{one}", {"parent_id": other}),
        lambda: circle.owner.api.patch(f"/tags/{other}", {"parent_id": one}),
    )

    assert sorted(reply.status for reply in replies) == [200, 409]
    require_sound_tree(units, circle)


@pytest.mark.parametrize("_round", range(5))
def test_no_post_is_lost_when_its_tag_is_merged_away(world: World, units: Units, race: Race, _round: int) -> None:
    circle = world.circle()
    posts = [world.post(circle, tags=["旧", "新"] if n % 2 else ["旧"]) for n in range(6)]
    tags = tree(circle)
    old, new = tags["旧"]["id"], tags["新"]["id"]

    replies = race.run(
        lambda: circle.owner.api.patch(f"/tags/{old}", {"merge_into": new}),
        *(lambda post=post: circle.owner.api.put(f"{post.path}/tags/旧/下级") for post in posts),
        *(lambda post=post: circle.owner.api.patch(post.path, {"body": "改"}) for post in posts),
    )

    assert statuses(replies) == {200, 204}
    require_sound_tree(units, circle)
    for post in posts:
        assert "新" in circle.owner.api.get(post.path).ok()["tags"]


def test_two_arrangements_of_a_column_do_not_mix(world: World, race: Race) -> None:
    circle = world.circle()
    posts = [str(world.post(circle).id) for _ in range(6)]
    column = world.column(circle)
    orders = [posts, posts[::-1], posts[:3], posts[3:]]

    replies = race.many(
        len(orders),
        lambda n: circle.owner.api.put(
            f"{column.path}/items", {"sections": [{"name": f"章{n}", "post_ids": orders[n]}]}
        ),
    )

    assert statuses(replies) == {200}
    after = circle.owner.api.get(column.path).ok()
    winner = int(after["sections"][0]["name"][1:])
    assert len(after["sections"]) == 1
    assert [item["post"]["id"] for item in after["items"]] == orders[winner]


def test_a_mark_is_told_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post = world.post(circle)

    replies = race.many(CROWD, lambda _n: circle.owner.api.put(f"{post.path}/digest"))

    assert statuses(replies) == {204}
    marks = "SELECT id FROM audit_log WHERE subject_id = :post AND action = 'post.mark_digest'"
    assert len(look(units, marks, post=post.id)) == 1


def test_of_two_imports_at_once_one_runs(world: World, race: Race, tmp_path: Path) -> None:
    circle = world.circle()
    folder = folder_of(tmp_path, {f"甲/{n}.md": f"# {n}\n文" for n in range(20)})

    results = race.many(4, lambda _n: _import(world, circle, folder))

    assert "created" in results
    assert set(results) <= {"created", "unchanged", "import_running"}
    assert results.count("created") == 1
    assert len(circle.owner.api.get(f"{circle.path}/posts?limit=100").ok()["items"]) == 20


def _import(world: World, circle: BuiltCircle, folder: Path) -> str:
    try:
        counts = world.imported(circle, folder).counts
    except IntegrityError as error:
        assert "uq_imports_open" in str(error)  # noqa: PT017 - any other is a failure
        return "import_running"
    except CircleError as refusal:
        return refusal.code
    return "created" if counts["created"] else "unchanged"
