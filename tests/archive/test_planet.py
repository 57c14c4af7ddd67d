"""What crawlers of Knowledge Planet wrote comes in: by topic, again without doubles, whatever else is in the files."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circle.archive.importing.document import Limits
from circle.archive.importing.faults import BadFile
from circle.archive.importing.planet import PlanetArchive
from tests.builders.archive import folder_of, zip_of
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF, picture
from tests.builders.planet import asked, page, topic
from tests.client import World

PNG = picture()
LIMITS = Limits(title=200, body=100, excerpt=100, talk=100, article=1000)


class Files:
    """A source of files given here."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.name, self.paths, self._files = "planet", sorted(files), files
        self.others: dict[str, int] = {}

    def read(self, path: str) -> bytes:
        return self._files[path]


def opened(content: bytes) -> PlanetArchive:
    return PlanetArchive(Files({"a.json": content}), limits=LIMITS, zone=None)  # type: ignore[arg-type]


def bring(world: World, circle: BuiltCircle, tmp_path: Path, *pages: bytes) -> Any:
    folder = folder_of(tmp_path, {f"page-{number}.json": one for number, one in enumerate(pages)})
    return world.imported(circle, folder, format="planet")


def feed(circle: BuiltCircle) -> list[Any]:
    items: list[Any] = circle.owner.api.get(f"{circle.path}/posts").ok()["items"]
    return items


def test_talks_come_in_with_tags_mentions_links_and_marks(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    text = (
        '<e type="hashtag" hid="1" title="%23%E5%86%99%E4%BD%9C%23" /> 请 '
        '<e type="mention" uid="2" title="@小同" /> 看 '
        '<e type="web" href="https%3A%2F%2Fexample.org%2Fa%3Fb%3D1" title="%E8%BF%99%E9%87%8C" /> '
        '<e type="text_bold" title="%E9%87%8D%E8%A6%81" /> 1 < 2'
    )
    marked = topic(1, text, digested=True, sticky=True)

    tally = bring(world, circle, tmp_path, page([marked, topic(2, "另一句", talk={"images": [{"image_id": 77}]})]))

    assert dict(tally.counts) == {"created": 2, "failed": 0}
    posts = {one["body"]: one for one in feed(circle)}
    body = "#写作 请 @小同 看 [这里](<https://example.org/a?b=1>) **重要** 1 < 2"
    assert (posts[body]["tags"], posts[body]["digest"], posts[body]["kind"]) == (["写作"], True, "talk")
    assert posts[body]["published_at"].startswith("2021-03-04T04:34:56")
    pins = circle.owner.api.get(f"{circle.path}/pins").ok()["items"]
    assert len(pins) == 1
    assert [(one["code"], one["data"]) for one in tally.report] == [("not_fetched", {"value": "77"})]


def test_pictures_and_files_beside_the_json_come_along(world: World, tmp_path: Path, sql: Any) -> None:
    circle = world.circle()
    talk = {
        "images": [
            {"image_id": 77, "large": {"url": "https://images.example/abc.jpg?e=1"}},
            {"image_id": 78, "original": {"url": "https://images.example/second%20one.png"}},
            {"image_id": 79},
        ],
        "files": [{"file_id": 5, "name": "讲义.pdf"}, {"file_id": 6, "name": "run.exe"}, {"name": "../up.pdf"}],
    }
    archive = zip_of(
        {
            "topics.json": page([topic(1, "看图", talk=talk), topic(2, "没有图")]),
            "images/77.png": PNG,
            "images/second one.png": PNG,
            "files/讲义.pdf": PDF,
            "files/run.exe": b"MZ",
        }
    )
    path = tmp_path / "planet.zip"
    path.write_bytes(archive)

    tally = world.imported(circle, path, format="planet")
    world.process_media()
    again = world.imported(circle, path, format="planet")

    post = next(one for one in feed(circle) if one["body"] == "看图")
    assert [(one["kind"], one["filename"], one["status"]) for one in post["attachments"]] == [
        ("image", "77.png", "ready"),
        ("image", "second one.png", "ready"),
        ("file", "讲义.pdf", "ready"),
    ]
    assert world.fetch(circle.owner, post["attachments"][2]["id"]).content == PDF
    assert [one["data"] for one in tally.report if one["code"] == "not_fetched"] == [
        {"value": "79, run.exe, ../up.pdf"}
    ]
    assert (dict(again.counts), sql("SELECT count(*) AS n FROM media")[0]["n"]) == ({"unchanged": 2, "failed": 0}, 3)


def test_a_file_whose_bytes_are_not_what_its_name_says_is_refused(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    talk = {"images": [{"image_id": 1}]}
    folder = folder_of(tmp_path, {"a.json": page([topic(1, "图", talk=talk)]), "1.png": b"<svg onload=alert(1)>"})

    world.imported(circle, folder, format="planet")
    world.process_media()

    [post] = feed(circle)
    assert [one["status"] for one in post["attachments"]] in ([], ["rejected"])


def test_undoing_takes_pictures_out_too_and_they_come_in_again(world: World, tmp_path: Path, sql: Any) -> None:
    circle = world.circle()
    talk = {"images": [{"image_id": 1}]}
    folder = folder_of(tmp_path, {"a.json": page([topic(1, "图", talk=talk)]), "1.png": PNG})
    world.imported(circle, folder, format="planet")
    import_id = sql("SELECT id FROM imports")[0]["id"]

    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)
    world.run_job("imports.run")
    left = sql("SELECT attached_to FROM media")
    world.imported(circle, folder, format="planet")
    world.process_media()

    assert left == [{"attached_to": None}]
    [post] = feed(circle)
    assert [one["status"] for one in post["attachments"]] == ["ready"]


def test_questions_answers_and_comments_come_in(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    said = [
        {"comment_id": 5, "create_time": "2021-03-05T08:00:00.000+0800", "owner": {"name": "小同"}, "text": "谢谢"},
        {"comment_id": 6, "owner": {"name": "星主"}, "text": "不客气", "repliee": {"name": "小同"}},
    ]

    bring(
        world,
        circle,
        tmp_path,
        page([asked(1, "怎么写？", "先写一百字", show_comments=said), asked(2, "然后呢？", None)]),
    )

    answered, waiting = sorted(feed(circle), key=lambda one: one["body"])
    assert (answered["kind"], answered["body"]) == ("question", "> 作者：小同\n\n怎么写？")
    assert answered["question"]["answer"]["body"] == "先写一百字"
    assert (waiting["kind"], waiting["body"]) == ("talk", "> 作者：小同\n\n然后呢？")
    comments = circle.owner.api.get(f"/posts/{answered['id']}/comments").ok()["items"]
    assert [one["body"] for one in comments] == ["小同：谢谢", "@小同 不客气"]
    assert answered["comment_count"] == 2


def test_an_article_and_a_long_talk_are_articles(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    article = {"article": {"title": "长文", "article_url": "https://articles.example.org/1"}}

    bring(world, circle, tmp_path, page([topic(1, "导语", talk=article), topic(2, "长" * 20_000)]))

    kinds = {(one["title"], one["kind"]) for one in feed(circle)}
    assert kinds == {("长文", "article"), ("", "article")}


def test_importing_again_changes_nothing_whatever_the_file_is_called(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    first = bring(world, circle, tmp_path / "1", page([topic(1), asked(2, "问", "答")]))
    again = bring(
        world, circle, tmp_path / "2", b"[]", page([topic(1)]), page([asked(2, "问", "答"), topic(3, "新的")])
    )

    assert first.counts["created"] == 2
    assert (again.counts["created"], again.counts["unchanged"], len(feed(circle))) == (1, 2, 3)


def test_a_topic_that_changed_is_an_edit(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    bring(world, circle, tmp_path / "1", page([topic(1, "初稿")]))

    again = bring(
        world, circle, tmp_path / "2", page([topic(1, "定稿", show_comments=[{"comment_id": 1, "text": "好"}])])
    )

    (post,) = feed(circle)
    assert (again.counts["updated"], post["body"], post["comment_count"]) == (1, "定稿", 1)


def test_an_open_question_that_was_answered_since_gets_the_answer_as_a_comment(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    bring(world, circle, tmp_path / "1", page([asked(1, "怎么写？", None)]))

    bring(world, circle, tmp_path / "2", page([asked(1, "怎么写？", "先写一百字")]))

    (post,) = feed(circle)
    comments = circle.owner.api.get(f"/posts/{post['id']}/comments").ok()["items"]
    assert (post["kind"], [one["body"] for one in comments]) == ("talk", ["先写一百字"])


def test_a_file_that_breaks_off_gives_what_was_whole(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    whole = page([topic(1, "完整"), topic(2, "断在这里"), topic(3)])
    cut = whole[: whole.index("断在".encode())]

    tally = bring(world, circle, tmp_path, cut, page([topic(4, "别的文件")]))

    assert {one["body"] for one in feed(circle)} == {"完整", "别的文件"}
    (told,) = tally.report
    assert (told["path"], told["code"]) == ("page-0.json", "broken_json")
    assert told["line"] == cut.count(b"\n") + 1


def test_every_bad_item_is_named_with_its_line(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    bad = [{"no": "id"}, topic(1, "  "), {**topic(2), "create_time": "昨天"}, topic(3, "好"), topic(3, "又来"), 7]

    tally = bring(world, circle, tmp_path, page(bad), "不是 JSON".encode(), b"{}")

    assert [one["body"] for one in feed(circle)] == ["好"]
    told = {(one["path"].partition("#")[0], one["code"]) for one in tally.report}
    assert told == {("page-0.json", code) for code in ("no_id", "empty", "bad_date", "twice")} | {
        ("page-1.json", "broken_json"),
        ("page-2.json", "no_id"),
    }
    assert all(one["line"] for one in tally.report)


def test_gb18030_a_bare_array_and_lines_of_topics_are_read() -> None:
    array = json.dumps([topic(1, "数组")], ensure_ascii=False).encode("gb18030")
    lines = "\n".join(json.dumps(topic(number)) for number in (1, 2)).encode()
    pages = page([topic(1)]) + b"\n" + page([topic(2)])

    assert opened(array).read("a.json#1").body == "数组"
    assert [len(opened(content).paths) for content in (lines, pages)] == [2, 2]


def test_a_name_of_another_member_is_no_author(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    member = world.member(circle, name="小同")

    bring(world, circle, tmp_path, page([topic(1, "冒名", by="小同")]))

    (post,) = feed(circle)
    assert (post["author"]["id"], post["body"]) == (str(circle.owner.id), "> 作者：小同\n\n冒名")
    assert post["author"]["id"] != str(member.id)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(["talk", "question", "answer", "task", "create_time", "show_comments", "digested", "type"])


@given(
    topics=st.lists(st.dictionaries(_FIELDS, _JSON, max_size=4), max_size=3),
    cut=st.integers(0, 400),
)
@settings(max_examples=150, deadline=None)
def test_any_json_is_topics_or_named_faults(topics: list[dict[str, Any]], cut: int) -> None:
    content = page([{"topic_id": number, **one} for number, one in enumerate(topics)])

    for given_content in (content, content[: len(content) - cut]):
        archive = opened(given_content)
        for path in archive.paths:
            with suppress(BadFile):
                archive.read(path)


def test_an_uploaded_zip_is_imported_by_the_worker(world: World) -> None:
    circle = world.circle()
    content = zip_of({"数据/1.json": page([topic(1)]), "说明.md": "# 不是主题"})
    about = {"filename": "星球.zip", "content_type": "application/zip", "purpose": "import"}
    body = {"media_id": str(world.media(circle.owner, content, **about)), "format": "planet"}
    asked_for = circle.owner.api.post(f"{circle.path}/imports", body).ok(202)

    world.run_job("imports.run")

    told = circle.owner.api.get(f"/imports/{asked_for['id']}").ok()
    assert (told["status"], told["total"], told["counts"]) == ("done", 1, {"created": 1, "failed": 0})
    assert circle.owner.api.get(f"{circle.path}/columns").ok()["items"] == [], "folders of JSON are no columns"


@pytest.mark.parametrize("content", [b"[" * 50_000, b'{"topics":[' + b"9" * 5_000 + b"]}"])
def test_json_that_is_made_to_break_readers_is_a_fault(content: bytes) -> None:
    assert [one["code"] for one in opened(content).faults] in (["broken_json"], ["no_id"])
