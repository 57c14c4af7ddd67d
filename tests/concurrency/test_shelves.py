"""What is laid out by hand, and what the archive counts, under a race."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circle.archive.services import weekly
from circle.archive.shelf_models import MAX_PINS
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.client import World
from tests.concurrency.conftest import Race
from tests.concurrency.test_filing import look, statuses

# Sunday, seven in the evening in Shanghai.
EVENING = datetime(2026, 3, 8, 11, tzinfo=UTC)


def test_of_six_pins_at_once_five_stand(world: World, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle) for _ in range(MAX_PINS + 1)]

    replies = race.many(len(posts), lambda n: circle.owner.api.put(f"{posts[n].path}/pin"))

    assert sorted(reply.status for reply in replies) == [204] * MAX_PINS + [409]
    assert {reply.code for reply in replies} == {None, "too_many_pins"}
    pins = circle.owner.api.get(f"{circle.path}/pins").ok()["items"]
    assert [pin["position"] for pin in pins] == list(range(1, MAX_PINS + 1))
    assert len({pin["post"]["id"] for pin in pins}) == MAX_PINS


def test_two_ways_to_start_do_not_mix(world: World, race: Race) -> None:
    circle = world.circle()
    posts = [str(world.post(circle).id) for _ in range(4)]
    orders = [posts, posts[::-1], posts[:2], posts[2:]]

    replies = race.many(
        len(orders), lambda n: circle.owner.api.put(f"{circle.path}/start-here", {"post_ids": orders[n]})
    )

    assert statuses(replies) == {200}
    shown = circle.owner.api.get(f"{circle.path}/start-here").ok()["items"]
    assert [item["post"]["id"] for item in shown] in orders


def test_a_folder_is_made_once(world: World, race: Race) -> None:
    circle = world.circle()
    member, posts = world.member(circle), [world.post(circle) for _ in range(8)]

    replies = race.many(
        len(posts), lambda n: member.api.put(f"{posts[n].path}/bookmark", {"folder": "素材", "note": str(n)})
    )

    assert statuses(replies) == {204}
    [folder] = member.api.get("/me/bookmark-folders").ok()["items"]
    assert folder["bookmark_count"] == len(posts)


def test_a_folder_that_is_going_loses_no_bookmark(world: World, race: Race) -> None:
    circle = world.circle()
    member, posts = world.member(circle), [world.post(circle) for _ in range(6)]
    member.api.put(f"{posts[0].path}/bookmark", {"folder": "素材"}).ok(204)
    [folder] = member.api.get("/me/bookmark-folders").ok()["items"]

    race.run(
        lambda: member.api.delete(f"/me/bookmark-folders/{folder['id']}"),
        *(lambda post=post: member.api.put(f"{post.path}/bookmark", {"folder": "素材"}) for post in posts[1:]),
    )
    for post in posts[1:]:  # who met the folder just going may say it again
        member.api.put(f"{post.path}/bookmark", {"folder": "素材"}).ok(204)

    assert len(member.api.get("/me/bookmarks").ok()["items"]) == len(posts)


@pytest.mark.parametrize("_round", range(3))
def test_batches_and_single_editors_do_not_wait_for_each_other_for_ever(
    world: World, units: Units, race: Race, _round: int
) -> None:
    circle = world.circle()
    posts = [world.post(circle, tags=["旧"]) for _ in range(6)]
    column = world.column(circle, posts[:2])
    batch = {"filter": {"tag": "旧"}, "add_tags": ["新"], "column_id": str(column.id), "digest": True}
    named = {"post_ids": [str(post.id) for post in reversed(posts)], "add_tags": ["新/别"], "digest": True}
    order = {"post_ids": [str(post.id) for post in posts]}

    replies = race.run(
        lambda: circle.owner.api.post(f"{circle.path}/batch", batch),
        lambda: circle.owner.api.post(f"{circle.path}/batch", named),
        lambda: circle.owner.api.put(f"{column.path}/items", order),
        *(lambda post=post: circle.owner.api.put(f"{post.path}/tags/另") for post in posts),
        *(lambda post=post: circle.owner.api.put(f"{post.path}/reactions/👍") for post in posts),
    )

    assert statuses(replies) == {200, 204}
    places = look(units, "SELECT position FROM column_items WHERE column_id = :id ORDER BY position", id=column.id)
    assert [row["position"] for row in places] == list(range(6))
    for post in posts:
        shown = circle.owner.api.get(post.path).ok()
        assert (sorted(shown["tags"]), shown["digest"]) == (["另", "新", "新/别", "旧"], True)


@pytest.mark.parametrize("_round", range(3))
def test_no_reading_is_left_uncounted_by_two_workers(world: World, units: Units, race: Race, _round: int) -> None:
    circle = world.circle()
    posts, members = [world.post(circle) for _ in range(3)], [world.member(circle) for _ in range(5)]
    rescore = load_job("archive.rescore")

    race.run(
        lambda: rescore.run(units),
        lambda: rescore.run(units),
        *(lambda post=post, who=who: who.api.put(f"{post.path}/bookmark") for post in posts for who in members),
    )
    rescore.run(units)

    counted = look(units, "SELECT keepers FROM post_scores WHERE circle_id = :id", id=circle.id)
    assert [row["keepers"] for row in counted] == [len(members)] * len(posts)


def test_two_clocks_send_one_digest(
    world: World, units: Units, race: Race, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weekly, "BATCH", 2)
    circles = [world.circle() for _ in range(3)]
    members = [world.member(circle) for circle in circles for _ in range(3)]
    clock.set(EVENING - timedelta(days=1))
    for circle in circles:
        world.post(circle)
    clock.set(EVENING)
    send = load_job("archive.send_weekly")

    told: list[Any] = race.run(*(lambda: send.run(units) for _ in range(4)))

    assert sum(told) >= len(members)
    notices = "SELECT count(*) AS n FROM notifications WHERE user_id = :id AND kind = 'weekly_digest'"
    assert [look(units, notices, id=member.id)[0]["n"] for member in members] == [1] * len(members)
