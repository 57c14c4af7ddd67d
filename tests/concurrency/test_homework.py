"""Homework under a race: attempts, claims, peers, reviews and reminders hold."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.homework import BEST, RUBRIC
from tests.client import World
from tests.concurrency.conftest import Race

CROWD = 20


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def test_a_hundred_hand_ins_with_one_attempt_are_one_version(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, max_attempts=1)
    path = f"{assignment.path}/submissions"

    replies = [
        reply
        for lap in range(5)
        for reply in race.many(CROWD, lambda n, lap=lap: member.api.post(path, {"body": f"{lap}.{n}"}))  # type: ignore[misc]
    ]

    assert Counter(reply.status for reply in replies) == {201: 1, 409: 99}
    assert {reply.code for reply in replies if reply.status == 409} == {"no_attempts_left"}
    [row] = look(units, "SELECT count(*) FROM submissions WHERE assignment_id = :a", a=assignment.id)
    assert row["count"] == 1


def test_versions_are_numbered_without_gap_or_double(world: World, race: Race) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    path = f"{assignment.path}/submissions"

    replies = race.many(CROWD, lambda n: member.api.post(path, {"body": f"第 {n} 稿"}))

    assert sorted(reply.ok(201)["number"] for reply in replies) == list(range(1, CROWD + 1))


def test_the_same_text_from_many_taps_is_one_version(world: World, race: Race) -> None:
    circle = world.circle()
    member = world.member(circle)
    path = f"{world.assignment(circle).path}/submissions"

    replies = race.many(CROWD, lambda _: member.api.post(path, {"body": "同一稿"}))

    assert Counter(reply.status for reply in replies) == {201: 1, 409: CROWD - 1}


def test_the_same_file_from_many_taps_is_one_version(world: World, race: Race) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    sent = {"body": "同一稿", "attachments": [str(world.media(member, purpose="submission"))]}

    replies = race.many(CROWD, lambda _: member.api.post(f"{assignment.path}/submissions", sent))

    assert Counter(reply.status for reply in replies) == {201: 1, 409: CROWD - 1}
    [version] = world.my_work(assignment, member)["versions"]
    assert len(version["attachments"]) == 1


def test_assistants_claim_different_works(world: World, race: Race) -> None:
    circle = world.circle()
    assignment = world.assignment(circle)
    for _ in range(6):
        world.hand_in(assignment, world.member(circle))
    assistants = [world.member(circle, role="admin") for _ in range(8)]

    replies = race.many(8, lambda n: assistants[n].api.post(f"{assignment.path}/queue/claim").ok(200))

    claimed = [one["submission_id"] for one in replies if one["submission_id"]]
    assert len(claimed) == len(set(claimed)) == 6


def test_a_version_gets_one_review(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    work = world.hand_in(world.assignment(circle), world.member(circle))
    assistants = [world.member(circle, role="admin") for _ in range(8)]
    path = f"/submissions/{work['id']}/reviews"

    replies = race.many(8, lambda n: assistants[n].api.post(path, {"verdict": "passed"}))

    assert Counter(reply.status for reply in replies) == {201: 1, 409: 7}
    [row] = look(units, "SELECT count(*) FROM reviews WHERE submission_id = :s", s=work["id"])
    assert row["count"] == 1


def test_peers_are_asked_evenly_though_all_arrive_at_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    assignment = world.assignment(circle, rubric=RUBRIC, peer_review={"reviewers": 3})
    authors = [world.member(circle) for _ in range(CROWD)]

    race.many(CROWD, lambda n: authors[n].api.post(f"{assignment.path}/submissions", {"body": f"{n}"}).ok(201))

    rows = look(units, "SELECT reviewer_id, author_id FROM peer_tasks WHERE assignment_id = :a", a=assignment.id)
    assert set(Counter(row["reviewer_id"] for row in rows).values()) == {3}
    assert set(Counter(row["author_id"] for row in rows).values()) == {3}
    assert len(rows) == 3 * CROWD
    counts = look(units, "SELECT peer_given, peer_received FROM works WHERE assignment_id = :a", a=assignment.id)
    assert {(row["peer_given"], row["peer_received"]) for row in counts} == {(3, 3)}


def test_peers_review_while_others_arrive(world: World, units: Units, race: Race) -> None:
    """An arrival parts pairs that nobody has begun; of a review and a parting of the same pair one wins."""
    circle = world.circle()
    assignment = world.assignment(circle, rubric=RUBRIC, peer_review={"reviewers": 3})
    early, late = ([world.member(circle) for _ in range(8)] for _ in range(2))
    works = [world.hand_in(assignment, author, author.email) for author in early]
    asked = [one.api.get(f"{assignment.path}/peer-tasks").ok()["items"] for one in early]

    def review(n: int, task: int) -> Any:
        path = f"/submissions/{asked[n][task]['submission_id']}/peer-review"
        return early[n].api.post(path, {"rubric": BEST})

    replies = race.run(
        *(lambda n=n: review(n, 0) for n in range(len(works))),  # type: ignore[misc]
        *(lambda n=n: review(n, 2) for n in range(len(works))),  # type: ignore[misc]
        *(lambda one=one: one.api.post(f"{assignment.path}/submissions", {"body": one.email}) for one in late),  # type: ignore[misc]
    )

    reviewed, arrived = replies[: -len(late)], replies[-len(late) :]
    assert {reply.status for reply in arrived} == {201}
    assert {reply.status for reply in reviewed} <= {201, 403, 404}, reviewed
    for column, side in (("peer_given", "reviewer_id"), ("peer_received", "author_id")):
        counts = look(
            units,
            f"SELECT {column} AS kept, (SELECT count(*) FROM peer_tasks AS t WHERE t.assignment_id = w.assignment_id"  # noqa: S608
            f" AND t.{side} = w.user_id) AS found FROM works AS w WHERE assignment_id = :a",
            a=assignment.id,
        )
        assert {row["found"] - row["kept"] for row in counts} == {0}
        assert min(row["found"] for row in counts) >= 2
    [done] = look(
        units, "SELECT count(*) FROM peer_tasks WHERE assignment_id = :a AND done_at > '2000-01-01'", a=assignment.id
    )
    assert done["count"] == sum(reply.status == 201 for reply in reviewed)


def test_two_clocks_remind_once(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    members = [world.member(circle) for _ in range(10)]
    assignment = world.assignment(circle)
    clock.advance(timedelta(days=6, hours=12))

    race.many(6, lambda _: world.remind_about_homework())

    told = look(units, "SELECT user_id FROM notifications WHERE subject_id = :a", a=assignment.id)
    assert Counter(row["user_id"] for row in told) == {member.id: 1 for member in members}
