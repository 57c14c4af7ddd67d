"""The creator's view of the archive."""

from typing import Any

from tests.builders.posts import BuiltPost
from tests.client import World


def ids(*posts: BuiltPost) -> list[str]:
    return [str(post.id) for post in posts]


def test_it_tells_what_is_read_what_is_not_and_what_was_searched_in_vain(world: World, sql: Any) -> None:
    circle = world.circle()
    most, some, never, _draft = (
        world.post(circle),
        world.post(circle, access="学员"),
        world.post(circle),
        world.post(circle, status="draft"),
    )
    readers = [world.member(circle, "学员") for _ in range(3)]
    for reader in readers:
        reader.api.put(f"{most.path}/read").ok(204)
    readers[0].api.put(f"{some.path}/read", {"progress": 10}).ok(204)
    circle.owner.api.put(f"{never.path}/read").ok(204)  # one's own reading is none
    circle.owner.api.put(f"{never.path}/digest").ok(204)
    world.rescore()
    sql(
        "INSERT INTO search_misses (circle_id, day, query, times) VALUES (:id, '2026-02-20', '改稿', 2),"
        " (:id, '2026-02-28', '改稿', 1), (:id, '2026-02-28', '押韵', 9), (:id, '2025-11-01', '旧事', 99)",
        id=circle.id,
    )

    shown = circle.owner.api.get(f"{circle.path}/archive-report").ok()

    assert (shown["post_count"], shown["opened_count"], shown["digest_count"]) == (3, 2, 1)
    figures = [(one["post"]["id"], one["readers"], one["finishers"]) for one in shown["most_read"]]
    assert figures == [(str(most.id), 3, 3), (str(some.id), 1, 0)]
    assert [post["id"] for post in shown["never_opened"]] == ids(never)
    assert shown["searched_in_vain"] == [
        {"query": "押韵", "times": 9, "last_on": "2026-02-28"},
        {"query": "改稿", "times": 3, "last_on": "2026-02-28"},
    ]


def test_another_circles_figures_are_its_own(world: World) -> None:
    circle, other = world.circle(), world.circle()
    world.post(other)

    shown = circle.owner.api.get(f"{circle.path}/archive-report").ok()

    assert shown == {
        "post_count": 0,
        "opened_count": 0,
        "digest_count": 0,
        "most_read": [],
        "never_opened": [],
        "storage": {"bytes": 0, "most": 100 * 1024**3},
        "searched_in_vain": [],
    }


def test_members_do_not_see_it(world: World) -> None:
    circle = world.circle()

    assert world.member(circle).api.get(f"{circle.path}/archive-report").code == "missing_permission"
