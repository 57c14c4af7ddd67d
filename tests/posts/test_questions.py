"""Asking and answering, for nothing."""

from typing import Any

import pytest

from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Reply, World
from tests.posts.shapes import assert_posts
from tests.statements import counted


def answer(person: Person, question: Any, body: str = "先写一百字。", **content: Any) -> Reply:
    return person.api.post(f"/posts/{question['id']}/answer", {"body": body, **content})


def questions(circle: BuiltCircle, reader: Person, **query: str) -> list[str]:
    page = reader.api.get(f"{circle.path}/questions", query_string=query).ok()
    return [one["id"] for one in page["items"]]


def test_a_member_asks_the_owner_who_answers(world: World) -> None:
    circle = world.circle()
    asker, reader = world.member(circle, name="林晓"), world.member(circle)

    question = world.ask(circle, asker)
    answered = answer(circle.owner, question).ok(201)

    assert (question["kind"], question["status"], question["question"]["status"]) == ("question", "published", "open")
    assert question["question"]["asked"]["id"] == str(circle.owner.id)
    assert (question["question"]["amount"], question["question"]["checkout"]) == (None, None)
    part = reader.api.get(f"/posts/{question['id']}").ok()["question"]
    assert (part["status"], part["answer"]["body"]) == ("answered", "先写一百字。")
    assert part == answered["question"]
    assert_posts(question, answered)


def test_whoever_is_asked_and_whoever_asked_are_told(world: World) -> None:
    circle = world.circle()
    guest, asker = world.member(circle, role="guest"), world.member(circle, name="林晓")

    question = world.ask(circle, asker, asked_id=str(guest.id))
    answer(guest, question).ok(201)

    [received] = world.notices(guest, "question_received")
    assert "林晓" in received["title"]
    assert len(world.notices(asker, "question_answered")) == 1
    assert world.notices(circle.owner) == []


@pytest.mark.parametrize("role", ["partner", "guest"])
def test_partners_and_guests_can_be_asked(world: World, role: str) -> None:
    circle = world.circle()
    expert, other = world.member(circle, role=role), world.member(circle, role="guest")
    question = world.ask(circle, world.member(circle), asked_id=str(expert.id))

    assert answer(other, question).code == "not_asked"
    answer(expert, question).ok(201)


def test_the_owner_may_answer_for_whoever_was_asked(world: World) -> None:
    circle = world.circle()
    guest = world.member(circle, role="guest")
    question = world.ask(circle, world.member(circle), asked_id=str(guest.id))

    answer(circle.owner, question).ok(201)

    assert answer(guest, question).code == "already_answered"


def test_only_those_who_answer_can_be_asked(world: World) -> None:
    circle, other = world.circle(), world.circle()
    asker, member, admin = world.member(circle), world.member(circle), world.member(circle, role="admin")
    body = {"kind": "question", "body": "?"}

    for person in (member, admin, other.owner, world.person()):
        refused = asker.api.post(f"{circle.path}/posts", {**body, "asked_id": str(person.id)})
        assert refused.fields == {"asked_id": "not_askable"}
    assert circle.owner.api.post(f"{circle.path}/posts", body).fields == {"asked_id": "asked_self"}
    assert questions(circle, asker) == []


def test_nobody_answers_who_was_not_asked_nor_themselves(world: World) -> None:
    circle = world.circle()
    asker, member, guest = world.member(circle), world.member(circle), world.member(circle, role="guest")
    question = world.ask(circle, asker)
    own = world.ask(circle, circle.owner, asked_id=str(guest.id))

    for person in (asker, member, guest):
        assert answer(person, question).code == "not_asked"
    assert answer(circle.owner, own).code == "not_asked"
    assert answer(world.person(), question).code == "post_locked"


def test_a_talk_is_no_question(world: World) -> None:
    circle = world.circle()
    talk = world.post(circle)
    path = f"{talk.path}/answer"

    assert circle.owner.api.post(path, {"body": "好"}).code == "not_a_question"
    assert circle.owner.api.patch(path, {"body": "好"}).code == "not_answered"
    assert circle.owner.api.get(f"{path}/revisions").status == 404
    assert circle.owner.api.post(f"{talk.path}/checkout").code == "not_a_question"


class TestAnswers:
    def test_an_answer_is_reworded_and_its_earlier_words_are_kept(self, world: World) -> None:
        circle = world.circle()
        asker = world.member(circle)
        question = world.ask(circle, asker)
        path = f"/posts/{question['id']}/answer"
        answer(circle.owner, question, "一").ok(201)

        for body in ("二", "三"):
            edited = circle.owner.api.patch(path, {"body": body}).ok()

        part = edited["question"]["answer"]
        assert (part["body"], part["version"], part["edited_at"] is not None) == ("三", 3, True)
        kept = asker.api.get(f"{path}/revisions").ok()["items"]
        assert [(one["number"], one["body"]) for one in kept] == [(2, "二"), (1, "一")]
        stale = circle.owner.api.patch(path, {"body": "四"}, headers={"If-Match": '"1"'})
        assert stale.status == 412

    def test_revisions_page(self, world: World) -> None:
        circle = world.circle()
        question = world.ask(circle, world.member(circle))
        path = f"/posts/{question['id']}/answer"
        answer(circle.owner, question, "0").ok(201)
        for n in range(1, 4):
            circle.owner.api.patch(path, {"body": str(n)}).ok()

        first = circle.owner.api.get(f"{path}/revisions?limit=2").ok()
        rest = circle.owner.api.get(f"{path}/revisions?limit=2&cursor={first['next_cursor']}").ok()

        assert [one["body"] for one in first["items"] + rest["items"]] == ["2", "1", "0"]

    def test_only_its_author_rewords_it(self, world: World) -> None:
        circle = world.circle()
        guest = world.member(circle, role="guest")
        question = world.ask(circle, world.member(circle), asked_id=str(guest.id))
        answer(guest, question).ok(201)

        refused = circle.owner.api.patch(f"/posts/{question['id']}/answer", {"body": "我说的"})

        assert refused.code == "not_the_author"

    def test_an_answer_may_be_a_picture_which_its_readers_fetch(self, world: World) -> None:
        circle = world.circle()
        asker, stranger = world.member(circle), world.person()
        media = world.media(circle.owner)
        question = world.ask(circle, asker)

        part = answer(circle.owner, question, "", attachments=[str(media)]).ok(201)["question"]["answer"]

        assert [one["id"] for one in part["attachments"]] == [str(media)]
        assert asker.api.get(f"/media/{media}").status == 302
        assert stranger.api.get(f"/media/{media}").status == 404
        nothing = circle.owner.api.patch(f"/posts/{question['id']}/answer", {"attachments": []})
        assert nothing.fields == {"body": "blank"}

    def test_a_locked_question_shows_no_answer(self, world: World) -> None:
        circle = world.circle()
        asker = world.member(circle, "学员")
        outside, gate = world.member(circle, "读者"), {"level": "tier", "tier_id": str(circle.tier(2).id)}
        question = world.ask(circle, asker)
        answer(circle.owner, question, "只给学员的回答").ok(201)
        circle.owner.api.patch(f"/posts/{question['id']}", {"access": gate}).ok()

        for path in (
            f"/posts/{question['id']}",
            f"/posts/{question['id']}/answer/revisions",
            f"{circle.path}/questions",
            f"{circle.path}/posts",
        ):
            assert "只给学员的回答".encode() not in outside.api.get(path).bytes
        assert asker.api.get(f"/posts/{question['id']}").ok()["question"]["answer"]["body"] == "只给学员的回答"
        assert answer(outside, question).code == "post_locked"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "body"),
            ({"body": " \u200b"}, "body"),
            ({"body": "a\0b"}, "body"),
            ({"body": "字" * 10_001}, "body"),
            ({"body": 7}, "body"),
            ({"body": "好", "attachments": ["x"]}, "attachments.0"),
            ({"body": "好", "attachments": ["01890a5d-ac96-774b-bcce-b302099a8057"]}, "attachments.0"),
            ({"body": "好", "author_id": "me"}, "author_id"),
        ],
    )
    def test_nonsense_is_refused_and_the_question_stays_open(
        self, world: World, body: dict[str, Any], field: str
    ) -> None:
        circle = world.circle()
        asker = world.member(circle)
        question = world.ask(circle, asker)

        reply = circle.owner.api.post(f"/posts/{question['id']}/answer", body)

        assert (reply.status, list(reply.fields)) == (422, [field])
        assert asker.api.get(f"/posts/{question['id']}").ok()["question"]["status"] == "open"


class TestAnonymous:
    def test_the_asker_is_known_to_themselves_and_the_owner_only(self, world: World) -> None:
        circle = world.circle(anonymous_questions=True)
        guest, admin = world.member(circle, role="guest"), world.member(circle, role="admin")
        asker, reader = world.member(circle, name="匿名者"), world.member(circle)
        question = world.ask(circle, asker, asked_id=str(guest.id), anonymous=True)
        path = f"/posts/{question['id']}"
        comment = asker.api.post(f"{path}/comments", {"body": "补充一句"}).ok(201)
        reader.api.post(f"{path}/report", {"reason": "other"}).ok(201)

        assert question["author"]["id"] == comment["author"]["id"] == str(asker.id)
        assert circle.owner.api.get(path).ok()["author"]["id"] == str(asker.id)
        for person in (reader, guest, admin):
            for shown in (
                path,
                f"{path}/comments",
                f"{circle.path}/posts",
                f"{circle.path}/questions",
                f"{circle.path}/posts?author={asker.id}",
                f"{circle.path}/changes",
                f"{circle.path}/reports",
                f"{circle.path}/comments",
                "/me/notifications",
            ):
                reply = person.api.get(shown)
                assert str(asker.id).encode() not in reply.bytes, shown
                assert "匿名者".encode() not in reply.bytes, shown
        [seen] = reader.api.get(f"{path}/comments").ok()["items"]
        assert (seen["author"], seen["by_asker"], seen["body"]) == (None, True, "补充一句")
        assert len(world.notices(guest, "question_received")) == 1

    def test_a_mention_by_them_carries_no_name(self, world: World) -> None:
        circle = world.circle(anonymous_questions=True)
        asker, named = world.member(circle, name="匿名者"), world.member(circle)
        body = f"@[x](user:{named.id}) 怎么看?"

        question = world.ask(circle, asker, anonymous=True, body=body)
        asker.api.post(f"/posts/{question['id']}/comments", {"body": body}).ok(201)

        told = named.api.get("/me/notifications")
        assert len(told.ok()["items"]) == 2
        assert "匿名者".encode() not in told.bytes
        assert str(asker.id).encode() not in told.bytes

    def test_a_circle_has_to_allow_it(self, world: World) -> None:
        circle = world.circle()
        asker = world.member(circle)

        refused = asker.api.post(f"{circle.path}/posts", {"kind": "question", "body": "?", "anonymous": True})

        assert (refused.status, refused.code) == (403, "anonymous_not_allowed")


class TestList:
    def test_by_status_and_by_who_is_asked(self, world: World) -> None:
        circle = world.circle()
        guest, asker = world.member(circle, role="guest"), world.member(circle)
        to_owner, to_guest, done = (
            world.ask(circle, asker),
            world.ask(circle, asker, asked_id=str(guest.id)),
            world.ask(circle, asker, asked_id=str(guest.id)),
        )
        world.post(circle)
        answer(guest, done).ok(201)
        ids = [one["id"] for one in (done, to_guest, to_owner)]

        assert questions(circle, asker) == ids
        assert questions(circle, asker, status="open") == ids[1:]
        assert questions(circle, asker, status="answered") == ids[:1]
        assert questions(circle, guest, status="open", asked="me") == [to_guest["id"]]
        assert questions(circle, asker, asked=str(circle.owner.id)) == [to_owner["id"]]
        assert questions(circle, asker, status="unpaid") == []

    def test_pages_do_not_shift(self, world: World) -> None:
        circle = world.circle()
        asker = world.member(circle)
        asked = [world.ask(circle, asker)["id"] for _ in range(4)]

        first = asker.api.get(f"{circle.path}/questions?limit=2").ok()
        world.ask(circle, asker)
        rest = asker.api.get(f"{circle.path}/questions?limit=2&cursor={first['next_cursor']}").ok()

        assert [one["id"] for one in first["items"] + rest["items"]] == asked[::-1]
        assert_posts(*first["items"])

    def test_a_page_costs_two_statements(self, world: World) -> None:
        circle = world.circle()
        asker = world.member(circle)
        for _ in range(3):
            answer(circle.owner, world.ask(circle, asker)).ok(201)
        questions(circle, asker)

        with counted() as statements:
            assert len(questions(circle, asker)) == 3
        assert len(statements) == 2

    @pytest.mark.parametrize("query", ["asked=you", "asked=a%00b", "status=lost", "cursor=x", "limit=0"])
    def test_nonsense_is_refused(self, world: World, query: str) -> None:
        circle = world.circle()

        assert circle.owner.api.get(f"{circle.path}/questions?{query}").status in {400, 422}


def test_a_held_question_is_asked_when_it_passes(world: World) -> None:
    circle = world.circle()
    world.block_word(circle, "代写", "review")
    guest, asker = world.member(circle, role="guest"), world.member(circle)

    question = world.ask(circle, asker, body="能代写吗", asked_id=str(guest.id))

    assert question["status"] == "review"
    assert world.notices(guest) == []
    assert answer(guest, question).status == 404
    circle.owner.api.post(f"/posts/{question['id']}/approve").ok()
    assert len(world.notices(guest, "question_received")) == 1
    answer(guest, question).ok(201)
