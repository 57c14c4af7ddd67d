"""What a member has read, and how far."""

from typing import Any

import pytest

from tests.client import World


def test_progress_only_goes_forward(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    for progress in (40, 20, 60, 60):
        member.api.put(f"{post.path}/read", {"progress": progress}).ok(204)

    [row] = sql("SELECT progress, circle_id FROM post_reads WHERE user_id = :id", id=member.id)
    assert (row["progress"], row["circle_id"]) == (60, circle.id)


def test_opening_a_talk_reads_it_all(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    member.api.put(f"{post.path}/read").ok(204)

    assert sql("SELECT progress FROM post_reads")[0]["progress"] == 100


def test_what_is_locked_or_out_of_sight_is_not_read(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle, "读者")

    assert member.api.put(f"{world.post(circle, access='学员').path}/read").code == "post_locked"
    assert member.api.put(f"{world.post(circle, status='draft').path}/read").status == 404
    assert circle.owner.api.put(f"{world.post(circle, status='draft').path}/read").code == "not_published"
    assert sql("SELECT count(*) FROM post_reads")[0]["count"] == 0


@pytest.mark.parametrize("progress", [-1, 101, 1.9, "50", None, True, [], 2**63])
def test_nonsense_is_refused(world: World, progress: Any) -> None:
    circle = world.circle()
    post = world.post(circle)

    assert circle.owner.api.put(f"{post.path}/read", {"progress": progress}).fields.keys() == {"progress"}
