"""Complaints, and what moderators make of them."""

from typing import Any

import pytest

from circle.posts.discussion_schemas import QueuedReportOut
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Reply, World


def queue(circle: BuiltCircle, moderator: Person, **query: str) -> Any:
    return moderator.api.get(f"{circle.path}/reports", query_string=query).ok()["items"]


def resolve(moderator: Person, report: Any, outcome: str) -> Reply:
    return moderator.api.post(f"/reports/{report['id']}/resolve", {"outcome": outcome})


def test_a_reported_post_waits_in_the_queue(world: World) -> None:
    circle = world.circle()
    author, reporter = world.member(circle, name="作者"), world.member(circle, name="读者")
    post = world.post(circle, author, title="广告", body="买买买")

    report = reporter.api.post(f"{post.path}/report", {"reason": "spam", "note": "广告"}).ok(201)

    [waiting] = queue(circle, circle.owner)
    assert waiting["id"] == report["id"]
    assert waiting["reporter"]["display_name"] == "读者"
    assert waiting["subject"] == {
        "kind": "post",
        "id": str(post.id),
        "post_id": str(post.id),
        "title": "广告",
        "body": "买买买",
        "status": "published",
        "author": {"id": str(author.id), "display_name": "作者", "avatar_url": None},
    }
    assert (waiting["outcome"], waiting["resolved_by"]) == (None, None)
    assert QueuedReportOut().validate(waiting) == {}


def test_a_reported_comment_shows_the_post_above_it(world: World) -> None:
    circle = world.circle()
    post, author, reporter = world.post(circle, title="主题"), world.member(circle), world.member(circle)
    made = world.comment(post, author, "脏话")

    reporter.api.post(f"/comments/{made['id']}/report", {"reason": "abuse"}).ok(201)

    [waiting] = queue(circle, circle.owner)
    subject = waiting["subject"]
    assert (subject["kind"], subject["id"], subject["post_id"]) == ("comment", made["id"], str(post.id))
    assert (subject["title"], subject["body"], subject["author"]["id"]) == ("主题", "脏话", str(author.id))


def test_a_member_reports_once_while_it_is_open(world: World) -> None:
    circle = world.circle()
    post, reporter = world.post(circle), world.member(circle)
    report = reporter.api.post(f"{post.path}/report", {"reason": "spam"}).ok(201)

    assert reporter.api.post(f"{post.path}/report", {"reason": "abuse"}).code == "already_reported"
    resolve(circle.owner, report, "dismissed").ok()

    reporter.api.post(f"{post.path}/report", {"reason": "abuse"}).ok(201)


def test_nobody_reports_what_is_their_own_or_not_theirs_to_read(world: World) -> None:
    circle = world.circle()
    locked, preview = world.post(circle, access="学员"), world.post(circle, access="preview")
    reader, stranger = world.member(circle, "读者"), world.person()
    own = world.comment(preview, reader)

    assert reader.api.post(f"{locked.path}/report", {"reason": "spam"}).code == "post_locked"
    assert reader.api.post(f"/comments/{own['id']}/report", {"reason": "spam"}).code == "own_content"
    assert stranger.api.post(f"{preview.path}/report", {"reason": "spam"}).code == "not_a_member"
    assert reader.api.post(f"{world.post(circle, status='draft').path}/report", {"reason": "spam"}).status == 404


class TestResolving:
    @pytest.mark.parametrize(("outcome", "status"), [("hidden", "hidden"), ("removed", "trashed")])
    def test_a_post_is_taken_out_of_sight(self, world: World, sql: Any, outcome: str, status: str) -> None:
        circle = world.circle()
        admin, author, reporter = world.member(circle, role="admin"), world.member(circle), world.member(circle)
        post = world.post(circle, author)
        report = reporter.api.post(f"{post.path}/report", {"reason": "spam"}).ok(201)

        resolved = resolve(admin, report, outcome).ok()

        assert (resolved["outcome"], resolved["resolved_at"] is not None) == (outcome, True)
        assert reporter.api.get(post.path).status == 404
        assert admin.api.get(post.path).ok()["status"] == status
        assert queue(circle, admin) == []
        [done] = queue(circle, admin, status="resolved")
        assert (done["outcome"], done["resolved_by"]["id"]) == (outcome, str(admin.id))
        acts = [row["action"] for row in sql("SELECT action FROM audit_log WHERE actor_id = :id", id=admin.id)]
        assert sorted(acts) == sorted(["report.resolve", "post.hide" if outcome == "hidden" else "post.trash"])

    @pytest.mark.parametrize("outcome", ["hidden", "removed"])
    def test_a_comment_is_taken_out_of_sight(self, world: World, outcome: str) -> None:
        circle = world.circle()
        post, author, reporter = world.post(circle), world.member(circle), world.member(circle)
        made = world.comment(post, author)
        report = reporter.api.post(f"/comments/{made['id']}/report", {"reason": "abuse"}).ok(201)

        resolve(circle.owner, report, outcome).ok()

        assert world.comments(post, reporter) == []
        assert reporter.api.get(post.path).ok()["comment_count"] == 0

    @pytest.mark.parametrize(("outcome", "warned"), [("dismissed", 0), ("warned", 1)])
    def test_it_may_stay(self, world: World, outcome: str, warned: int) -> None:
        circle = world.circle()
        author, reporter = world.member(circle), world.member(circle)
        post = world.post(circle, author)
        report = reporter.api.post(f"{post.path}/report", {"reason": "spam"}).ok(201)

        resolve(circle.owner, report, outcome).ok()

        assert reporter.api.get(post.path).ok()["status"] == "published"
        assert len(world.notices(author, "content_warned")) == warned

    def test_everybody_who_complained_is_told_once(self, world: World) -> None:
        circle = world.circle()
        post, first, second = world.post(circle, world.member(circle)), world.member(circle), world.member(circle)
        report = first.api.post(f"{post.path}/report", {"reason": "spam"}).ok(201)
        other = second.api.post(f"{post.path}/report", {"reason": "abuse"}).ok(201)

        resolve(circle.owner, report, "hidden").ok()

        assert queue(circle, circle.owner) == []
        assert resolve(circle.owner, other, "dismissed").code == "already_resolved"
        for reporter in (first, second):
            assert [one["kind"] for one in world.notices(reporter)] == ["report_resolved"]

    def test_what_is_gone_already_is_no_obstacle(self, world: World) -> None:
        circle = world.circle()
        post, author, reporter = world.post(circle), world.member(circle), world.member(circle)
        made = world.comment(post, author)
        report = reporter.api.post(f"/comments/{made['id']}/report", {"reason": "abuse"}).ok(201)
        author.api.delete(f"/comments/{made['id']}").ok(204)

        assert resolve(circle.owner, report, "removed").ok()["outcome"] == "removed"

    def test_only_the_owner_decides_about_their_own(self, world: World) -> None:
        circle = world.circle()
        admin, reporter = world.member(circle, role="admin"), world.member(circle)
        posts = [world.post(circle, admin), world.post(circle)]
        mine, owners = [reporter.api.post(f"{post.path}/report", {"reason": "spam"}).ok(201) for post in posts]

        assert resolve(admin, mine, "dismissed").code == "own_content"
        resolve(circle.owner, mine, "dismissed").ok()
        resolve(circle.owner, owners, "dismissed").ok()

    def test_it_is_nobody_elses(self, world: World) -> None:
        circle, other = world.circle(), world.circle()
        post, member = world.post(circle), world.member(circle)
        report = member.api.post(f"{post.path}/report", {"reason": "spam", "note": "秘密的话"}).ok(201)

        for person in (member, world.member(circle, role="guest"), other.owner, world.person()):
            for reply in (resolve(person, report, "dismissed"), person.api.get(f"{circle.path}/reports")):
                assert reply.status == 403
                assert "秘密的话".encode() not in reply.bytes
        assert resolve(circle.owner, {"id": post.id}, "dismissed").status == 404


def test_the_queue_pages_oldest_first(world: World) -> None:
    circle = world.circle()
    reporter = world.member(circle)
    made = [reporter.api.post(f"{world.post(circle).path}/report", {"reason": "spam"}).ok(201)["id"] for _ in range(3)]

    first = circle.owner.api.get(f"{circle.path}/reports?limit=2").ok()
    rest = circle.owner.api.get(f"{circle.path}/reports?limit=2&cursor={first['next_cursor']}").ok()

    assert [one["id"] for one in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "because"}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "spam", "note": "字" * 501}, "note"),
        ({"reason": "spam", "note": "a\0b"}, "note"),
        ({"reason": "spam", "outcome": "dismissed"}, "outcome"),
    ],
)
def test_nonsense_is_refused(world: World, sql: Any, body: dict[str, Any], field: str) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    reply = member.api.post(f"{post.path}/report", body)

    assert (reply.status, list(reply.fields)) == (422, [field])
    assert sql("SELECT count(*) FROM reports")[0]["count"] == 0
