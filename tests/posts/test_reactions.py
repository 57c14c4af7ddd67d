"""Reacting with emoji."""

from typing import Any
from urllib.parse import quote

import pytest

from circle.posts.emoji import MAX_CODE_POINTS, read_emoji
from circle.posts.services.reactions import MAX_EACH
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import Reply, World


def react(person: Person, post: BuiltPost, emoji: str, method: str = "PUT") -> Reply:
    return person.api.request(method, f"{post.path}/reactions/{quote(emoji, safe='')}")


def test_a_reaction_counts_once_however_often_it_is_put(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)

    first = react(member, post, "👍").ok(200)
    again = react(member, post, "👍").ok(200)
    both = react(circle.owner, post, "👍").ok(200)

    assert first == again == {"reaction_counts": {"👍": 1}, "my_reactions": ["👍"]}
    assert both["reaction_counts"] == {"👍": 2}
    shown = member.api.get(post.path).ok()
    assert (shown["reaction_counts"], shown["my_reactions"]) == ({"👍": 2}, ["👍"])
    assert shown["version"] == 1


def test_a_reaction_is_taken_back_once(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    react(member, post, "👍").ok()
    react(member, post, "🎉").ok()
    react(circle.owner, post, "👍").ok()

    for _ in range(2):
        left = react(member, post, "👍", "DELETE").ok(200)
        assert left == {"reaction_counts": {"👍": 1, "🎉": 1}, "my_reactions": ["🎉"]}

    assert react(circle.owner, post, "👍", "DELETE").ok(200)["reaction_counts"] == {"🎉": 1}


def test_the_same_emoji_written_in_two_ways_is_one(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)

    react(circle.owner, post, "❤").ok()
    shown = react(circle.owner, post, "❤️").ok()

    assert shown["reaction_counts"] == {"❤️": 1}


def test_one_person_has_so_many_different_ones(world: World) -> None:
    circle = world.circle()
    post = world.post(circle)
    emoji = [chr(0x1F600 + n) for n in range(MAX_EACH + 1)]

    for one in emoji[:-1]:
        react(circle.owner, post, one).ok()

    assert react(circle.owner, post, emoji[-1]).code == "too_many_reactions"
    assert react(circle.owner, post, emoji[0]).status == 200


def test_only_whoever_may_read_reacts(world: World) -> None:
    circle = world.circle()
    locked, preview = world.post(circle, access="学员"), world.post(circle, access="preview")
    reader, stranger = world.member(circle, "读者"), world.person()

    assert react(reader, locked, "👍").code == "post_locked"
    assert react(stranger, locked, "👍").code == "post_locked"
    assert react(stranger, preview, "👍").code == "not_a_member"
    assert circle.owner.api.get(locked.path).ok()["reaction_counts"] == {}


@pytest.mark.parametrize("emoji", ["👍", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "👩🏻‍⚕️", "☝🏽", "🫨", "❤️‍🔥"])
def test_real_emoji_are_taken_as_they_are(world: World, emoji: str) -> None:
    circle = world.circle()
    post = world.post(circle)

    assert react(circle.owner, post, emoji).ok()["my_reactions"] == [emoji]
    assert len(emoji) <= MAX_CODE_POINTS


@pytest.mark.parametrize(
    "fake",
    ["a", "1", "#", "汉", "好👍", "👍👍", "👍 ", "🇨", "\u200d", "👍\u200d", "🏽", "\ufe0f", "<b>", "👍\u202e", ":+1:",
     "👨‍👩‍👧‍👦‍👦", "👍" * 100],
)  # fmt: skip
def test_anything_else_is_refused(world: World, sql: Any, fake: str) -> None:
    circle = world.circle()
    post = world.post(circle)

    reply = react(circle.owner, post, fake)

    assert (reply.status, reply.fields) == (422, {"emoji": "not_an_emoji"})
    assert sql("SELECT count(*) FROM reactions")[0]["count"] == 0


def test_reading_an_emoji_is_stable() -> None:
    for emoji in ("❤", "👁‍🗨", "1⃣", "👩🏻‍⚕", "☝🏽", "🏳‍🌈"):
        once = read_emoji(emoji)
        assert once is not None
        assert read_emoji(once) == once
