"""Words that a circle does not want."""

from typing import Any

import pytest

from circle.posts.services.words import check_words
from tests.client import World


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("加微信", "请加微信聊"),
        ("加微信", "请加 微-信。聊"),
        ("加微信", "请加\u200b微\ufeff信"),
        ("ＶＸ", "我的vx:123"),
        ("vx", "我的ＶＸ123"),
        ("VX", "Vx!"),
        ("buy now", "BUY   NOW!"),
        ("加v", "快加 V 吧"),
        ("①", "1 号"),
        ("straße", "STRASSE"),
        ("é", "e\u0301"),
        ("代写", "@[代写](user:01890a5d-ac96-774b-bcce-b302099a8057)"),
    ],
)
def test_a_word_is_found_however_it_is_written(world: World, word: str, text: str) -> None:
    circle = world.circle()
    world.block_word(circle, word)

    with world.units.read() as uow:
        assert check_words(uow, circle.id, text) == "block"


@pytest.mark.parametrize(
    ("word", "text"),
    [("ass", "class"), ("ass", "as so"), ("vx", "vxs"), ("12", "312"), ("buy now", "buy it now"), ("加v", "加video")],
)
def test_other_words_are_left_alone(world: World, word: str, text: str) -> None:
    circle = world.circle()
    world.block_word(circle, word)

    with world.units.read() as uow:
        assert check_words(uow, circle.id, text) == "pass"


def test_block_outweighs_review_and_other_circles_do_not_matter(world: World) -> None:
    circle, other = world.circle(), world.circle()
    world.block_word(circle, "代写", "review")
    world.block_word(circle, "代考")
    world.block_word(other, "写作")

    with world.units.read() as uow:
        assert check_words(uow, circle.id, "写作") == "pass"
        assert check_words(uow, circle.id, "代写") == "review"
        assert check_words(uow, circle.id, "代写代考") == "block"


def test_a_blocked_word_refuses_the_comment_and_names_the_field_but_not_the_word(world: World, sql: Any) -> None:
    circle = world.circle()
    world.block_word(circle, "代写")
    post, member = world.post(circle), world.member(circle)

    reply = member.api.post(f"{post.path}/comments", {"body": "有人代-写吗"})

    assert (reply.status, reply.fields) == (422, {"body": "blocked_word"})
    assert "代写".encode() not in reply.bytes
    assert sql("SELECT count(*) FROM comments")[0]["count"] == 0


def test_posts_are_checked_field_by_field(world: World) -> None:
    circle = world.circle()
    world.block_word(circle, "代写")
    member = world.member(circle)

    article = {"kind": "article", "title": "代写", "body": "代写", "access": {"excerpt": "写作"}}
    assert member.api.post(f"{circle.path}/posts", article).fields == {"title": "blocked_word", "body": "blocked_word"}


def test_moderators_may_say_the_word(world: World) -> None:
    circle = world.circle()
    world.block_word(circle, "代写")
    post = world.post(circle)

    assert world.comment(post, world.member(circle, role="admin"), "不许代写")["status"] == "published"
    guest = world.member(circle, role="guest")
    assert guest.api.post(f"{post.path}/comments", {"body": "不许代写"}).fields == {"body": "blocked_word"}


class TestList:
    def test_moderators_keep_it(self, world: World, sql: Any) -> None:
        circle = world.circle()
        admin = world.member(circle, role="admin")
        words = [world.block_word(circle, word) for word in ("代写", "ＶＸ", "Buy  Now")]

        listed = admin.api.get(f"{circle.path}/blocked-words").ok()["items"]
        assert listed == words
        assert [one["word"] for one in listed] == ["代写", "vx", "buy now"]
        admin.api.delete(f"/blocked-words/{words[0]['id']}").ok(204)

        assert admin.api.get(f"{circle.path}/blocked-words").ok()["items"] == words[1:]
        assert admin.api.delete(f"/blocked-words/{words[0]['id']}").status == 404
        acts = sql("SELECT action FROM audit_log WHERE subject_kind = 'blocked_word' ORDER BY id")
        assert [one["action"] for one in acts] == ["word.block"] * 3 + ["word.allow"]

    def test_it_pages(self, world: World) -> None:
        circle = world.circle()
        words = [world.block_word(circle, word)["id"] for word in ("甲", "乙", "丙")]

        first = circle.owner.api.get(f"{circle.path}/blocked-words?limit=2").ok()
        rest = circle.owner.api.get(f"{circle.path}/blocked-words?limit=2&cursor={first['next_cursor']}").ok()

        assert [one["id"] for one in first["items"] + rest["items"]] == words

    def test_a_word_is_listed_once_however_it_is_written(self, world: World) -> None:
        circle = world.circle()
        world.block_word(circle, "VX")

        again = circle.owner.api.post(f"{circle.path}/blocked-words", {"word": "ｖｘ", "action": "review"})

        assert again.code == "word_listed"

    def test_it_is_nobody_elses(self, world: World) -> None:
        circle, other = world.circle(), world.circle()
        word, member = world.block_word(circle, "代写"), world.member(circle)

        for person in (member, other.owner):
            for reply in (
                person.api.get(f"{circle.path}/blocked-words"),
                person.api.post(f"{circle.path}/blocked-words", {"word": "写作", "action": "block"}),
                person.api.delete(f"/blocked-words/{word['id']}"),
            ):
                assert reply.status == 403
                assert "代写".encode() not in reply.bytes

    @pytest.mark.parametrize(
        ("word", "action", "field"),
        [
            ("", "block", "word"),
            (" \u200b", "block", "word"),
            ("!!!", "block", "word"),
            ("a\0b", "block", "word"),
            ("a\nb", "block", "word"),
            ("字" * 41, "block", "word"),
            (7, "block", "word"),
            (None, "block", "word"),
            ("代写", "burn", "action"),
            ("代写", None, "action"),
        ],
    )
    def test_nonsense_is_refused(self, world: World, word: Any, action: Any, field: str) -> None:
        circle = world.circle()

        reply = circle.owner.api.post(f"{circle.path}/blocked-words", {"word": word, "action": action})

        assert reply.status == 422
        assert reply.fields.keys() == {field}
