"""Peer review: asked as works arrive, evenly; scored by the mean; what nobody reviews falls to the teacher."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.homework import BEST, RUBRIC, WORST, BuiltAssignment
from tests.builders.people import Person
from tests.client import World
from tests.statements import counted

# From the lock to the answer, which is put together in the same transaction; rows of one kind go out at once.
MOST_STATEMENTS_HELD = 18


def peer_assignment(world: World, reviewers: int = 2, **fields: Any) -> BuiltAssignment:
    peers = {"reviewers": reviewers, "days": 3, **fields}
    return world.assignment(world.circle(), rubric=RUBRIC, peer_review=peers)


def tasks(assignment: BuiltAssignment, member: Person) -> list[Any]:
    items: list[Any] = member.api.get(f"{assignment.path}/peer-tasks").ok()["items"]
    return items


@pytest.mark.parametrize("reviewers", [1, 2, 3])
def test_everybody_gives_and_gets_the_same_number_after_each_arrival(world: World, reviewers: int) -> None:
    assignment = peer_assignment(world, reviewers)
    members: list[Person] = []
    works: dict[str, Person] = {}

    for arrived in range(1, 10):
        member = world.member(assignment.circle)
        members.append(member)
        works[world.hand_in(assignment, member, member.email)["id"]] = member

        given = {one.id: tasks(assignment, one) for one in members}
        received = Counter(task["submission_id"] for asked in given.values() for task in asked)
        even = min(reviewers, arrived - 1)
        assert {len(asked) for asked in given.values()} == {even}
        assert all(received[work] == even for work in works)
        for asker, asked in given.items():
            assert all(works[task["submission_id"]].id != asker for task in asked)
            assert len({task["submission_id"] for task in asked}) == even


def test_the_row_that_arrivals_wait_for_is_held_for_as_many_statements_whatever_the_reviewers(world: World) -> None:
    costs = []
    for reviewers in (2, 6):
        assignment = peer_assignment(world, reviewers)
        for _ in range(8):
            member = world.member(assignment.circle)
            with counted() as statements:
                world.hand_in(assignment, member, member.email)
        [lock] = [at for at, one in enumerate(statements) if one.rstrip().endswith("FOR NO KEY UPDATE")]
        costs.append(len(statements) - lock)

    assert costs[0] == costs[1] <= MOST_STATEMENTS_HELD, costs


def test_a_review_that_was_begun_is_not_given_away(world: World) -> None:
    assignment = peer_assignment(world, 1)
    first, second = (world.member(assignment.circle) for _ in range(2))
    for author in (first, second):
        world.hand_in(assignment, author, author.email)
    [task] = tasks(assignment, first)
    begun = first.api.post(f"/peer-tasks/{task['id']}/begin").ok(200)
    [other] = tasks(assignment, second)
    second.api.post(f"/peer-tasks/{other['id']}/begin").ok(200)

    third = world.member(assignment.circle)
    world.hand_in(assignment, third, "第三份")

    assert begun["body"] == second.email
    assert tasks(assignment, first)[0]["submission_id"] == task["submission_id"]
    assert len(tasks(assignment, third)) == 1
    assert third.api.post(f"/peer-tasks/{task['id']}/begin").status == 404


def test_authors_and_reviewers_may_be_anonymous(world: World) -> None:
    assignment = peer_assignment(world, 1)
    author, reviewer = (world.member(assignment.circle, name=name) for name in ("作者甲", "评者乙"))
    work = world.hand_in(assignment, author, "看我的")
    world.hand_in(assignment, reviewer, "我的")

    seen = reviewer.api.get(f"/submissions/{work['id']}")
    reviewer.api.post(f"/submissions/{work['id']}/peer-review", {"rubric": BEST, "body": "好"}).ok(201)

    assert tasks(assignment, reviewer)[0]["author"] is None
    assert "作者甲" not in seen.bytes.decode()
    [review] = world.my_work(assignment, author)["reviews"]
    assert (review["reviewer"], review["peer"], review["body"]) == (None, True, "好")
    known = assignment.circle.owner.api.get(f"/submissions/{work['id']}").ok()
    assert known["reviews"][0]["reviewer"]["display_name"] == "评者乙"


def test_the_mean_of_the_peers_is_the_score(world: World) -> None:
    assignment = peer_assignment(world, 2)
    authors = [world.member(assignment.circle) for _ in range(3)]
    works = [world.hand_in(assignment, author, author.email) for author in authors]
    path = f"/submissions/{works[0]['id']}/peer-review"

    authors[1].api.post(path, {"rubric": BEST}).ok(201)
    assert world.my_work(assignment, authors[0])["state"] == "submitted"
    authors[2].api.post(path, {"rubric": WORST}).ok(201)

    mine = world.my_work(assignment, authors[0])
    assert (mine["state"], mine["score"]) == ("scored", 6)
    assert authors[1].api.post(path, {"rubric": BEST}).code == "already_reviewed"
    assert assignment.circle.owner.api.get(f"{assignment.path}/queue").ok()["items"] == []


def test_fewer_peers_than_wanted_give_no_score(world: World, clock: ManualClock) -> None:
    assignment = peer_assignment(world, 2)
    author, only = (world.member(assignment.circle) for _ in range(2))
    work = world.hand_in(assignment, author, "一")
    world.hand_in(assignment, only, "二")

    only.api.post(f"/submissions/{work['id']}/peer-review", {"rubric": BEST}).ok(201)

    assert world.my_work(assignment, author)["state"] == "submitted", "somebody may still come"
    clock.advance(timedelta(days=3))
    world.close_peer_reviews()
    queue = assignment.circle.owner.api.get(f"{assignment.path}/queue").ok()["items"]
    assert work["id"] in {one["submission_id"] for one in queue}


def test_a_peer_review_needs_a_whole_rubric_and_a_task(world: World) -> None:
    assignment = peer_assignment(world, 1)
    author, reviewer = (world.member(assignment.circle) for _ in range(2))
    work = world.hand_in(assignment, author, "一")
    own = world.hand_in(assignment, reviewer, "二")
    path = f"/submissions/{work['id']}/peer-review"

    assert reviewer.api.post(path, {}).fields == {"rubric": "required"}
    assert reviewer.api.post(path, {"rubric": {}}).status == 422
    assert reviewer.api.post(path, {"rubric": {**BEST, "论点": "绝妙"}}).fields == {"rubric.论点": "unknown_level"}
    assert reviewer.api.post(f"/submissions/{own['id']}/peer-review", {"rubric": BEST}).code == "own_work"
    assert assignment.circle.owner.api.post(path, {"rubric": BEST}).code == "not_a_peer_task"
    assert world.member(assignment.circle).api.post(path, {"rubric": BEST}).status == 404


def test_missing_reviews_fall_to_the_teacher_once(world: World, clock: ManualClock) -> None:
    assignment = peer_assignment(world, 1)
    author, reviewer = (world.member(assignment.circle) for _ in range(2))
    work = world.hand_in(assignment, author, "等评")
    mine = world.hand_in(assignment, reviewer, "忘评")
    author.api.post(f"/submissions/{mine['id']}/peer-review", {"rubric": BEST}).ok(201)
    owner = assignment.circle.owner
    assert owner.api.get(f"{assignment.path}/queue").ok()["items"] == []

    clock.advance(timedelta(days=3))
    assert world.close_peer_reviews() == 2
    assert world.close_peer_reviews() == 0

    queue = owner.api.get(f"{assignment.path}/queue").ok()["items"]
    assert [one["submission_id"] for one in queue] == [work["id"]]
    assert [one["kind"] for one in world.notices(owner)] == ["peer_reviews_missed"]
    assert tasks(assignment, reviewer)[0]["state"] == "lapsed"
    late = reviewer.api.post(f"/submissions/{work['id']}/peer-review", {"rubric": BEST})
    assert (late.status, late.code) == (409, "peer_task_over")


def test_a_work_without_peers_falls_to_the_teacher(world: World, clock: ManualClock) -> None:
    assignment = peer_assignment(world, 3)
    work = world.hand_in(assignment, world.member(assignment.circle), "独自一人")
    clock.advance(timedelta(days=3))

    world.close_peer_reviews()

    queue = assignment.circle.owner.api.get(f"{assignment.path}/queue").ok()["items"]
    assert [one["submission_id"] for one in queue] == [work["id"]]


def test_peers_are_asked_and_reminded_once(world: World, clock: ManualClock) -> None:
    assignment = peer_assignment(world, 1)
    first, second = (world.member(assignment.circle) for _ in range(2))
    for author in (first, second):
        world.hand_in(assignment, author, author.email)
    [task] = tasks(assignment, first)
    first.api.post(f"/submissions/{task['submission_id']}/peer-review", {"rubric": BEST}).ok(201)
    clock.advance(timedelta(days=2, hours=1))
    circle = assignment.circle
    circle.owner.api.patch(circle.path, {"closed": True}).ok()
    assert world.remind_about_homework() == 0, "a closed circle takes no reviews"
    circle.owner.api.patch(circle.path, {"closed": False}).ok()

    assert world.remind_about_homework() == 1
    assert world.remind_about_homework() == 0

    assert [one["kind"] for one in world.notices(second)] == ["peer_review_due", "peer_review_asked"]
    assert [one["kind"] for one in world.notices(first)] == ["peer_review_asked"]


def test_what_a_teacher_asked_for_again_falls_to_the_teacher_if_peers_are_late(
    world: World, clock: ManualClock
) -> None:
    assignment = peer_assignment(world, 1)
    author, reviewer = (world.member(assignment.circle) for _ in range(2))
    first = world.hand_in(assignment, author, "第一稿")
    world.hand_in(assignment, reviewer, "忘评")
    owner = assignment.circle.owner
    world.review(first, owner, "redo")
    second = world.hand_in(assignment, author, "第二稿")
    assert owner.api.get(f"{assignment.path}/queue").ok()["items"] == [], "its peer is still to answer"

    clock.advance(timedelta(days=3))
    world.close_peer_reviews()

    queue = owner.api.get(f"{assignment.path}/queue").ok()["items"]
    assert second["id"] in {one["submission_id"] for one in queue}
    world.review(second, owner, "redo")
    fellow = world.member(assignment.circle)
    world.hand_in(assignment, fellow, "也来")
    third = world.hand_in(assignment, author, "第三稿")
    clock.advance(timedelta(days=3))
    world.close_peer_reviews()
    queue = owner.api.get(f"{assignment.path}/queue").ok()["items"]
    assert third["id"] in {one["submission_id"] for one in queue}
    assert [one["kind"] for one in world.notices(owner)] == ["peer_reviews_missed"] * 2


def test_a_teachers_verdict_stands_above_the_peers(world: World) -> None:
    assignment = peer_assignment(world, 1)
    author, reviewer = (world.member(assignment.circle) for _ in range(2))
    work = world.hand_in(assignment, author, "一")
    world.hand_in(assignment, reviewer, "二")
    world.review(work, assignment.circle.owner, "excellent", score=9)

    reviewer.api.post(f"/submissions/{work['id']}/peer-review", {"rubric": WORST}).ok(201)

    mine = world.my_work(assignment, author)
    assert (mine["state"], mine["score"]) == ("excellent", 9)


def test_who_has_left_is_neither_asked_nor_reminded(world: World, clock: ManualClock) -> None:
    assignment = peer_assignment(world, 1)
    first, second, third = (world.member(assignment.circle) for _ in range(3))
    world.hand_in(assignment, first, "独自一人")
    first.api.post(f"{assignment.circle.path}/leave").ok()

    world.hand_in(assignment, second, "等人评")
    second.api.post(f"{assignment.circle.path}/leave").ok()
    work = world.hand_in(assignment, third, "也等")

    assert first.api.get(f"/submissions/{work['id']}").status == 404
    assert [one["kind"] for one in world.notices(first)] == []
    clock.advance(timedelta(days=2, hours=1))
    assert world.remind_about_homework() == 1, "the one who stayed"
