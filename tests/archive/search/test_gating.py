"""Nobody finds what they may not open: not by a hit, not by a title, not by a count."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.archive.search.looking import catch_up, found, found_now, search
from tests.client import Api, World
from tests.conftest import START
from tests.statements import counted


def test_a_tier_finds_what_it_opens(world: World) -> None:
    circle = world.circle()
    low, high = world.member(circle, 1), world.member(circle, 2)
    for_all, paid = world.post(circle, body="琥珀"), world.post(circle, body="琥珀", access="学员")

    assert found(low, "琥珀", circle) == [str(for_all.id)]
    assert set(found(high, "琥珀", circle)) == {str(for_all.id), str(paid.id)}
    assert len(found(circle.owner, "琥珀")) == 2


def test_title_and_excerpt_of_a_locked_post_find_nothing(world: World) -> None:
    circle = world.circle()
    low, high = world.member(circle, 1), world.member(circle, 2)
    post = world.post(circle, kind="article", title="琥珀", body="正文", excerpt="琥珀的开头", access="学员")

    assert found(low, "琥珀", circle) == found(low, "开头", circle) == []
    assert found(high, "琥珀", circle) == found(high, "开头", circle) == [str(post.id)]


def test_what_stands_below_a_locked_post_is_not_found(world: World) -> None:
    circle = world.circle()
    low, high = world.member(circle, 1), world.member(circle, 2)
    file = world.media(circle.owner, b"x", filename="琥珀.csv", content_type="text/csv")
    post = world.post(circle, access="学员", attachments=[file])
    world.comment(post, high, "琥珀")

    assert found(low, "琥珀", circle) == []
    assert len(found(high, "琥珀", circle)) == 2


def test_strangers_find_previews_of_a_public_circle_and_nothing_of_a_hidden_one(world: World, api: Api) -> None:
    public, hidden = world.circle(), world.circle(preview_policy="none")
    stranger = world.person()
    shown = world.post(public, body="琥珀", access="preview")
    world.post(public, body="琥珀")
    world.post(hidden, body="琥珀", access="preview")

    assert found(stranger, "琥珀", public) == [str(shown.id)]
    assert found(stranger, "琥珀") == []
    assert stranger.api.get(f"/search?q=琥珀&circle_id={hidden.id}").status == 404
    assert api.get("/search?q=琥珀").status == 401


def test_who_was_banned_is_told_so(world: World) -> None:
    circle = world.circle()
    banned = world.banned_member(circle)
    world.post(circle, body="琥珀", access="preview")

    assert banned.api.get(f"/search?q=琥珀&circle_id={circle.id}").code == "banned"
    assert found(banned, "琥珀") == []


def test_after_expiry_the_paid_term_is_found_and_nothing_else(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    gone = world.expired_member(circle, started=START - timedelta(days=60), ended=START - timedelta(days=10))
    clock.set(START - timedelta(days=30))
    paid_for = world.post(circle, body="琥珀")
    clock.set(START)
    world.post(circle, body="琥珀")

    assert found(gone, "琥珀", circle) == found(gone, "琥珀") == [str(paid_for.id)]


def test_look_back_of_new_members_holds_for_search(world: World, clock: ManualClock) -> None:
    circle = world.circle(lookback_days=7)
    world.post(circle, body="琥珀")
    clock.advance(timedelta(days=8))
    late = world.member(circle)
    recent = world.post(circle, body="琥珀")

    assert found(late, "琥珀", circle) == [str(recent.id)]


@pytest.mark.parametrize("status", ["draft", "hidden", "trashed"])
def test_what_is_not_published_is_not_found_by_anybody(world: World, status: str) -> None:
    circle = world.circle()
    world.post(circle, body="琥珀", status=status)

    assert found(circle.owner, "琥珀", circle) == []


def test_the_name_of_an_anonymous_asker_is_told_by_nothing(world: World) -> None:
    circle = world.circle(anonymous_questions=True)
    asker, reader = world.member(circle, name="隐名"), world.member(circle)
    question = world.ask(circle, asker, body="琥珀", anonymous=True)
    asker.api.post(f"/posts/{question['id']}/comments", {"body": "琥珀补充"}).ok(201)

    hits = search(reader, "琥珀", circle)

    assert [hit["author"] for hit in hits] == [None, None]
    assert found(reader, "琥珀", circle, author=str(asker.id)) == []
    assert len(found(circle.owner, "琥珀", circle, author=str(asker.id))) == 2
    assert len(found(asker, "琥珀", circle, author=str(asker.id))) == 2


def test_a_locked_column_is_an_empty_list(world: World) -> None:
    circle = world.circle()
    low, high = world.member(circle, 1), world.member(circle, 2)
    post = world.post(circle, body="琥珀")
    column = world.column(circle, posts=[post], access="学员")

    assert found(low, "琥珀", circle, column=str(column.id)) == []
    assert found(high, "琥珀", circle, column=str(column.id)) == [str(post.id)]


def test_homework_is_found_by_its_author_and_by_teachers(world: World, units: Units) -> None:
    circle = world.circle()
    author, other, teacher = world.member(circle), world.member(circle), world.member(circle, role="guest")
    homework = world.assignment(circle, title="写琥珀")
    earlier = world.hand_in(homework, author, "第一稿里的鲸落")
    handed_in = world.hand_in(homework, author, "那年冬天的琥珀")
    catch_up(units)

    assert found(author, "冬天", circle) == found(teacher, "冬天") == [handed_in["id"]]
    assert found(other, "冬天", circle) == []
    assert found(author, "鲸落", circle) == []
    (hit,) = search(author, "写琥珀", circle)
    assert (hit["post"], hit["assignment"]["id"], hit["kind"]) == (None, homework.id, "submission")
    assert earlier["id"] != handed_in["id"]
    assert found(author, "冬天", circle, unread="false") == []


def test_a_reader_of_nothing_costs_no_search(world: World) -> None:
    stranger = world.person()
    found(stranger, "琥珀")

    with counted() as sent:
        assert found_now(stranger, "琥珀") == []

    assert len(sent) == 1
    assert "search_documents" not in sent[0]


def test_the_text_of_a_hit_is_that_of_the_row_and_not_of_the_index(world: World, sql: Any) -> None:
    circle = world.circle()
    post = world.post(circle, body="琥珀旧文")
    sql("UPDATE posts SET body = '琥珀新文' WHERE id = :id", id=post.id)

    (hit,) = search(circle.owner, "琥珀", circle)

    assert "".join(one["text"] for one in hit["snippet"]) == "琥珀新文"
