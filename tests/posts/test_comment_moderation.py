"""What moderators do with comments: the stream, hiding, approving, deleting; and what is on record."""

from typing import Any

import pytest

from circle.posts.discussion_schemas import StreamOut
from tests.client import World


def test_moderators_see_all_comments_of_the_circle_newest_first(world: World) -> None:
    circle = world.circle()
    admin, member = world.member(circle, role="admin"), world.member(circle, "学员")
    posts = [world.post(circle, title="甲"), world.post(circle, title="乙", access="学员")]
    made = [world.comment(post, member) for post in posts]
    hidden = world.comment(posts[0], member, "难听的话")
    admin.api.put(f"/comments/{hidden['id']}/hidden").ok(204)

    items = admin.api.get(f"{circle.path}/comments").ok()["items"]

    assert [one["id"] for one in items] == [hidden["id"], made[1]["id"], made[0]["id"]]
    assert [one["status"] for one in items] == ["hidden", "published", "published"]
    assert items[1]["post"] == {"id": str(posts[1].id), "title": "乙", "kind": "talk"}
    assert all(StreamOut().validate(one) == {} for one in items)
    only = admin.api.get(f"{circle.path}/comments?status=hidden&author={member.id}").ok()["items"]
    assert [one["id"] for one in only] == [hidden["id"]]
    assert admin.api.get(f"{circle.path}/comments?author={admin.id}").ok()["items"] == []


def test_the_stream_pages_without_shifting(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    written = [world.comment(post, circle.owner, str(n))["id"] for n in range(5)]

    first = circle.owner.api.get(f"{circle.path}/comments?limit=2").ok()
    world.comment(post, circle.owner, "新")
    second = circle.owner.api.get(f"{circle.path}/comments?limit=3&cursor={first['next_cursor']}").ok()

    assert [one["id"] for one in [*first["items"], *second["items"]]] == written[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("role", ["member", "guest"])
def test_the_stream_is_not_for_members(world: World, role: str) -> None:
    circle = world.circle()
    member, stranger = world.member(circle, role=role), world.person()

    assert member.api.get(f"{circle.path}/comments").code == "missing_permission"
    assert stranger.api.get(f"{circle.path}/comments").code == "not_a_member"


def test_a_hidden_comment_is_out_of_sight_until_it_is_put_back(world: World, sql: Any) -> None:
    circle = world.circle()
    post, admin, member = world.post(circle), world.member(circle, role="admin"), world.member(circle)
    made = world.comment(post, member)

    for _ in range(2):
        admin.api.put(f"/comments/{made['id']}/hidden").ok(204)

    assert world.comments(post, member) == []
    assert member.api.get(post.path).ok()["comment_count"] == 0
    [seen] = world.comments(post, admin)
    assert seen["status"] == "hidden"
    assert member.api.patch(f"/comments/{made['id']}", {"body": "改"}).status == 404
    for _ in range(2):
        admin.api.delete(f"/comments/{made['id']}/hidden").ok(204)
    assert [one["id"] for one in world.comments(post, member)] == [made["id"]]
    assert member.api.get(post.path).ok()["comment_count"] == 1
    acts = sql("SELECT action, actor_id FROM audit_log WHERE subject_id = :id ORDER BY id", id=made["id"])
    assert [(one["action"], one["actor_id"]) for one in acts] == [
        ("comment.hide", admin.id),
        ("comment.unhide", admin.id),
    ]


def test_only_moderators_moderate(world: World) -> None:
    circle, other = world.circle(), world.circle()
    post, member = world.post(circle), world.member(circle)
    made = world.comment(post, member)

    for person, code in ((member, "missing_permission"), (other.owner, "not_a_member"), (world.person(), None)):
        for reply in (
            person.api.put(f"/comments/{made['id']}/hidden"),
            person.api.delete(f"/comments/{made['id']}/hidden"),
            person.api.post(f"/comments/{made['id']}/approve"),
        ):
            assert reply.status == 403
            assert code is None or reply.code in {code, "post_locked"}


def test_a_moderator_deletes_for_good_and_it_is_on_record(world: World, sql: Any) -> None:
    circle = world.circle()
    post, admin, member = world.post(circle), world.member(circle, role="admin"), world.member(circle)
    made = world.comment(post, member)

    admin.api.delete(f"/comments/{made['id']}").ok(204)

    assert world.comments(post, admin) == []
    assert admin.api.get(f"{circle.path}/comments").ok()["items"] == []
    assert admin.api.delete(f"/comments/{made['id']}/hidden").status == 404
    [act] = sql("SELECT action, actor_id FROM audit_log WHERE subject_id = :id", id=made["id"])
    assert (act["action"], act["actor_id"]) == ("comment.delete", admin.id)


class TestHeldBack:
    """`review` words hold a comment until a moderator lets it pass."""

    def test_it_is_seen_by_its_author_and_moderators_only(self, world: World) -> None:
        circle = world.circle()
        world.block_word(circle, "代写", "review")
        post, writer, reader = world.post(circle), world.member(circle), world.member(circle)

        made = world.comment(post, writer, "有人代写吗")

        assert made["status"] == "review"
        assert [one["id"] for one in world.comments(post, writer)] == [made["id"]]
        assert [one["id"] for one in world.comments(post, circle.owner)] == [made["id"]]
        assert world.comments(post, reader) == []
        assert reader.api.get(post.path).ok()["comment_count"] == 0
        assert reader.api.delete(f"/comments/{made['id']}").status == 404
        held = circle.owner.api.get(f"{circle.path}/comments?status=review").ok()["items"]
        assert [one["id"] for one in held] == [made["id"]]

    def test_approved_it_is_counted_and_those_it_answers_are_told(self, world: World, sql: Any) -> None:
        circle = world.circle()
        world.block_word(circle, "代写", "review")
        author, writer = world.member(circle), world.member(circle)
        post = world.post(circle, author)
        made = world.comment(post, writer, "有人代写吗")
        assert world.notices(author) == []

        approved = circle.owner.api.post(f"/comments/{made['id']}/approve").ok()

        assert approved["status"] == "published"
        assert author.api.get(post.path).ok()["comment_count"] == 1
        assert [one["kind"] for one in world.notices(author)] == ["comment_received"]
        assert circle.owner.api.post(f"/comments/{made['id']}/approve").code == "wrong_state"
        [act] = sql("SELECT action FROM audit_log WHERE subject_id = :id", id=made["id"])
        assert act["action"] == "comment.approve"

    def test_it_can_not_be_replied_to(self, world: World) -> None:
        circle = world.circle()
        world.block_word(circle, "代写", "review")
        post, writer = world.post(circle), world.member(circle)
        made = world.comment(post, writer, "代写")

        reply = writer.api.post(f"{post.path}/comments", {"body": "回复", "parent_id": made["id"]})

        assert reply.fields == {"parent_id": "unknown_comment"}

    def test_an_edit_that_needs_a_look_takes_it_out_of_sight_and_one_that_does_not_brings_it_back(
        self, world: World
    ) -> None:
        circle = world.circle()
        world.block_word(circle, "代写", "review")
        post, writer = world.post(circle), world.member(circle)
        made = world.comment(post, writer, "写作")

        held = writer.api.patch(f"/comments/{made['id']}", {"body": "代写"}).ok()
        count_held = writer.api.get(post.path).ok()["comment_count"]
        back = writer.api.patch(f"/comments/{made['id']}", {"body": "自己写"}).ok()

        assert (held["status"], count_held) == ("review", 0)
        assert (back["status"], writer.api.get(post.path).ok()["comment_count"]) == ("published", 1)
