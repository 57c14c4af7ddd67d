"""One Markdown file, read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circle.archive.importing.document import Document, Limits, read_document
from circle.archive.importing.faults import FAULTS, BadFile
from circle.archive.services import import_requests
from circle.posts.schemas import AccessIn, PostIn

LIMITS = Limits(title=20, body=200, excerpt=30)


def read(text: str | bytes, stem: str = "文件名") -> Document:
    raw = text if isinstance(text, bytes) else text.encode()
    return read_document(raw, stem, limits=LIMITS, zone=ZoneInfo("Asia/Shanghai"))


def fault_of(text: str | bytes) -> tuple[str, int | None]:
    with pytest.raises(BadFile) as bad:
        read(text)
    assert FAULTS[bad.value.code].say("zh-CN", **bad.value.data)
    assert FAULTS[bad.value.code].say("en", **bad.value.data)
    return bad.value.code, bad.value.line


def test_front_matter_is_read() -> None:
    document = read(
        "---\ntitle: 如何选题\ndate: 2024-05-01\nauthor: 林晓\ncolumn: 入门\ndigest: true\ndraft: yes\n"
        "description: 一句话\ntag:\n  - 选题\n  - 写作/开头\ncategory: 写作\n---\n\n正文\n"
    )

    assert document == Document(
        title="如何选题",
        body="正文\n",
        excerpt="一句话",
        tags=("选题", "写作/开头", "写作"),
        author="林晓",
        column="入门",
        dated=datetime(2024, 4, 30, 16, tzinfo=UTC),
        is_digest=True,
        is_draft=True,
    )


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# 标题\n\n正文", "标题", "正文"),
        ("开头\n\n## 小 *标题* [链接](x.md)\n", "小 标题 链接", "开头\n\n## 小 *标题* [链接](x.md)\n"),
        ("没有标题", "文件名", "没有标题"),
        ("```sh\n# 注释\n```\n# 真的\n", "真的", "```sh\n# 注释\n```\n# 真的\n"),
        ("---\ntitle: 别的\n---\n# 标题\n正文", "别的", "# 标题\n正文"),
        ("---\ntitle: 标题\n---\n# 标题\n正文", "标题", "正文"),
        ("#没有空格\n", "文件名", "#没有空格\n"),
        ("---\ntitle: 1.10\n---\n正文", "1.10", "正文"),
        ("---\ntitle: [1, 2]\n---\n正文", "文件名", "正文"),
        ("---\n只是一条线\n---\n正文", "文件名", "---\n只是一条线\n---\n正文"),
        ("---\n没有结束", "文件名", "---\n没有结束"),
        (f"# {'长' * 30}\n正文", f"{'长' * 19}…", f"# {'长' * 30}\n正文"),
    ],
)
def test_the_title_comes_from_front_matter_else_the_first_heading_else_the_name(
    text: str, title: str, body: str
) -> None:
    document = read(text)

    assert (document.title, document.body) == (title, body)


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("tags: 甲, 乙，丙、丁", ("甲", "乙", "丙", "丁")),
        ("tags: [甲, '甲', \" 甲 / 乙 \"]", ("甲", "甲/乙")),
        ("tag: 甲\ncategories:\n  - 乙\n  - [丙]", ("甲", "乙")),
        ("tags:", ()),
    ],
)
def test_tags_are_a_list_or_words(written: str, tags: tuple[str, ...]) -> None:
    assert read(f"---\n{written}\n---\n正文").tags == tags


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2024-05-01", datetime(2024, 4, 30, 16, tzinfo=UTC)),
        ("2024/5/1 08:30", datetime(2024, 5, 1, 0, 30, tzinfo=UTC)),
        ("2024-05-01 08:30:15 +0800", datetime(2024, 5, 1, 0, 30, 15, tzinfo=UTC)),
        ("2024-05-01T08:30:15.123Z", datetime(2024, 5, 1, 8, 30, 15, tzinfo=UTC)),
        ("2024年5月1日", datetime(2024, 4, 30, 16, tzinfo=UTC)),
    ],
)
def test_a_day_is_the_circles_own(written: str, instant: datetime) -> None:
    assert read(f"---\ndate: {written}\n---\n正文").dated == instant


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("---\ntitle: a: b: c\n---\n正文", ("front_matter", 2)),
        ("---\ntitle: 好\ntags: [甲\n---\n正文", ("front_matter", 4)),
        ("---\ntitle: 好\ndate: 2024-02-30\n---\n正文", ("bad_date", 3)),
        ("---\ndate: 昨天\n---\n正文", ("bad_date", 2)),
        ("---\ndate: 0001-01-01\n---\n正文", ("bad_date", 2)),
        (f"---\ntags: {'长' * 41}\n---\n正文", ("bad_tag", 2)),
        (f"---\ntitle: 好\n---\n\n{'长' * 201}", ("too_long", 5)),
        ("好\n坏\0\n", ("nul", 2)),
        ("---\ntitle: 好\n---\n \u200b\n", ("empty", None)),
        ("", ("empty", None)),
        ("好\n".encode() + b"\xff\xff\n", ("encoding", 2)),
        (f"---\nx: {'[' * 501}\n---\n正文", ("front_matter", 1)),
        (f"---\nx: {'[' * 400}\n---\n正文", ("front_matter", 3)),
        (f"---\nx: {'长' * 20000}\n---\n正文", ("front_matter_too_long", 1)),
    ],
)
def test_a_bad_file_is_named_with_its_line(text: str | bytes, fault: tuple[str, int | None]) -> None:
    assert fault_of(text) == fault


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_of_chinese_editors_are_read(encoding: str) -> None:
    assert read("# 标题\r\n\r\n正文：写作，从一百字开始。\r\n".encode(encoding)).body == "正文：写作，从一百字开始。\n"


def test_what_nobody_types_goes_and_mentions_become_words() -> None:
    text = "退格\x08 @[某人](user:01890a5d-ac96-774b-bcce-b302099a8057)"

    assert read(text).body == "退格 @某人"


def test_a_yaml_bomb_costs_nothing() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(ord('b') + n)}: &{chr(ord('b') + n)} [{','.join(['*' + chr(ord('a') + n)] * 9)}]\n" for n in range(9)
    )

    assert read(f"---\n{bomb}title: *j\ntags: *j\n---\n正文").title == "文件名"


def test_limits_are_those_of_the_api() -> None:
    assert PostIn().fields["title"].most == import_requests.MAX_TITLE  # type: ignore[attr-defined]
    assert AccessIn().fields["excerpt"].most == import_requests.MAX_EXCERPT  # type: ignore[attr-defined]


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: f"---\n{text}\n---\n{text}".encode())))
def test_any_bytes_are_a_document_or_a_named_fault(raw: bytes) -> None:
    try:
        document = read(raw)
    except BadFile as bad:
        said = FAULTS[bad.code].say("en", **bad.data)
    else:
        said = document.title + document.body + document.excerpt
        assert 0 < len(document.title) <= LIMITS.title
    assert said
    assert "\0" not in said
