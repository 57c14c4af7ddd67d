"""The feed: filters, paging, and what it costs."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.posts import policy, queries
from circle.posts.cards import LIST_BODY
from tests.builders.circles import BuiltCircle, caller_of
from tests.builders.people import Person
from tests.client import Api, World
from tests.conftest import START
from tests.posts.shapes import assert_posts
from tests.statements import counted


def ids(who: Api, circle: BuiltCircle, **query: Any) -> list[str]:
    return [item["id"] for item in who.get(f"{circle.path}/posts", query_string=query).ok()["items"]]


def test_newest_come_first_page_by_page(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    posts = []
    for _ in range(5):
        posts.append(str(world.post(circle).id))
        clock.advance(timedelta(minutes=1))

    seen, cursor = [], None
    while True:
        page = circle.owner.api.get(
            f"{circle.path}/posts", query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).ok()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == posts[::-1]


def test_a_page_stays_where_it_is_while_posts_come_and_go(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    first, second, third, fourth = (world.post(circle) for _ in range(4))  # all at one instant
    api = circle.owner.api
    page = api.get(f"{circle.path}/posts?limit=2").ok()
    assert [item["id"] for item in page["items"]] == [str(fourth.id), str(third.id)]

    clock.advance(timedelta(minutes=1))
    world.post(circle)
    api.delete(fourth.path).ok(204)
    rest = api.get(f"{circle.path}/posts?limit=2&cursor={page['next_cursor']}").ok()

    assert [item["id"] for item in rest["items"]] == [str(second.id), str(first.id)]
    assert rest["next_cursor"] is None


def test_filters_narrow_it(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    talk = str(world.post(circle, tags=["写作/选题"]).id)
    article = str(world.post(circle, member, kind="article", tags=["写作"]).id)
    clock.advance(timedelta(days=1))
    late = str(world.post(circle, member, tags=["写作手册"]).id)

    assert ids(member.api, circle) == [late, article, talk]
    assert ids(member.api, circle, kind="article") == [article]
    assert ids(member.api, circle, author=str(member.id)) == [late, article]
    assert ids(member.api, circle, tag="写作") == [article, talk]
    assert ids(member.api, circle, tag="写作/选题") == [talk]
    assert ids(member.api, circle, tag="写") == []
    assert ids(member.api, circle, since=(START + timedelta(hours=1)).isoformat()) == [late]
    assert ids(member.api, circle, digest="true") == []
    assert ids(member.api, circle, digest="false", kind="talk", author=str(member.id)) == [late]
    assert ids(member.api, circle, column=str(uuid4())) == []


def test_every_combination_of_filters_is_a_statement_that_runs(world: World) -> None:
    circle = world.circle()
    filters = {
        "kind": "talk",
        "author": str(circle.owner.id),
        "tag": "写作",
        "column": str(uuid4()),
        "digest": "true",
        "since": "2026-01-01T00:00:00Z",
    }
    chosen = [names for size in (1, 2, len(filters)) for names in combinations(filters, size)]

    for names in chosen:
        for status in ("published", "draft", "trashed"):
            assert ids(circle.owner.api, circle, status=status, **{name: filters[name] for name in names}) == []


def test_another_circles_tag_column_and_author_find_nothing(world: World) -> None:
    circle, other = world.circle(), world.circle()
    world.post(other, tags=["写作"])

    assert ids(circle.owner.api, circle, tag="写作") == []
    assert ids(circle.owner.api, circle, author=str(other.owner.id)) == []


def test_a_long_body_comes_with_its_beginning(world: World) -> None:
    circle = world.circle()
    long = world.post(circle, kind="article", body="字" * 5_000)
    short = world.post(circle, body="字" * LIST_BODY)

    shown = circle.owner.api.get(f"{circle.path}/posts").ok()["items"]

    assert [(item["id"], item["body"], item["truncated"]) for item in shown] == [
        (str(short.id), "字" * LIST_BODY, False),
        (str(long.id), "字" * LIST_BODY, True),
    ]
    whole = circle.owner.api.get(long.path).ok()
    assert (len(whole["body"]), whole["truncated"]) == (5_000, False)


def test_lists_of_ones_own(world: World) -> None:
    circle = world.circle()
    member, other = world.member(circle), world.member(circle)
    draft = str(world.post(circle, member, status="draft").id)
    trashed = str(world.post(circle, member, status="trashed").id)
    hidden = str(world.post(circle, member, status="hidden").id)

    for status, post in (("draft", draft), ("trashed", trashed), ("hidden", hidden)):
        assert ids(member.api, circle, status=status) == [post]
        assert ids(other.api, circle, status=status) == []
        assert ids(circle.owner.api, circle, status=status) == ([] if status == "draft" else [post])
    assert world.person().api.get(f"{circle.path}/posts?status=draft").code == "not_a_member"


def test_members_are_shown_by_the_name_they_go_by_here(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    sql("UPDATE memberships SET alias = '阿晓' WHERE user_id = :id", id=member.id)
    post = world.post(circle, member)

    assert circle.owner.api.get(post.path).ok()["author"]["display_name"] == "阿晓"


def test_bad_queries_are_refused(world: World) -> None:
    circle = world.circle()
    get = circle.owner.api.get

    assert get(f"{circle.path}/posts?cursor=nonsense").code == "bad_cursor"
    assert get(f"{circle.path}/posts?limit=0").status == 422
    assert get(f"{circle.path}/posts?limit=101").status == 422
    assert get(f"{circle.path}/posts?kind=poem").fields == {"kind": "not_a_choice"}
    assert get(f"{circle.path}/posts?author=me").fields == {"author": "bad_id"}
    assert get(f"{circle.path}/posts?since=yesterday").fields == {"since": "bad_time"}
    assert get(f"{circle.path}/posts?offset=20").fields == {"offset": "unknown_field"}
    drafts = get(f"{circle.path}/posts?limit=1").ok()["next_cursor"]
    assert drafts is None


@pytest.mark.parametrize("who", ["member", "stranger", "anonymous"])
def test_two_statements_serve_the_feed_and_one_the_page(world: World, api: Api, who: str) -> None:
    circle = world.circle()
    posts = [world.post(circle, tags=["写作"]) for _ in range(3)]
    reader = {"member": lambda: world.member(circle).api, "stranger": lambda: world.person().api}.get(
        who, lambda: api
    )()
    reader.get(f"{circle.path}/posts").ok()  # notes that the caller was seen

    for path in (f"{circle.path}/posts", f"{circle.path}/posts?tag=写作&kind=talk"):
        with counted() as statements:
            assert len(reader.get(path).ok()["items"]) == len(posts)
        assert len(statements) == 2, statements
    with counted() as statements:
        reader.get(posts[0].path).ok()
    assert len(statements) == (2 if who == "anonymous" else 1), statements


def test_what_is_locked_does_not_leave_the_database(world: World, units: Units) -> None:
    circle = world.circle()
    post = world.post(circle, body="canary-7f3a", access="学员", tags=["canary-7f3a"])
    member = world.member(circle, 1)

    with units.read() as uow:
        standing = policy.require_look_at_post(uow, caller_of(member), post.id)
        row = uow.row(queries._POST, post_id=post.id, **policy.reading(standing))

    assert row is not None
    assert "canary-7f3a" not in str(row)


def test_an_unchanged_post_is_304(world: World) -> None:
    circle = world.circle()
    post, member = world.post(circle), world.member(circle)
    first = member.api.get(post.path)

    again = member.api.get(post.path, headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["ETag"].startswith('"1-')
    assert first.headers["Cache-Control"].startswith("private")
    assert again.status == 304


def test_shapes_are_those_of_the_document(world: World) -> None:
    circle = world.circle()
    world.post(circle, access="学员")
    world.post(circle, kind="article", title="标题", tags=["写作"])
    question = world.member(circle).api.post(f"{circle.path}/posts", {"kind": "question", "body": "如何?"}).ok(201)
    circle.owner.api.post(f"/posts/{question['id']}/answer", {"body": "如此。"}).ok(201)

    for reader in (circle.owner, world.member(circle, 1), world.person()):
        items = reader.api.get(f"{circle.path}/posts").ok()["items"]
        assert len(items) == 3
        assert_posts(*items, *(reader.api.get(f"/posts/{item['id']}").ok() for item in items))


def test_a_question_shows_whom_it_asks_and_the_answer(world: World) -> None:
    circle = world.circle()
    asker = world.member(circle)
    post = asker.api.post(f"{circle.path}/posts", {"kind": "question", "body": "如何开始?"}).ok(201)
    assert post["question"]["status"] == "open"
    assert post["question"]["asked"]["id"] == str(circle.owner.id)
    assert post["question"]["answer"] is None

    circle.owner.api.post(f"/posts/{post['id']}/answer", {"body": "先写一百字。"}).ok(201)

    for shown in (asker.api.get(f"/posts/{post['id']}").ok(), asker.api.get(f"{circle.path}/posts").ok()["items"][0]):
        assert shown["question"]["status"] == "answered"
        assert shown["question"]["answer"]["body"] == "先写一百字。"


def test_page_1000_reads_the_index_and_sorts_nothing(world: World, units: Units, sql: Any) -> None:
    circle = world.circle()
    _many_posts(sql, circle, world.member(circle), 30_000)
    deep = sql("SELECT published_at, id FROM posts ORDER BY published_at DESC, id DESC OFFSET 20000 LIMIT 1")[0]

    for names, index in (
        (frozenset(), "ix_posts_feed"),
        (frozenset({"author"}), "ix_posts_feed_author"),
        (frozenset({"article"}), "ix_posts_feed_kind"),
        (frozenset({"digest"}), "ix_posts_feed_digest"),
    ):
        plan = _plan(units, queries._feed(names, 21), circle, **deep)
        nodes = list(_nodes(next(node for node in _nodes(plan) if node["Node Type"] == "Limit")))
        assert {"Index Scan", "Sort"} & {node["Node Type"] for node in nodes} == {"Index Scan"}, names
        scan = next(node for node in nodes if node.get("Relation Name") == "posts")
        assert scan["Index Name"] == index
        assert scan["Actual Rows"] <= 21
        assert scan.get("Rows Removed by Filter", 0) == 0


def _many_posts(sql: Any, circle: BuiltCircle, member: Person, number: int) -> None:
    sql(
        """
        INSERT INTO posts (id, circle_id, author_id, kind, status, title, body, excerpt, access_level, anonymous,
                           attachments, reaction_counts, comment_count, published_at, digest_at, created_at, version)
        SELECT gen_random_uuid(), :circle, CASE n % 20 WHEN 0 THEN CAST(:owner AS uuid) ELSE :member END,
               CASE n % 3 WHEN 0 THEN 'article' ELSE 'talk' END, 'published', '', 'x', '', 'members', false,
               '[]', '{}', 0, now() - n * interval '1 second', CASE n % 5 WHEN 0 THEN now() END, now(), 1
        FROM generate_series(1, :number) AS n
        """,
        circle=circle.id,
        owner=circle.owner.id,
        member=member.id,
        number=number,
    )
    sql("ANALYZE posts")


def _plan(units: Units, query: Any, circle: BuiltCircle, **after: Any) -> Any:
    """The plan that PostgreSQL makes once for all parameters, as it does for a statement that is used often."""
    with units.read() as uow:
        standing = policy.require_look(uow, caller_of(circle.owner), circle.id)
        connection = uow._driver()
        parameters = {
            **policy.reading(standing),
            **after,
            "circle_id": circle.id,
            "author": circle.owner.id,
            "knows_askers": True,
        }
        cursor = psycopg.RawCursor(connection)
        row = cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {query.sql}".encode(), query.arguments(parameters)
        ).fetchone()
    assert row is not None
    return (json.loads(row[0]) if isinstance(row[0], str) else row[0])[0]["Plan"]


def _nodes(plan: Any) -> Iterator[Any]:
    """Walk the plan without what is fetched for single rows, such as a post's tags."""
    yield plan
    for inner in plan.get("Plans", ()):
        if inner["Parent Relationship"] != "SubPlan":
            yield from _nodes(inner)
