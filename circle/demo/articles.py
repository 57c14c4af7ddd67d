"""The circle's archive: a given ZIP of Markdown, else a small one written here."""

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from circle.archive.importing.sources import open_source
from circle.archive.services.import_requests import request_import, take_up
from circle.archive.services.importing import run_import
from circle.demo.stage import Stage

_SHELVES = {
    "01-开始": ("写给谁看", "第一句话", "每天三百字", "选题本", "写作的时间", "放下完美"),
    "02-结构": ("总分总之外", "一段一意", "小标题", "过渡", "开头的五种写法", "收尾"),
    "03-语言": ("删掉副词", "动词有力", "短句", "具体的名词", "读出声来", "标点的呼吸"),
    "04-素材": ("卡片笔记", "读书摘录", "采访提纲", "观察练习", "旧稿翻新", "引用与出处"),
    "05-发布": ("标题", "排版", "回应读者", "改稿清单", "系列文章", "一年回顾"),
}
_PARAGRAPHS = (
    "关于「{title}」，最常见的困难不是不会写，而是想一次写好。先写出来，再改，是这一篇想说的事。",
    "试着做一个小练习：用十分钟写一百字，只写看到的，不写想到的。写完以后读一遍，划掉可以不要的词。",
    "改的时候问三个问题：读者是谁？他读完会做什么？哪一句可以删？",
    "把今天写的放一夜，明天再看。多半会发现，最想留下的那一句并不在开头。",
)


def import_archive(stage: Stage, given: Path | None) -> int:
    """Import the archive with the product's own import; return how many articles there are now."""
    if given is not None:
        return _import(stage, given)
    with tempfile.TemporaryDirectory(prefix="circle-demo-") as folder:
        path = Path(folder) / "archive.zip"
        _write(path, stage.clock.now())
        return _import(stage, path)


def _import(stage: Stage, path: Path) -> int:
    access = {"level": "tier", "tier_id": stage.tiers.member}
    with open_source(path) as source:
        with stage.units.write() as uow:
            found = request_import(uow, stage.owner, stage.circle_id, access=access)
            running = take_up(uow, found.id)
        return run_import(stage.units, running, source).counts["created"]


def _write(path: Path, now: datetime) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, text in _files(now):
            archive.writestr(name, text)


def _files(now: datetime) -> Iterator[tuple[str, str]]:
    titles = [(shelf, title) for shelf, found in _SHELVES.items() for title in found]
    for number, (shelf, title) in enumerate(titles):
        date = now - timedelta(days=7 * (len(titles) - number))
        tag = shelf.partition("-")[2]
        head = f"---\ntitle: {title}\ndate: {date:%Y-%m-%d}\ntags: [写作/{tag}]\n---\n"
        body = "\n\n".join(one.format(title=title) for one in _PARAGRAPHS)
        yield f"{shelf}/{number + 1:02d}-{title}.md", f"{head}\n# {title}\n\n{body}\n"
