"""Commenting: who may, what is shown, counts, paging."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.posts.discussion_schemas import CommentOut, ThreadOut
from tests.builders.posts import BuiltPost
from tests.client import World
from tests.statements import counted


def test_a_member_comments_and_others_read_it(world: World) -> None:
    circle = world.circle()
    post, writer, reader = world.post(circle), world.member(circle, name="林晓"), world.member(circle)

    made = world.comment(post, writer, "同意")

    [shown] = world.comments(post, reader)
    assert shown == {**made, "replies": []}
    assert (shown["body"], shown["author"]["display_name"], shown["status"]) == ("同意", "林晓", "published")
    assert reader.api.get(post.path).ok()["comment_count"] == 1
    assert CommentOut().validate(made) == ThreadOut().validate(shown) == {}


def test_replies_stand_below_their_comment_and_go_no_deeper(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    top = world.comment(post, member, "一楼")

    replies = [world.comment(post, circle.owner, f"回复 {n}", parent=top) for n in range(5)]

    [shown] = world.comments(post, member)
    assert shown["reply_count"] == 5
    assert shown["replies"] == replies[:3]
    assert world.comments(post, member, parent_id=top["id"]) == replies
    deeper = member.api.post(f"{post.path}/comments", {"body": "再回复", "parent_id": replies[0]["id"]})
    assert (deeper.status, deeper.fields) == (422, {"parent_id": "too_deep"})
    assert member.api.get(post.path).ok()["comment_count"] == 6


def test_a_reply_needs_a_comment_on_the_same_post(world: World) -> None:
    circle = world.circle()
    post, other = world.post(circle), world.post(circle)
    elsewhere = world.comment(other, circle.owner)
    gone = world.comment(post, circle.owner)
    circle.owner.api.delete(f"/comments/{gone['id']}").ok(204)

    for parent_id in (elsewhere["id"], gone["id"], str(post.id)):
        reply = circle.owner.api.post(f"{post.path}/comments", {"body": "回复", "parent_id": parent_id})
        assert (reply.status, reply.fields) == (422, {"parent_id": "unknown_comment"})

    assert world.comments(post, circle.owner, parent_id=elsewhere["id"]) == []


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_do_not_shift_while_comments_come_and_go(world: World, clock: ManualClock, order: str) -> None:
    circle = world.circle()
    post, reader = world.post(circle), world.member(circle)
    written = []
    for n in range(7):
        # Two at the same instant: the id decides.
        clock.advance(timedelta(seconds=n % 2))
        written.append(world.comment(post, circle.owner, f"{n}")["id"])
    expected = written if order == "oldest" else written[::-1]

    query = {"limit": "3", "order": order}
    first = reader.api.get(f"{post.path}/comments", query_string=query).ok()
    circle.owner.api.delete(f"/comments/{expected[2]}").ok(204)
    clock.advance(timedelta(seconds=1))
    latest = world.comment(post, circle.owner, "新")["id"]
    seen = [one["id"] for one in first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        page = reader.api.get(f"{post.path}/comments", query_string={**query, "cursor": cursor}).ok()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]

    assert seen == ([*expected, latest] if order == "oldest" else expected)


def test_a_page_of_comments_with_replies_costs_three_statements(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    for n in range(4):
        top = world.comment(post, member, f"{n}")
        for _ in range(3):
            world.comment(post, circle.owner, "回复", parent=top)
    world.comments(post, member)

    with counted() as statements:
        assert len(world.comments(post, member)) == 4
    assert len(statements) == 3

    with counted() as statements:
        world.comments(post, member, parent_id=top["id"])
    assert len(statements) == 3


def test_posting_a_comment_costs_few_statements(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    with counted() as statements:
        world.comment(post, circle.owner)
    assert len(statements) <= 10

    with counted() as statements:
        world.comment(post, member)
    # With the notice to the post's author.
    assert len(statements) <= 16


class TestWhoMay:
    def test_a_locked_post_shows_nothing_of_its_comments(self, world: World) -> None:
        circle = world.circle()
        post = world.post(circle, access="学员")
        inside, outside, stranger = world.member(circle, "学员"), world.member(circle, "读者"), world.person()
        secret = world.comment(post, inside, "只有学员知道的话")

        for person in (outside, stranger):
            for reply in (
                person.api.get(f"{post.path}/comments"),
                person.api.get(f"{post.path}/comments?parent_id={secret['id']}"),
                person.api.post(f"{post.path}/comments", {"body": "让我进来"}),
                person.api.patch(f"/comments/{secret['id']}", {"body": "改"}),
                person.api.delete(f"/comments/{secret['id']}"),
                person.api.post(f"/comments/{secret['id']}/report", {"reason": "spam"}),
                person.api.get(f"{circle.path}/comments"),
                person.api.get(f"{circle.path}/changes"),
                person.api.get(f"{circle.path}/posts"),
            ):
                assert secret["body"].encode() not in reply.bytes
                assert str(inside.id).encode() not in reply.bytes
            assert person.api.get(f"{post.path}/comments").code == "post_locked"
            assert person.api.post(f"{post.path}/comments", {"body": "让我进来"}).code == "post_locked"
        assert inside.api.get(post.path).ok()["comment_count"] == 1
        assert outside.api.get(post.path).ok()["comment_count"] is None

    def test_a_preview_is_read_with_its_comments_by_everybody_and_commented_on_by_members(self, world: World) -> None:
        circle = world.circle()
        post, stranger = world.post(circle, access="preview"), world.person()
        comment = world.comment(post, circle.owner)

        assert [one["id"] for one in world.comments(post, stranger)] == [comment["id"]]
        assert stranger.api.as_(None).get(f"{post.path}/comments").ok()["items"]
        assert stranger.api.post(f"{post.path}/comments", {"body": "你好"}).code == "not_a_member"

    def test_whoever_is_muted_or_too_new_is_silent(self, world: World, clock: ManualClock) -> None:
        circle = world.circle(silence_hours=1)
        post, new = world.post(circle), world.member(circle)

        assert new.api.post(f"{post.path}/comments", {"body": "我来了"}).code == "too_new"
        clock.advance(timedelta(hours=1))
        mine = world.comment(post, new, "我来了")
        until = (clock.now() + timedelta(hours=2)).isoformat()
        circle.owner.api.patch(f"{circle.path}/members/{new.id}", {"muted_until": until}).ok()

        assert new.api.post(f"{post.path}/comments", {"body": "我还在"}).code == "muted"
        assert new.api.patch(f"/comments/{mine['id']}", {"body": "改"}).code == "muted"
        assert new.api.delete(f"/comments/{mine['id']}").status == 204

    @pytest.mark.parametrize("status", ["draft", "hidden", "trashed"])
    def test_only_what_is_published_is_commented_on(self, world: World, status: str) -> None:
        circle = world.circle()
        post, member = world.post(circle, status=status), world.member(circle)

        assert circle.owner.api.post(f"{post.path}/comments", {"body": "自言自语"}).code == "not_published"
        assert member.api.post(f"{post.path}/comments", {"body": "看得到吗"}).status == 404
        assert member.api.get(f"{post.path}/comments").status == 404


class TestEditing:
    def test_an_author_rewords_a_comment_within_a_day(self, world: World, clock: ManualClock) -> None:
        circle = world.circle()
        post, member = world.post(circle), world.member(circle)
        made = world.comment(post, member)

        edited = member.api.patch(f"/comments/{made['id']}", {"body": "更同意"}, headers={"If-Match": '"1"'}).ok()

        assert (edited["body"], edited["version"]) == ("更同意", 2)
        assert edited["edited_at"] is not None
        stale = member.api.patch(f"/comments/{made['id']}", {"body": "晚了"}, headers={"If-Match": '"1"'})
        assert stale.status == 412
        clock.advance(timedelta(hours=24))
        assert member.api.patch(f"/comments/{made['id']}", {"body": "晚了"}).code == "edit_too_late"

    def test_nobody_rewords_others(self, world: World) -> None:
        circle = world.circle()
        post, member = world.post(circle), world.member(circle)
        made = world.comment(post, member)

        assert circle.owner.api.patch(f"/comments/{made['id']}", {"body": "我说的"}).code == "not_the_author"

    def test_counting_touches_no_version(self, world: World) -> None:
        circle = world.circle()
        post = world.post(circle)
        top = world.comment(post, circle.owner)
        world.comment(post, circle.owner, parent=top)

        assert circle.owner.api.get(post.path).ok()["version"] == 1
        [shown] = world.comments(post, circle.owner)
        assert (shown["version"], shown["reply_count"]) == (1, 1)


class TestDeleting:
    def test_an_author_takes_a_comment_back(self, world: World) -> None:
        circle = world.circle()
        post, member = world.post(circle), world.member(circle)
        made = world.comment(post, member)

        member.api.delete(f"/comments/{made['id']}").ok(204)

        assert world.comments(post, circle.owner) == []
        assert circle.owner.api.get(post.path).ok()["comment_count"] == 0
        assert member.api.delete(f"/comments/{made['id']}").status == 404

    def test_a_comment_with_replies_keeps_its_place_without_its_words(self, world: World) -> None:
        circle = world.circle()
        post, member = world.post(circle), world.member(circle)
        top = world.comment(post, member, "我反悔的话")
        reply = world.comment(post, circle.owner, parent=top)

        member.api.delete(f"/comments/{top['id']}").ok(204)

        [shown] = world.comments(post, circle.owner)
        assert (shown["status"], shown["author"], shown["body"]) == ("deleted", None, "")
        assert [one["id"] for one in shown["replies"]] == [reply["id"]]
        assert circle.owner.api.get(post.path).ok()["comment_count"] == 1
        circle.owner.api.delete(f"/comments/{reply['id']}").ok(204)
        assert world.comments(post, circle.owner) == []

    def test_members_do_not_delete_others(self, world: World) -> None:
        circle = world.circle()
        post, member = world.post(circle), world.member(circle)
        made = world.comment(post, circle.owner)

        assert member.api.delete(f"/comments/{made['id']}").code == "missing_permission"

    def test_whoever_left_still_takes_back_what_they_said(self, world: World) -> None:
        circle = world.circle(after_expiry="none", preview_policy="none")
        post, member = world.post(circle), world.member(circle)
        made = world.comment(post, member)
        member.api.post(f"{circle.path}/leave").ok()

        assert member.api.get(f"{post.path}/comments").status == 404
        assert member.api.delete(f"/comments/{made['id']}").status == 204

    def test_deleted_words_are_forgotten_after_a_month(self, world: World, clock: ManualClock, sql: Any) -> None:
        from circle.posts.services.comments import forget_trashed  # noqa: PLC0415 - beside its only use

        circle = world.circle()
        post = world.post(circle)
        made = world.comment(post, circle.owner)
        circle.owner.api.delete(f"/comments/{made['id']}").ok(204)

        def forget() -> int:
            with world.units.write() as uow:
                return forget_trashed(uow)

        clock.advance(timedelta(days=29))
        assert forget() == 0
        clock.advance(timedelta(days=1))
        assert forget() == 1
        assert forget() == 0
        assert sql("SELECT body FROM comments WHERE id = :id", id=made["id"])[0]["body"] == ""


def test_an_idempotency_key_comments_once(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    key = {"Idempotency-Key": "once"}

    first = member.api.post(f"{post.path}/comments", {"body": "一次"}, headers=key)
    again = member.api.post(f"{post.path}/comments", {"body": "一次"}, headers=key)

    assert (first.status, first.json) == (again.status, again.json)
    assert len(world.comments(post, member)) == 1


def test_the_change_log_follows_what_members_see(world: World, sql: Any) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    made = world.comment(post, member)
    member.api.patch(f"/comments/{made['id']}", {"body": "更同意"}).ok()
    for act in ("put", "delete"):
        getattr(circle.owner.api, act)(f"/comments/{made['id']}/hidden").ok(204)
    member.api.delete(f"/comments/{made['id']}").ok(204)

    log = sql("SELECT operation FROM changes WHERE item_id = :id ORDER BY seq", id=made["id"])

    assert [one["operation"] for one in log] == ["created", "updated", "deleted", "created", "deleted"]


def test_the_author_and_whoever_is_replied_to_are_told_once_each(world: World) -> None:
    circle = world.circle()
    writer, reader = world.member(circle, name="作者"), world.member(circle, name="读者")
    post = world.post(circle, writer)
    top = world.comment(post, reader)

    world.comment(post, circle.owner, parent=top)
    world.comment(post, writer, "自己说")

    assert [one["kind"] for one in world.notices(writer)] == ["comment_received", "comment_received"]
    assert [one["kind"] for one in world.notices(reader)] == ["comment_received"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"body": ""}, "body", None),
        ({"body": " \u3000\u200b\n"}, "body", "blank"),
        ({"body": "a\0b"}, "body", "bad_characters"),
        ({"body": "字" * 1001}, "body", "too_long"),
        ({"body": "字" * 10_001}, "body", None),
        ({"body": 7}, "body", "wrong_type"),
        ({"body": None}, "body", "null"),
        ({}, "body", "required"),
        ({"body": "好", "parent_id": "x"}, "parent_id", "bad_id"),
        ({"body": "好", "parent_id": 7}, "parent_id", "bad_id"),
        ({"body": "好", "author_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, "author_id", "unknown_field"),
        ({"body": "好", "status": "published"}, "status", "unknown_field"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(
    world: World, sql: Any, body: dict[str, Any], field: str, code: str | None
) -> None:
    circle = world.circle()
    post = world.post(circle)

    reply = circle.owner.api.post(f"{post.path}/comments", body)

    assert reply.status == 422
    assert reply.fields.keys() == {field}
    assert code is None or reply.fields[field] == code
    assert sql("SELECT count(*) FROM comments")[0]["count"] == 0


def test_a_lone_surrogate_and_a_bad_cursor_are_malformed(world: World) -> None:
    circle = world.circle()
    post: BuiltPost = world.post(circle)

    assert circle.owner.api.post(f"{post.path}/comments", {"body": "a\ud800b"}).status == 400
    for query in ("cursor=x", "cursor=" + "x" * 600, "limit=0", "limit=101", "limit=1.9", "order=best", "parent_id=x"):
        assert circle.owner.api.get(f"{post.path}/comments?{query}").status in {400, 422}


def test_a_thousand_characters_fit_and_mentions_count_by_their_name(world: World) -> None:
    circle = world.circle()
    post, named = world.post(circle), world.member(circle, name="林晓")

    world.comment(post, circle.owner, "字" * 1000)
    world.comment(post, circle.owner, f"@[林晓](user:{named.id})" + "字" * 997)
