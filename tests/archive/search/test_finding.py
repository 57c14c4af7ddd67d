"""What is found, in which order, and how it is shown."""

import re
from datetime import timedelta
from itertools import combinations
from typing import Any

import psycopg
import pytest

from circle.archive.search import finding
from circle.archive.search.schemas import HitOut
from circle.archive.search.statements import search_statement
from circle.kernel.clock import ManualClock
from circle.kernel.db import Query
from circle.kernel.uow import Units
from tests.archive.search.looking import catch_up, find_words, found, found_now, marked, search, whole
from tests.client import World
from tests.statements import counted


def test_any_two_characters_of_a_text_find_it(world: World) -> None:
    circle = world.circle()
    text = "把一件小事講清楚,比讲很多大道理更难得。Redis 的 LRU 淘汰策略"
    post = world.post(circle, title="写作方法", body=text)
    world.post(circle, body="别的")

    looked = [text[at : at + 2] for at in range(len(text) - 1) if text[at : at + 2].isalnum()]

    assert all(found(circle.owner, two, circle) == [str(post.id)] for two in [*looked, "写作", "方法", "redis", "講清"])


def test_words_are_all_needed_and_stand_anywhere(world: World) -> None:
    circle = world.circle()
    both = world.post(circle, title="缓存", body="Redis 的过期策略")
    world.post(circle, body="Redis 的持久化")

    assert found(circle.owner, "过期 redis 缓存", circle) == [str(both.id)]
    assert found(circle.owner, "过期 mysql", circle) == []


def test_quotes_keep_words_together(world: World) -> None:
    circle = world.circle()
    together = world.post(circle, body="每天，一百字")
    world.post(circle, body="每天写一百字")

    assert found(circle.owner, "“每天 一百字”", circle) == [str(together.id)]
    assert len(found(circle.owner, "每天 一百字", circle)) == 2


def test_a_single_character_is_found_among_the_newest(world: World) -> None:
    circle = world.circle()
    post = world.post(circle, body="个税怎么算")

    assert found(circle.owner, "税", circle) == [str(post.id)]
    assert found(circle.owner, "个税 怎", circle) == [str(post.id)]
    assert found(circle.owner, "税", circle, sort="newest") == [str(post.id)]


def test_what_stands_in_a_title_comes_first_and_then_whole_words(
    world: World, units: Units, clock: ManualClock
) -> None:
    circle = world.circle()
    in_title = world.post(circle, kind="article", title="发展中国家", body="经济")
    as_word = world.post(circle, kind="article", body="中国 的经济")
    clock.advance(timedelta(days=1))
    as_part = world.post(circle, kind="article", body="发展中国家的经济")
    catch_up(units)
    find_words(units)

    assert found(circle.owner, "中国", circle) == [str(one.id) for one in (in_title, as_word, as_part)]
    assert found(circle.owner, "中国", circle, sort="newest")[0] == str(as_part.id)


def test_a_snippet_shows_the_hit_in_its_surroundings(world: World) -> None:
    circle = world.circle()
    body = "开头。" * 300 + "<b>這裡</b>講 ＪＡＶＡ 并发" + "结尾。" * 300
    world.post(circle, kind="article", title="并发手册", body=body)

    (hit,) = search(circle.owner, "java 并发", circle)

    assert marked(hit["title"]) == ["并发"]
    assert marked(hit["snippet"]) == ["ＪＡＶＡ", "并发"]
    assert "<b>這裡</b>" in whole(hit["snippet"])
    assert whole(hit["snippet"]).startswith("…")
    assert len(whole(hit["snippet"])) <= 122


@pytest.mark.parametrize(
    "strange", ["㍿" * 400, "e\u0301" * 400, "@[林晓](user:01890a5d-ac96-774b-bcce-b302099a8057)" * 30]
)
def test_a_snippet_is_right_where_folding_moves_the_text(world: World, strange: str) -> None:
    circle = world.circle()
    world.post(circle, kind="article", body=f"{strange} 关键所在 {strange}")

    (hit,) = search(circle.owner, "关键所在", circle)

    assert marked(hit["snippet"]) == ["关键所在"]


def test_comments_answers_and_names_of_files_are_found_where_they_stand(world: World) -> None:
    circle = world.circle()
    member = world.member(circle, name="读者")
    note = world.media(circle.owner, b"x,y", filename="读书清单.csv", content_type="text/csv")
    post = world.post(circle, body="正文", attachments=[note])
    comment = world.comment(post, member, "评论里的琥珀")
    question = world.ask(circle, member, body="问题里的琥珀")
    circle.owner.api.post(f"/posts/{question['id']}/answer", {"body": "回答里的琥珀"}).ok(201)

    hits = search(member, "琥珀", circle)
    (file,) = search(member, "读书清单")

    assert {(hit["kind"], hit["post"]["id"]) for hit in hits} == {
        ("comment", str(post.id)),
        ("post", question["id"]),
        ("answer", question["id"]),
    }
    assert next(hit["id"] for hit in hits if hit["kind"] == "comment") == comment["id"]
    assert (file["kind"], file["id"], marked(file["title"])) == ("file", str(note), ["读书清单"])
    assert found(member, "琥珀", circle, place="comment") == [comment["id"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_text_files_are_read_by_a_worker(world: World, units: Units, encoding: str) -> None:
    circle = world.circle()
    text = "第一行\n鲸落万物生\n".encode(encoding)
    media = world.media(circle.owner, text, filename="笔记.txt", content_type="text/plain")
    world.post(circle, attachments=[media])
    assert found_now(circle.owner, "鲸落", circle) == []

    assert catch_up(units) == 2

    (hit,) = search(circle.owner, "鲸落", circle)
    assert (hit["kind"], hit["id"], marked(hit["snippet"])) == ("file", str(media), ["鲸落"])
    assert catch_up(units) == 0


def test_a_file_that_was_attached_before_it_was_ready_is_read_then(world: World, units: Units) -> None:
    circle = world.circle()
    media = world.uploaded(circle.owner, "迟到的蓝鲸".encode(), filename="笔记.md", content_type="text/markdown")
    world.post(circle, attachments=[media])
    catch_up(units)
    assert found(circle.owner, "蓝鲸", circle) == []

    world.process_media()
    catch_up(units)

    assert found(circle.owner, "蓝鲸", circle) == [str(media)]


def test_pages_of_both_orders_have_everything_once(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    for n in range(7):
        world.post(circle, title="专题" if n % 3 == 0 else "", body=f"第{n}篇 共同的词")
        clock.advance(timedelta(minutes=n % 2))

    for sort in ("relevance", "newest"):
        whole_list = found(circle.owner, "共同", circle, sort=sort)
        seen: list[str] = []
        cursor = None
        while True:
            query = {"q": "共同", "circle_id": str(circle.id), "sort": sort, "limit": 3}
            page = circle.owner.api.get(
                "/search", query_string={**query, **({"cursor": cursor} if cursor else {})}
            ).ok()
            seen += [hit["id"] for hit in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            world.post(circle, body=f"{len(seen)} 新来的 共同的词")
        assert [one for one in seen if one in whole_list] == whole_list
        assert len(seen) == len(set(seen))


def test_filters_narrow_it(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    author = world.member(circle, name="作者")
    first = world.post(circle, author, kind="article", title="一", body="琥珀", tags=["写作/选题"])
    clock.advance(timedelta(days=1))
    between = clock.now()
    second = world.post(circle, body="琥珀", attachments=[world.media(circle.owner)])
    circle.owner.api.put(f"{first.path}/digest").ok(204)
    author.api.put(f"{second.path}/read").ok(204)

    def by(**query: Any) -> list[str]:
        return ["first" if one == str(first.id) else "second" for one in found(author, "琥珀", circle, **query)]

    assert by(kind="article") == by(author=str(author.id)) == by(tag="写作") == by(digest="true") == ["first"]
    assert by(has_attachment="true") == by(digest="false") == ["second"]
    assert by(since=between.isoformat()) == ["second"]
    assert by(until=between.isoformat()) == ["first"]
    assert by(tag="写") == by(unread="true") == by(bookmarked="true") == by(place="comment") == []
    assert len(by(unread="false")) == len(by(bookmarked="false")) == 2


def test_every_combination_of_filters_is_a_statement_that_runs(world: World) -> None:
    circle = world.circle()
    values = {
        "kind": "article",
        "author": str(circle.owner.id),
        "tag": "写作",
        "column": str(circle.id),
        "digest": "true",
        "has_attachment": "false",
        "since": "2026-01-01T00:00:00Z",
        "until": "2027-01-01T00:00:00Z",
        "unread": "true",
        "bookmarked": "false",
        "place": "post",
    }
    for size in (1, 2, len(values)):
        for names in combinations(values, size):
            query = {name: values[name] for name in names}
            assert found(circle.owner, "琥珀", circle, **query) == []
            assert found(circle.owner, "“琥珀 琥珀” 琥", sort="newest", **query) == []


def test_one_box_searches_all_circles_of_the_reader(world: World) -> None:
    here, there, elsewhere = world.circle(), world.circle(), world.circle()
    reader = world.member(there, person=world.member(here))
    first, second = world.post(here, body="琥珀"), world.post(there, body="琥珀")
    world.post(elsewhere, body="琥珀")

    assert set(found(reader, "琥珀")) == {str(first.id), str(second.id)}
    assert found(reader, "琥珀", there) == [str(second.id)]


def test_a_search_costs_two_round_trips(world: World) -> None:
    circle = world.circle()
    reader = world.member(circle)
    world.post(circle, body="琥珀")
    found(reader, "琥珀")

    with counted() as of_all:
        found_now(reader, "琥珀")
    with counted() as of_one:
        found_now(reader, "琥珀", circle)

    # Who asks; then its time limit and the search, together.
    assert (len(of_all), len(of_one)) == (3, 3)


def test_answers_have_the_documented_shape(world: World) -> None:
    circle = world.circle()
    reader = world.member(circle)
    post = world.post(circle, kind="article", title="琥珀", body="琥珀")
    world.comment(post, reader, "琥珀")
    world.ask(circle, reader, body="琥珀")

    for hit in search(reader, "琥珀", circle):
        assert HitOut().validate(hit) == {}, hit


@pytest.mark.parametrize("sort", ["newest", "relevance"])
@pytest.mark.parametrize("query", ["琥珀", "琥珀色的", "“琥珀 色”", "琥珀 蓝"])
def test_the_index_finds_and_no_table_is_read_whole(
    world: World, sql: Any, monkeypatch: pytest.MonkeyPatch, sort: str, query: str
) -> None:
    circle = world.circle()
    world.post(circle, title="琥珀色的 琥珀 色", body="蓝")
    plans: list[str] = []
    monkeypatch.setattr(finding, "search_statement", lambda shape: _Explained(search_statement(shape), plans))
    sql("SET LOCAL enable_seqscan = off")

    assert len(found(circle.owner, query, sort=sort)) == 1

    assert "ix_search_documents_terms" in plans[0]
    assert "Seq Scan" not in plans[0]


def test_posts_are_looked_at_one_by_one_until_there_are_enough(
    world: World, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    for _ in range(9):
        world.post(circle, body="琥珀")
    catch_up(world.units)
    plans: list[str] = []
    monkeypatch.setattr(
        finding, "search_statement", lambda shape: _Explained(search_statement(shape), plans, "ANALYZE")
    )
    sql("SET LOCAL enable_seqscan = off")

    circle.owner.api.get("/search?q=琥珀&sort=newest&limit=1").ok()

    looks = [int(loops) for loops in re.findall(r"on posts posts_\d+ .*loops=(\d+)", plans[0])]
    assert max(looks) == 2, "a page of one, and whether there is more"


class _Explained:
    """A statement that notes how it will be run."""

    may_lag = False

    def __init__(self, query: Query, plans: list[str], how: str = "COSTS") -> None:
        self._query, self._plans, self._how = query, plans, how

    def send(self, connection: Any, params: Any) -> Any:
        explained = f"EXPLAIN ({self._how}) {self._query.sql}".encode()
        lines = psycopg.RawCursor(connection).execute(explained, self._query.arguments(params)).fetchall()
        self._plans.append("\n".join(line[0] for line in lines))
        return self._query.send(connection, params)
