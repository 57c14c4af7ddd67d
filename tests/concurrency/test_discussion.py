"""Discussion under a race: counts stay exact, and what happens once happens once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from circle import jobs
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.posts.services.reactions import MAX_EACH
from tests.builders.people import Person
from tests.client import Reply, World
from tests.concurrency.conftest import Race

CROWD = 12


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def api_of(person: Person) -> Any:
    """A client that only the calling thread uses."""
    return person.api.as_(person.token)


def reply_codes(results: list[Any]) -> list[int]:
    assert all(isinstance(result, Reply) for result in results), results
    return sorted(result.status for result in results)


def test_a_crowd_comments_and_none_is_lost_from_the_counts(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, crowd = world.post(circle), [world.member(circle) for _ in range(CROWD)]
    top = world.comment(post, circle.owner)

    def speak(n: int) -> Reply:
        sent = {"body": f"{n}", **({"parent_id": top["id"]} if n % 2 else {})}
        reply: Reply = api_of(crowd[n]).post(f"{post.path}/comments", sent)
        return reply

    results = race.many(CROWD, speak)

    assert reply_codes(results) == [201] * CROWD
    [row] = look(units, "SELECT comment_count, version FROM posts WHERE id = :id", id=post.id)
    assert (row["comment_count"], row["version"]) == (CROWD + 1, 1)
    [row] = look(units, "SELECT reply_count FROM comments WHERE id = :id", id=top["id"])
    assert row["reply_count"] == CROWD // 2


def test_comments_come_and_go_at_once_and_the_counts_are_right(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post = world.post(circle)
    top = world.comment(post, circle.owner)
    replies = [world.comment(post, circle.owner, f"{n}", parent=top) for n in range(4)]

    calls: list[Callable[[], Any]] = [
        *(lambda one=one: api_of(circle.owner).delete(f"/comments/{one['id']}") for one in replies),
        *(lambda one=one: api_of(circle.owner).put(f"/comments/{one['id']}/hidden") for one in replies),
        *(lambda: api_of(circle.owner).post(f"{post.path}/comments", {"body": "+", "parent_id": top["id"]}),) * 4,
    ]
    race.run(*calls)

    [row] = look(
        units,
        "SELECT comment_count, (SELECT reply_count FROM comments WHERE id = :top) AS replies,"
        " (SELECT count(*) FROM comments WHERE post_id = :id AND status = 'published') AS really"
        " FROM posts WHERE id = :id",
        id=post.id,
        top=top["id"],
    )
    assert row["comment_count"] == row["really"] == row["replies"] + 1


def test_a_crowd_reacts_and_every_one_counts(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, crowd = world.post(circle), [world.member(circle) for _ in range(CROWD)]

    results = race.many(CROWD, lambda n: api_of(crowd[n]).put(f"{post.path}/reactions/{quote('👍🎉'[n % 2])}"))

    assert reply_codes(results) == [200] * CROWD
    [row] = look(units, "SELECT reaction_counts, version FROM posts WHERE id = :id", id=post.id)
    assert (row["reaction_counts"], row["version"]) == ({"👍": CROWD // 2, "🎉": CROWD // 2}, 1)


def test_one_person_on_many_devices_reacts_once_and_within_the_limit(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    same = race.many(CROWD, lambda _: api_of(member).put(f"{post.path}/reactions/{quote('👍')}"))
    many = race.many(CROWD, lambda n: api_of(member).put(f"{post.path}/reactions/{quote(chr(0x1F600 + n))}"))

    assert reply_codes(same) == [200] * CROWD
    assert reply_codes(many) == [200] * (MAX_EACH - 1) + [409] * (CROWD - MAX_EACH + 1)
    [row] = look(
        units,
        "SELECT reaction_counts, (SELECT count(*) FROM reactions WHERE post_id = :id) AS really FROM posts"
        " WHERE id = :id",
        id=post.id,
    )
    assert row["really"] == sum(row["reaction_counts"].values()) == MAX_EACH


def test_putting_and_taking_back_at_once_leaves_counts_and_rows_in_step(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, crowd = world.post(circle), [world.member(circle) for _ in range(3)]

    race.many(
        CROWD,
        lambda n: api_of(crowd[n % 3]).request(("PUT", "DELETE")[n // 3 % 2], f"{post.path}/reactions/{quote('👍')}"),
    )

    [row] = look(
        units,
        "SELECT reaction_counts, (SELECT count(*) FROM reactions WHERE post_id = :id) AS really FROM posts"
        " WHERE id = :id",
        id=post.id,
    )
    assert row["reaction_counts"].get("👍", 0) == row["really"]


def test_two_answers_at_once_are_one(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    guest = world.member(circle, role="guest")
    question = world.ask(circle, world.member(circle), asked_id=str(guest.id))

    results = race.many(
        6, lambda n: api_of((guest, circle.owner)[n % 2]).post(f"/posts/{question['id']}/answer", {"body": f"{n}"})
    )

    assert reply_codes(results) == [201] + [409] * 5
    assert {result.code for result in results} == {None, "already_answered"}
    assert len(look(units, "SELECT 1 FROM answers WHERE post_id = :id", id=question["id"])) == 1


def test_one_complaint_from_many_devices_is_one_report(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    results = race.many(6, lambda _: api_of(member).post(f"{post.path}/report", {"reason": "spam"}))

    assert reply_codes(results) == [201] + [409] * 5
    assert {result.code for result in results} == {None, "already_reported"}


def test_two_moderators_resolve_a_report_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, admin = world.post(circle, world.member(circle)), world.member(circle, role="admin")
    report = world.member(circle).api.post(f"{post.path}/report", {"reason": "spam"}).ok(201)

    results = race.many(
        6,
        lambda n: api_of((admin, circle.owner)[n % 2]).post(f"/reports/{report['id']}/resolve", {"outcome": "hidden"}),
    )

    assert reply_codes(results) == [200] + [409] * 5
    acts = look(units, "SELECT action FROM audit_log WHERE circle_id = :id AND action LIKE 're%'", id=circle.id)
    assert len(acts) == 1


def test_reading_on_two_devices_keeps_the_farther_one(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    results = race.many(10, lambda n: api_of(member).put(f"{post.path}/read", {"progress": n * 10}))

    assert reply_codes(results) == [204] * 10
    [row] = look(units, "SELECT progress FROM post_reads WHERE post_id = :id", id=post.id)
    assert row["progress"] == 90


@pytest.mark.parametrize("workers", [4])
def test_workers_side_by_side_refund_each_question_once(
    world: World, units: Units, race: Race, clock: ManualClock, workers: int
) -> None:
    circle = world.circle(question_price=500)
    asker = world.member(circle)
    for _ in range(3):
        world.pay(asker, world.ask(circle, asker, amount=500)["question"]["checkout"])
    clock.advance(timedelta(hours=72))

    results = race.many(workers, lambda _: jobs.load_job("questions.refund_overdue").run(units))

    assert sum(results) == 3
    refunds = look(
        units,
        "SELECT refunds.amount FROM refunds JOIN invoices ON invoices.id = invoice_id WHERE circle_id = :id",
        id=circle.id,
    )
    assert [row["amount"] for row in refunds] == [500, 500, 500]


def test_an_answer_and_the_refund_job_do_not_both_win(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    circle = world.circle(question_price=500)
    asker = world.member(circle)
    question = world.ask(circle, asker, amount=500)
    world.pay(asker, question["question"]["checkout"])
    clock.advance(timedelta(hours=72))

    reply, refunded = race.run(
        lambda: api_of(circle.owner).post(f"/posts/{question['id']}/answer", {"body": "刚好"}),
        lambda: jobs.load_job("questions.refund_overdue").run(units),
    )

    assert (reply.status, refunded) in {(201, 0), (409, 1)}
    [row] = look(
        units,
        "SELECT q.status, (SELECT count(*) FROM refunds r JOIN invoices i ON i.id = r.invoice_id"
        " WHERE i.subject_id = q.post_id) AS refunds FROM questions q WHERE post_id = :id",
        id=question["id"],
    )
    assert (row["status"], row["refunds"]) == (("answered", 0) if reply.status == 201 else ("refunded", 1))


def test_clients_that_mirror_the_circle_get_comments_that_they_may_read(world: World) -> None:
    """Here because the change log shows what is committed."""
    circle = world.circle()
    post = world.post(circle, access="学员")
    inside, outside = world.member(circle, "学员"), world.member(circle, "读者")
    made = world.comment(post, inside, "只有学员知道的话")

    def changes(reader: Person) -> list[Any]:
        reply = reader.api.get(f"{circle.path}/changes?limit=100")
        return [(one["operation"], one["item"]) for one in reply.ok()["items"] if one["id"] == made["id"]]

    assert changes(inside) == [("created", made)]
    assert changes(outside) == [("created", None)]
    inside.api.delete(f"/comments/{made['id']}").ok(204)
    assert changes(inside)[-1] == ("deleted", None)


def test_mirrors_do_not_tell_who_asked_anonymously(world: World) -> None:
    circle = world.circle(anonymous_questions=True)
    asker, reader = world.member(circle, name="匿名者"), world.member(circle)
    question = world.ask(circle, asker, anonymous=True)
    asker.api.post(f"/posts/{question['id']}/comments", {"body": "补充"}).ok(201)

    reply = reader.api.get(f"{circle.path}/changes?limit=100")

    assert {one["kind"] for one in reply.ok()["items"]} >= {"post", "comment"}
    posts_and_comments = [one for one in reply.json["items"] if one["kind"] in {"post", "comment"}]
    assert str(asker.id) not in str(posts_and_comments)
    assert "匿名者" not in str(posts_and_comments)
