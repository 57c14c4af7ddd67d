"""Importing Markdown: what becomes of an archive, and of importing it again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from circle.archive.importing.sources import open_source
from circle.archive.services import import_requests, importing
from circle.archive.services.import_requests import LeaseLost
from circle.kernel.clock import ManualClock
from circle.kernel.errors import CircleError
from tests.builders.archive import folder_of
from tests.builders.circles import BuiltCircle, caller_of
from tests.client import World

BOOK = {
    "README.md": "# 总目\n\n从[选题](写作/选题/热点.md)读起。",
    "写作/1-开头.md": "---\ntitle: 开头\ntags: [写作/结构]\n---\n见[热点](./选题/热点.md#一)。",
    "写作/选题/热点.md": "---\ntitle: 热点\ncategory: 写作\ndigest: true\n---\n回到[开头](../1-开头.md)。",
    "阅读/书单.md": "没有标题的书单",
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "book", BOOK)


def feed(circle: BuiltCircle, query: str = "") -> dict[str, dict[str, Any]]:
    items = circle.owner.api.get(f"{circle.path}/posts?limit=100{query}").ok()["items"]
    return {post["title"]: circle.owner.api.get(f"/posts/{post['id']}").ok() for post in items}


def columns(circle: BuiltCircle) -> dict[str, dict[str, Any]]:
    listed = circle.owner.api.get(f"{circle.path}/columns").ok()["items"]
    return {one["name"]: circle.owner.api.get(f"/columns/{one['id']}").ok() for one in listed}


def test_files_become_posts_with_tags_digest_and_links(world: World, book: Path) -> None:
    circle = world.circle()

    tally = world.imported(circle, book)

    assert tally.counts == {"created": 4, "failed": 0}
    posts = feed(circle)
    assert posts["热点"]["tags"] == ["写作"]
    assert posts["开头"]["tags"] == ["写作/结构"]
    assert (posts["热点"]["digest"], posts["开头"]["digest"]) == (True, False)
    assert posts["开头"]["body"] == f"见[热点](/posts/{posts['热点']['id']}#一)。"
    assert posts["热点"]["body"] == f"回到[开头](/posts/{posts['开头']['id']})。"
    assert posts["总目"]["body"] == f"从[选题](/posts/{posts['热点']['id']})读起。"
    assert {post["author"]["id"] for post in posts.values()} == {str(circle.owner.id)}


def test_top_folders_become_columns_and_folders_below_sections(world: World, book: Path) -> None:
    circle = world.circle()

    world.imported(circle, book)

    made = columns(circle)
    assert list(made) == ["写作", "阅读"]
    assert [item["post"]["title"] for item in made["写作"]["items"]] == ["开头", "热点"]
    assert [section["name"] for section in made["写作"]["sections"]] == ["选题"]
    assert [item["section_id"] for item in made["写作"]["items"]] == [None, made["写作"]["sections"][0]["id"]]


def test_the_feed_ends_with_the_first_file(world: World, book: Path) -> None:
    circle = world.circle()

    world.imported(circle, book)

    assert list(feed(circle)) == ["书单", "热点", "开头", "总目"]


def test_dates_place_posts_in_the_past_or_schedule_them(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    files = {
        "旧.md": "---\ntitle: 旧\ndate: 2020-05-01\n---\n文",
        "新.md": "---\ntitle: 新\ndate: 2030-05-01\n---\n文",
        "稿.md": "---\ntitle: 稿\ndraft: true\n---\n文",
    }

    world.imported(circle, folder_of(tmp_path, files))

    assert [post["published_at"][:10] for post in feed(circle).values()] == ["2020-04-30"]
    assert list(feed(circle, "&status=scheduled")) == ["新"]
    assert list(feed(circle, "&status=draft")) == ["稿"]


def test_importing_again_changes_nothing(world: World, book: Path, sql: Callable[..., list[Any]]) -> None:
    circle = world.circle()
    world.imported(circle, book)
    before = feed(circle), columns(circle)
    sql("DELETE FROM changes")

    tally = world.imported(circle, book)

    assert tally.counts == {"unchanged": 4, "failed": 0}
    assert (feed(circle), columns(circle)) == before
    assert sql("SELECT * FROM changes") == []


def test_a_changed_file_is_an_edit_with_a_revision(world: World, book: Path, clock: ManualClock) -> None:
    circle = world.circle()
    world.imported(circle, book)
    before = feed(circle)["书单"]
    clock.advance(timedelta(days=1))
    folder_of(book, {"阅读/书单.md": "---\ntags: 书\n---\n新的书单"})

    tally = world.imported(circle, book)

    assert tally.counts == {"unchanged": 3, "updated": 1, "failed": 0}
    after = feed(circle)["书单"]
    assert (after["id"], after["body"], after["tags"]) == (before["id"], "新的书单", ["书"])
    assert after["published_at"] == before["published_at"]
    revisions = circle.owner.api.get(f"/posts/{after['id']}/revisions").ok()["items"]
    assert [one["body"] for one in revisions] == ["没有标题的书单"]


def test_what_was_edited_or_trashed_here_is_left_alone(world: World, book: Path) -> None:
    circle = world.circle()
    world.imported(circle, book)
    posts = feed(circle)
    circle.owner.api.patch(f"/posts/{posts['书单']['id']}", {"body": "在星球里改过"}).ok()
    circle.owner.api.delete(f"/posts/{posts['热点']['id']}").ok()
    folder_of(book, {"阅读/书单.md": "文件也改了", "写作/选题/热点.md": "# 热点\n文件也改了"})

    tally = world.imported(circle, book)

    assert tally.counts == {"unchanged": 2, "skipped": 2, "failed": 0}
    assert [(one["path"], one["code"]) for one in tally.report] == [
        ("写作/选题/热点.md", "in_trash"),
        ("阅读/书单.md", "edited_here"),
    ]
    assert feed(circle)["书单"]["body"] == "在星球里改过"


def test_what_was_arranged_here_stays_when_new_files_come(world: World, book: Path) -> None:
    circle = world.circle()
    world.imported(circle, book)
    writing = columns(circle)["写作"]
    first, second = (item["post"]["id"] for item in writing["items"])
    circle.owner.api.patch(f"/columns/{writing['id']}", {"name": "创作课"}).ok()
    order = {"post_ids": [second, first], "sections": [{"id": writing["sections"][0]["id"], "name": "选题"}]}
    circle.owner.api.put(f"/columns/{writing['id']}/items", order).ok()
    folder_of(book, {"写作/2-结尾.md": "# 结尾\n文", "写作/选题/冷门.md": "# 冷门\n文"})

    world.imported(circle, book)

    after = columns(circle)["创作课"]
    assert [item["post"]["title"] for item in after["items"]] == ["热点", "开头", "结尾", "冷门"]


def test_one_bad_file_stops_nobody(world: World, book: Path) -> None:
    circle = world.circle()
    folder_of(book, {"坏/yaml.md": "---\ntitle: a: b\n---\n文", "坏/bytes.md": b"\xff\xff\xff", "坏/nul.md": "好\n\0"})

    tally = world.imported(circle, book)

    assert tally.counts == {"created": 4, "failed": 3}
    assert [(one["path"], one["line"], one["code"]) for one in tally.report] == [
        ("坏/bytes.md", 1, "encoding"),
        ("坏/nul.md", 2, "nul"),
        ("坏/yaml.md", 2, "front_matter"),
    ]


def test_a_mended_file_comes_in_and_links_to_it_follow(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    folder = folder_of(tmp_path, {"甲.md": "# 甲\n看[乙](乙.md)", "乙.md": b"\xff\xff"})
    world.imported(circle, folder)
    assert feed(circle)["甲"]["body"] == "看[乙](乙.md)"
    folder_of(folder, {"乙.md": "# 乙\n文"})

    tally = world.imported(circle, folder)

    assert tally.counts == {"created": 1, "updated": 1, "failed": 0}
    posts = feed(circle)
    assert posts["甲"]["body"] == f"看[乙](/posts/{posts['乙']['id']})"


def test_access_kind_author_and_source_are_chosen(world: World, tmp_path: Path, clock: ManualClock) -> None:
    circle = world.circle()
    guest = world.member(circle, role="guest", name="嘉宾")
    folder = folder_of(tmp_path, {"甲/一.md": "---\nexcerpt: 试读\n---\n机密"})
    gate = {"level": "tier", "tier_id": circle.tiers["学员"].id}

    world.imported(circle, folder, kind="talk", access=gate, author_id=guest.id, source="旧")
    clock.advance(timedelta(hours=1))
    world.imported(circle, folder, source="新")

    old, new = circle.owner.api.get(f"{circle.path}/posts").ok()["items"][::-1]
    assert (old["kind"], old["author"]["id"], old["required_tier"]["name"]) == ("talk", str(guest.id), "学员")
    assert (new["kind"], new["author"]["id"], new["required_tier"]) == ("article", str(circle.owner.id), None)
    seen = world.member(circle, "读者").api.get(f"/posts/{old['id']}")
    assert (seen.json["locked"], seen.json["excerpt"], "机密" in str(seen.json)) == (True, "试读", False)


def test_staff_are_named_as_authors_and_others_only_quoted(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    guest, member = world.member(circle, role="guest", name="陈老师"), world.member(circle, name="小王")
    folder = folder_of(
        tmp_path,
        {
            "1.md": f"---\ntitle: 一\nauthor: {guest.email}\n---\n文",
            "2.md": "---\ntitle: 二\nauthor: 陈老师\n---\n文",
            "3.md": f"---\ntitle: 三\nauthor: {member.email}\n---\n文",
        },
    )

    world.imported(circle, folder)

    posts = feed(circle)
    assert [posts[name]["author"]["id"] for name in "一二三"] == [str(guest.id), str(guest.id), str(circle.owner.id)]
    assert posts["三"]["body"] == f"> 作者：{member.email}\n\n文"


def test_front_matter_names_a_column_that_is_there(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    column = world.column(circle, name="精读")

    world.imported(circle, folder_of(tmp_path, {"甲/一.md": "---\ntitle: 一\ncolumn: 精读\n---\n文"}))

    made = columns(circle)
    assert list(made) == ["精读"]
    assert made["精读"]["id"] == str(column.id)
    assert made["精读"]["item_count"] == 1


def test_an_archived_column_stays_away(world: World, book: Path) -> None:
    circle = world.circle()
    world.imported(circle, book)
    circle.owner.api.delete(f"/columns/{columns(circle)['写作']['id']}").ok()
    folder_of(book, {"写作/新.md": "# 新\n文"})

    world.imported(circle, book)

    assert list(columns(circle)) == ["阅读"]
    assert "新" in feed(circle)


def test_nobody_is_notified_post_by_post(world: World, book: Path, sql: Callable[..., list[Any]]) -> None:
    circle = world.circle()
    world.member(circle)
    before = sql("SELECT count(*) AS n FROM notifications"), sql("SELECT count(*) AS n FROM outbox")

    world.imported(circle, book)

    assert before == (sql("SELECT count(*) AS n FROM notifications"), sql("SELECT count(*) AS n FROM outbox"))


def test_offline_clients_hear_of_every_post(world: World, book: Path, sql: Callable[..., list[Any]]) -> None:
    circle = world.circle()
    sql("DELETE FROM changes")

    world.imported(circle, book)

    noted = sql("SELECT kind, operation, count(*) AS n FROM changes GROUP BY 1, 2 ORDER BY 1, 2")
    assert [tuple(row.values()) for row in noted] == [
        ("column", "created", 2),
        ("column", "updated", 2),
        ("post", "created", 4),
    ]


def test_a_killed_import_goes_on_where_it_was(
    world: World, book: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    circle = world.circle()
    with world.units.write() as uow:
        found = import_requests.request_import(uow, caller_of(circle.owner), circle.id)
    for last_words in ("written", "written", "none"):
        with world.units.write() as uow:
            running = import_requests.take_up(uow, found.id)
        seen = 0

        def die(what: str, _done: int, _total: int, last_words: str = last_words) -> None:
            nonlocal seen
            seen += what == "writing"
            if last_words == "written" and seen == 1:
                raise KeyboardInterrupt

        with open_source(book) as source:
            try:
                importing.run_import(world.units, running, source, die)
            except KeyboardInterrupt:
                clock.advance(import_requests.LEASE + timedelta(seconds=1))

    assert len(feed(circle)) == 4
    assert [len(column["items"]) for column in columns(circle).values()] == [2, 1]
    assert circle.owner.api.get(f"/imports/{found.id}").ok()["status"] == "done"


def test_who_has_lost_the_lease_writes_nothing_more(world: World, book: Path, clock: ManualClock) -> None:
    circle = world.circle()
    with world.units.write() as uow:
        found = import_requests.request_import(uow, caller_of(circle.owner), circle.id)
        slow = import_requests.take_up(uow, found.id)
    clock.advance(import_requests.LEASE + timedelta(seconds=1))
    with world.units.write() as uow:
        import_requests.take_up(uow, found.id)

    with open_source(book) as source, pytest.raises(LeaseLost):
        importing.run_import(world.units, slow, source)

    assert feed(circle) == {}


def test_one_import_runs_at_a_time_until_it_is_given_up(world: World, book: Path, clock: ManualClock) -> None:
    circle = world.circle()
    with world.units.write() as uow:
        import_requests.take_up(uow, import_requests.request_import(uow, caller_of(circle.owner), circle.id).id)

    with pytest.raises(CircleError) as refused:
        world.imported(circle, book)
    clock.advance(import_requests.LEASE + timedelta(seconds=1))

    assert refused.value.code == "import_running"
    assert world.imported(circle, book).counts["created"] == 4


def test_a_closed_circle_takes_nothing_in(world: World, book: Path) -> None:
    circle = world.circle()
    circle.owner.api.patch(circle.path, {"closed": True}).ok()

    with pytest.raises(CircleError) as refused:
        world.imported(circle, book)

    assert refused.value.code == "circle_closed"


def test_new_files_cost_a_fixed_number_of_statements(world: World, tmp_path: Path) -> None:
    from tests.statements import counted  # noqa: PLC0415 - counts what this block sends

    sent = []
    for files in (5, 45):
        circle = world.circle()
        folder = folder_of(
            tmp_path / str(files), {f"甲/{n}.md": f"---\ntags: 标签\n---\n# {n}\n文" for n in range(files)}
        )
        with counted() as statements:
            world.imported(circle, folder)
        sent.append(len(statements))

    assert sent[0] == sent[1]
