"""Writing posts: what is taken, what is refused, and how it is shown."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from circle.kernel.clock import ManualClock
from circle.posts.services.tagging import MAX_DEPTH, MAX_NAME
from tests.client import World
from tests.conftest import START
from tests.posts.shapes import assert_posts
from tests.statements import counted

TALK = {"kind": "talk", "body": "先写一百字。"}


def test_a_member_writes_a_talk_and_everybody_inside_reads_it(world: World) -> None:
    circle = world.circle()
    writer, reader = world.member(circle), world.member(circle)

    post = writer.api.post(f"{circle.path}/posts", TALK).ok(201)

    assert reader.api.get(f"/posts/{post['id']}").ok() == post
    assert reader.api.get(f"{circle.path}/posts").ok()["items"] == [post]
    assert post["author"] == {"id": str(writer.id), "display_name": "成员", "avatar_url": None}
    assert post["locked"] is False
    assert post["version"] == 1
    assert_posts(post)


def test_an_article_has_a_title_and_may_be_longer_than_a_talk(world: World) -> None:
    circle = world.circle()
    long = "字" * 10_001

    article = circle.owner.api.post(f"{circle.path}/posts", {"kind": "article", "title": "标题", "body": long}).ok(201)
    talk = circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": long})

    assert (article["title"], article["body"]) == ("标题", long)
    assert talk.status == 422
    assert talk.fields == {"body": "too_long"}


def test_tags_come_into_being_with_their_ancestors(world: World, sql: Any) -> None:
    circle = world.circle()

    post = circle.owner.api.post(
        f"{circle.path}/posts", {**TALK, "tags": [" 写作 / 选题/", "写作/选题", "写作/选题/标题党", "读书"]}
    ).ok(201)

    assert post["tags"] == ["写作/选题", "写作/选题/标题党", "读书"]
    rows = sql("SELECT t.path, p.path AS parent FROM tags t LEFT JOIN tags p ON p.id = t.parent_id ORDER BY t.path")
    assert [(row["path"], row["parent"]) for row in rows] == [
        ("写作", None),
        ("写作/选题", "写作"),
        ("写作/选题/标题党", "写作/选题"),
        ("读书", None),
    ]


@pytest.mark.parametrize(
    "tag", ["", "/", "写作//选题", "字" * (MAX_NAME + 1), "/".join("深" * (MAX_DEPTH + 1)), "a\nb", "\u200b"]
)
def test_a_bad_tag_is_refused(world: World, tag: str) -> None:
    circle = world.circle()

    reply = circle.owner.api.post(f"{circle.path}/posts", {**TALK, "tags": ["好", tag]})

    assert reply.status == 422
    assert list(reply.fields) == ["tags.1"]


def test_only_those_who_file_the_archive_set_a_gate(world: World) -> None:
    circle = world.circle()
    member, admin = world.member(circle), world.member(circle, role="admin")
    tier = {"level": "tier", "tier_id": str(circle.tier(2).id)}

    for access in (tier, {"level": "preview"}):
        assert member.api.post(f"{circle.path}/posts", {**TALK, "access": access}).code == "missing_permission"
        admin.api.post(f"{circle.path}/posts", {**TALK, "access": access}).ok(201)
    plain = member.api.post(f"{circle.path}/posts", {**TALK, "access": {"level": "members", "excerpt": "开头"}}).ok(201)

    assert plain["access"] == {"level": "members", "tier_id": None, "excerpt": "开头"}


@pytest.mark.parametrize(
    ("access", "code"),
    [
        ({"level": "tier"}, "one_of"),
        ({"level": "members", "tier_id": str(uuid4())}, "one_of"),
        ({"level": "tier", "tier_id": str(uuid4())}, "unknown_tier"),
    ],
)
def test_a_gate_names_a_tier_of_this_circle(world: World, access: Any, code: str) -> None:
    circle, other = world.circle(), world.circle()
    foreign = {"level": "tier", "tier_id": str(other.tier(1).id)}

    reply = circle.owner.api.post(f"{circle.path}/posts", {**TALK, "access": access})
    elsewhere = circle.owner.api.post(f"{circle.path}/posts", {**TALK, "access": foreign})

    assert reply.fields == {"access.tier_id": code}
    assert elsewhere.fields == {"access.tier_id": "unknown_tier"}


def test_strangers_expired_muted_and_new_members_may_not_write(world: World, clock: ManualClock) -> None:
    circle = world.circle(silence_hours=24)
    new = world.member(circle)
    expired = world.expired_member(circle, started=START - timedelta(days=60), ended=START - timedelta(days=1))

    assert world.person().api.post(f"{circle.path}/posts", TALK).code == "not_a_member"
    assert expired.api.post(f"{circle.path}/posts", TALK).code == "membership_expired"
    assert new.api.post(f"{circle.path}/posts", TALK).code == "too_new"
    clock.advance(timedelta(hours=25))
    new.api.post(f"{circle.path}/posts", TALK).ok(201)


def test_a_circle_that_hides_itself_is_not_found(world: World) -> None:
    circle = world.circle(preview_policy="none")

    assert world.person().api.post(f"{circle.path}/posts", TALK).status == 404
    assert world.person().api.post(f"/circles/{uuid4()}/posts", TALK).status == 404


def test_a_draft_is_its_authors_alone_until_published(world: World) -> None:
    circle = world.circle()
    writer = world.member(circle)
    draft = writer.api.post(f"{circle.path}/posts", {**TALK, "draft": True}).ok(201)

    assert draft["status"] == "draft"
    assert draft["published_at"] is None
    assert circle.owner.api.get(f"/posts/{draft['id']}").status == 404
    assert circle.owner.api.get(f"{circle.path}/posts?status=draft").ok()["items"] == []
    assert writer.api.get(f"{circle.path}/posts?status=draft").ok()["items"] == [draft]
    assert writer.api.get(f"{circle.path}/posts").ok()["items"] == []

    published = writer.api.patch(f"/posts/{draft['id']}", {"draft": False}).ok()

    assert published["status"] == "published"
    assert published["edited_at"] is None
    assert circle.owner.api.get(f"/posts/{draft['id']}").ok()["id"] == draft["id"]


def test_a_post_can_be_scheduled_moved_and_taken_back(world: World) -> None:
    circle = world.circle()
    at = (START + timedelta(days=1)).isoformat()
    post = circle.owner.api.post(f"{circle.path}/posts", {**TALK, "publish_at": at}).ok(201)
    path = f"/posts/{post['id']}"

    later = circle.owner.api.patch(path, {"publish_at": (START + timedelta(days=2)).isoformat()}).ok()
    back = circle.owner.api.patch(path, {"draft": True}).ok()

    assert (post["status"], later["status"], back["status"]) == ("scheduled", "scheduled", "draft")
    assert later["publish_at"] == "2026-03-03T04:00:00Z"
    assert back["publish_at"] is None
    past = {**TALK, "publish_at": START.isoformat()}
    assert circle.owner.api.post(f"{circle.path}/posts", past).fields == {"publish_at": "in_the_past"}
    both = {**TALK, "publish_at": at, "draft": True}
    assert circle.owner.api.post(f"{circle.path}/posts", both).fields == {"publish_at": "one_of"}


def test_a_word_can_hold_a_post_back_or_refuse_it(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    for word, action in (("加微信", "review"), ("发票", "block")):
        circle.owner.api.post(f"{circle.path}/blocked-words", {"word": word, "action": action}).ok(201)

    refused = member.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "代开发票"})
    held = member.api.post(f"{circle.path}/posts", {"kind": "talk", "body": "加 微 信"}).ok(201)

    assert refused.fields == {"body": "blocked_word"}
    assert held["status"] == "review"
    assert world.member(circle).api.get(f"/posts/{held['id']}").status == 404
    assert circle.owner.api.get(f"{circle.path}/posts?status=review").ok()["items"][0]["id"] == held["id"]
    assert member.api.post(f"/posts/{held['id']}/approve").code == "missing_permission"

    circle.owner.api.post(f"/posts/{held['id']}/approve").ok()

    assert world.member(circle).api.get(f"/posts/{held['id']}").ok()["status"] == "published"
    assert circle.owner.api.post(f"/posts/{held['id']}/approve").code == "wrong_state"


def test_a_fresh_post_is_shown_as_it_will_be_read(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    circle.owner.api.patch(f"{circle.path}/members/{member.id}", {"alias": "小明"}).ok()
    contents = [
        TALK,
        {**TALK, "tags": ["写作/选题"]},
        {"kind": "article", "title": "题目", "body": "很长的一段。" * 500, "access": {"level": "preview"}},
        {**TALK, "draft": True},
    ]

    for content in contents:
        api = circle.owner.api if "access" in content else member.api
        written = api.post(f"{circle.path}/posts", content).ok(201)
        assert written == api.get(f"/posts/{written['id']}").ok()


def test_a_post_costs_two_statements(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    member.api.post(f"{circle.path}/posts", TALK).ok(201)  # notes that the caller was seen

    with counted() as statements:
        member.api.post(f"{circle.path}/posts", TALK).ok(201)

    assert len(statements) == 2, statements  # who and standing; then post, change and what search is owed in one


def test_where_words_are_listed_a_post_costs_a_look_at_them(world: World) -> None:
    circle = world.circle()
    world.block_word(circle, "刷单")
    member = world.member(circle)
    member.api.post(f"{circle.path}/posts", TALK).ok(201)

    with counted() as statements:
        member.api.post(f"{circle.path}/posts", TALK).ok(201)

    assert len(statements) == 3, statements


def test_one_key_writes_one_post(world: World) -> None:
    circle = world.circle()
    key = {"Idempotency-Key": "one"}

    first = circle.owner.api.post(f"{circle.path}/posts", TALK, headers=key).ok(201)
    again = circle.owner.api.post(f"{circle.path}/posts", TALK, headers=key)

    assert again.json == first
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"kind": "required", "body": "required"}),
        ({**TALK, "kind": "poem"}, {"kind": "not_a_choice"}),
        ({**TALK, "body": ""}, {"body": "blank"}),
        ({**TALK, "body": " \n\u200b "}, {"body": "blank"}),
        ({**TALK, "body": 7}, {"body": "wrong_type"}),
        ({**TALK, "body": "a\u0000b"}, {"body": "bad_characters"}),
        ({**TALK, "title": "a\nb"}, {"title": "bad_characters"}),
        ({**TALK, "title": "\u202egnp.exe"}, {"title": "bad_characters"}),
        ({**TALK, "status": "published"}, {"status": "unknown_field"}),
        ({**TALK, "author_id": str(uuid4())}, {"author_id": "unknown_field"}),
        ({**TALK, "digest_at": "2026-03-01T00:00:00Z"}, {"digest_at": "unknown_field"}),
        ({**TALK, "attachments": [str(uuid4())]}, {"attachments.0": "unknown_media"}),
        ({**TALK, "attachments": ["x"]}, {"attachments.0": "bad_id"}),
        ({**TALK, "tags": "写作"}, {"tags": "wrong_type"}),
        ({**TALK, "tags": ["a"] * 21}, {"tags": "too_long"}),
        ({**TALK, "access": {"level": "all"}}, {"access.level": "not_a_choice"}),
        ({**TALK, "publish_at": "2026-02-30T00:00:00Z"}, {"publish_at": "bad_time"}),
        ({**TALK, "publish_at": "2026-03-02T00:00:00"}, {"publish_at": "bad_time"}),
        ({**TALK, "draft": "yes"}, {"draft": "wrong_type"}),
        ({**TALK, "asked_id": str(uuid4())}, {"asked_id": "questions_only"}),
        ({**TALK, "anonymous": True}, {"anonymous": "questions_only"}),
        ({**TALK, "amount": 1.9}, {"amount": "wrong_type"}),
        ({"kind": "question", "body": "?", "draft": True}, {"draft": "not_for_questions"}),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(world: World, sql: Any, body: Any, fields: dict[str, str]) -> None:
    circle = world.circle()

    reply = circle.owner.api.post(f"{circle.path}/posts", body)

    assert reply.status == 422
    assert reply.fields == fields
    assert sql("SELECT 1 FROM posts UNION ALL SELECT 1 FROM tags") == []


def test_text_of_every_kind_comes_back_as_it_was(world: World) -> None:
    circle = world.circle()
    body = "  𠮷野家 👨‍👩‍👧 e\u0301 \u200f\n\n```\n<script>&amp;</script>\n```\n" + "长" * 5_000

    post = circle.owner.api.post(f"{circle.path}/posts", {"kind": "talk", "body": body}).ok(201)

    assert post["body"] == body
