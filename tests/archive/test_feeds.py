"""Atom feeds: with a token of their own, as the member sees the circle, and 304 when nothing has changed."""

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest

from circle.kernel.clock import ManualClock
from tests.access.crawl import logged
from tests.builders.archive import BuiltColumn
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import Api, Reply, World
from tests.statements import counted

ATOM = "{http://www.w3.org/2005/Atom}"


def token_of(person: Person) -> Any:
    return person.api.post("/me/tokens", {"name": "阅读器", "scopes": ["feed"]}).ok(201)


def fetch(person: Person, token: str, of: BuiltCircle | BuiltColumn, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = "circles" if isinstance(of, BuiltCircle) else "columns"
    return person.api.as_(None).request("GET", f"http://circle.test/feeds/{token}/{kind}/{of.id}.atom", headers=sent)


def entries(reply: Reply) -> list[dict[str, str]]:
    root = ET.fromstring(reply.bytes)  # noqa: S314 - we wrote it ourselves
    return [{child.tag.removeprefix(ATOM): child.text or "" for child in one} for one in root.findall(f"{ATOM}entry")]


def test_a_member_reads_the_circle_in_a_feed_reader(world: World) -> None:
    circle = world.circle(name="写作 & 圈")
    member = world.member(circle)
    world.post(
        circle, title="第一篇", kind="article", body="# 头\n<b>粗</b> [路](/posts/x) " + "长" * 900, tags=["写作"]
    )
    world.post(circle, body="没有标题的一句话")

    reply = fetch(member, token_of(member)["token"], circle)

    assert (reply.status, reply.headers["Content-Type"].partition(";")[0]) == (200, "application/atom+xml")
    assert "private" in reply.headers["Cache-Control"]
    newest, first = entries(reply)
    assert (newest["title"], first["title"]) == ("没有标题的一句话", "第一篇")
    assert "长" * 900 in first["content"]
    assert "&lt;b&gt;粗" in first["content"], "HTML in a text is text"
    assert '<a href="http://circle.test/posts/x">' in first["content"]


def test_a_feed_library_finds_nothing_wrong(world: World) -> None:
    """Also with what people write: mark-up, emoji, controls, words that run the other way, no words at all."""
    circle = world.circle(name="<圈> & ]]>")
    member = world.member(circle)
    column = world.column(
        circle, [world.post(circle, title="A & <b>", body="```\n<script>\n```\n🎉 \u202eabc", tags=["甲/乙"])]
    )
    world.post(circle, title="锁", body="付费", access="学员", excerpt="x > y & z")
    world.ask(circle, member, title="怎么写")
    token = token_of(member)["token"]

    for of, titles in ((circle, ["怎么写", "锁", "A & <b>"]), (column, ["A & <b>"])):
        parsed = feedparser.parse(fetch(member, token, of).bytes)
        assert (parsed.bozo, parsed.version, [one.title for one in parsed.entries]) == (False, "atom10", titles)
        assert all(one.id and one.updated_parsed and one.author and one.link for one in parsed.entries)
        assert [one.rel for one in parsed.feed.links] == ["self"]


def test_a_locked_post_is_a_teaser(world: World) -> None:
    circle = world.circle()
    world.post(circle, title="付费标题", body="付费正文", access="学员", excerpt="免费节选", tags=["内部"])
    reader, student = world.member(circle, "读者"), world.member(circle, "学员")

    teaser = fetch(reader, token_of(reader)["token"], circle)

    (entry,) = entries(teaser)
    assert (entry["title"], entry["summary"].startswith("免费节选"), "content" in entry) == ("付费标题", True, False)
    assert "付费正文" not in teaser.bytes.decode()
    assert "内部" not in teaser.bytes.decode()
    assert "付费正文" in fetch(student, token_of(student)["token"], circle).bytes.decode()


def test_a_feed_names_the_installations_address_whatever_host_is_asked(world: World, api: Api) -> None:
    circle = world.circle()
    token = token_of(world.member(circle))["token"]
    asked = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}

    reply = api.request("GET", f"http://evil.example/feeds/{token}/circles/{circle.id}.atom", headers=asked)

    assert reply.status == 200
    assert b"evil.example" not in reply.bytes
    assert f'href="http://circle.test/feeds/{token}' in reply.bytes.decode()


def test_a_column_has_a_feed(world: World) -> None:
    circle = world.circle()
    inside = world.post(circle, body="在专栏里")
    world.post(circle, body="不在专栏里")
    opened, locked = world.column(circle, [inside]), world.column(circle, [inside], access="学员")
    member = world.member(circle, "读者")
    token = token_of(member)["token"]

    assert [one["title"] for one in entries(fetch(member, token, opened))] == ["在专栏里"]
    assert entries(fetch(member, token, locked)) == []


def test_nothing_new_is_304(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    post = world.post(circle)
    token = token_of(circle.owner)["token"]
    first = fetch(circle.owner, token, circle)
    tag, since = {"If_None_Match": first.headers["ETag"]}, {"If_Modified_Since": first.headers["Last-Modified"]}

    assert [fetch(circle.owner, token, circle, **same).status for same in (tag, since)] == [304, 304]
    clock.advance(timedelta(minutes=1))
    circle.owner.api.patch(post.path, {"body": "改过"}).ok()
    assert [fetch(circle.owner, token, circle, **same).status for same in (tag, since)] == [200, 200]


def test_a_token_that_ends_ends_the_feed(world: World, sql: Any) -> None:
    circle = world.circle()
    world.post(circle)
    revoked, banned, suspended = (world.member(circle) for _ in range(3))
    tokens = {person.id: token_of(person) for person in (revoked, banned, suspended)}
    assert {fetch(revoked, made["token"], circle).status for made in tokens.values()} == {200}

    revoked.api.delete(f"/me/tokens/{tokens[revoked.id]['id']}").ok(204)
    circle.owner.api.post(f"{circle.path}/members/{banned.id}/ban", {"refund": False}).ok()
    sql("UPDATE users SET suspended_at = created_at WHERE id = :id", id=suspended.id)

    assert {fetch(revoked, made["token"], circle).status for made in tokens.values()} == {404}


def test_after_expiry_the_feed_shows_teasers(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle, days=30)
    token = token_of(member)["token"]
    clock.advance(timedelta(days=31))
    world.post(circle, body="后来的内容")

    (entry,) = entries(fetch(member, token, circle))

    assert "content" not in entry


def test_a_feed_token_opens_nothing_else_and_no_other_token_a_feed(world: World) -> None:
    circle = world.circle()
    owner = circle.owner
    feed = token_of(owner)["token"]
    wide = owner.api.post("/me/tokens", {"name": "脚本", "scopes": ["read", "write"]}).ok(201)["token"]

    assert owner.api.as_(feed).get("/me").code == "scope_missing"
    assert {fetch(owner, token, circle).status for token in (wide, owner.token, "cp_x", "cp_错")} == {404}
    both = owner.api.post("/me/tokens", {"name": "两样", "scopes": ["read", "feed"]})
    assert both.fields == {"scopes": "one_of"}


def test_a_circle_that_hides_is_not_there(world: World) -> None:
    hidden, stranger = world.circle(preview_policy="none"), world.person()

    assert fetch(stranger, token_of(stranger)["token"], hidden).status == 404


@pytest.mark.parametrize("level", ["error"])
def test_the_token_is_in_no_log(world: World, level: str) -> None:
    circle = world.circle()
    token = token_of(circle.owner)["token"]
    with logged(level) as log:
        fetch(circle.owner, token, circle)
        circle.owner.api.request("GET", f"http://circle.test/feeds/{token}/nothing")
        lines = log.getvalue()

    assert "/feeds/cp_…/" in lines
    assert token not in lines


def test_a_feed_takes_a_fixed_number_of_statements(world: World) -> None:
    circle = world.circle()
    token = token_of(circle.owner)["token"]
    fetch(circle.owner, token, circle)  # notes that the token is in use
    sent = []
    for _ in range(2):
        for _post in range(3):
            world.post(circle)
        with counted() as statements:
            fetch(circle.owner, token, circle)
        sent.append(len(statements))

    assert sent[0] == sent[1]
