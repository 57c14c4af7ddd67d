"""What can be wrong with one file or a whole archive, in both languages; a report keeps codes and values only."""

from typing import Any, Self

from circle.kernel.errors import CircleError
from circle.kernel.text import Language, Text

# Why a file is not imported.
FAULTS: dict[str, Text] = {
    "front_matter": Text("文件头不是有效的 YAML：{problem}。", "The front matter is not valid YAML: {problem}."),
    "front_matter_too_long": Text("文件头超过 {most} 个字符。", "The front matter has more than {most} characters."),
    "encoding": Text("既不是 UTF-8 也不是 GB18030 编码。", "The text is neither UTF-8 nor GB18030."),
    "nul": Text("含有 NUL 字符，可能不是文本。", "It contains NUL, so it is probably not text."),
    "too_long": Text(
        "正文有 {length} 个字符，上限是 {most}。", "The body has {length} characters; {most} are allowed."
    ),
    "file_too_large": Text("文件有 {size} 字节，上限是 {most}。", "The file has {size} bytes; {most} are allowed."),
    "bad_date": Text("无法识别的日期：{value}。", "Not a date: {value}."),
    "bad_tag": Text("标签不符合要求：{value}。", "Not a valid tag: {value}."),
    "empty": Text("没有正文。", "There is no text in it."),
    "unreadable": Text("无法读取：{problem}。", "It could not be read: {problem}."),
    "is_link": Text("符号链接不会被跟随。", "Symbolic links are not followed."),
    "path_too_long": Text("路径超过 {most} 个字符。", "Its path has more than {most} characters."),
    "edited_here": Text(
        "导入后已在星球中修改过，文件的新内容没有覆盖它。",
        "It was edited in the circle since, so the file's new text was not taken over.",
    ),
    "in_trash": Text("它在回收站中，没有改动。", "It is in the trash and was left there."),
    "unknown_author": Text(
        "“{value}”不是星球的管理人员或嘉宾，署名写在正文开头。",
        "'{value}' is not staff or a guest of the circle; the name stands at the top of the text instead.",
    ),
    "broken_json": Text("从这一行起不是有效的 JSON：{problem}。", "From this line on it is not valid JSON: {problem}."),
    "no_topics": Text("没有找到主题。", "There are no topics in it."),
    "no_id": Text("这个主题没有 topic_id。", "This topic has no topic_id."),
    "twice": Text("同一主题 {value} 已出现过。", "The topic {value} has been there before."),
    "not_fetched": Text("图片和文件没有导入：{value}。", "Pictures and files were not imported: {value}."),
    "shortened": Text("评论过长，已截短。", "A comment was too long and was shortened."),
    "pins_full": Text("置顶已满，没有置顶。", "All pins are taken; it was not pinned."),
    "changed_since": Text("导入后有人修改、评论或表态，予以保留。", "It was edited or answered since, and stays."),
    "bad_row": Text("这一行无法导入：{problem}。", "This row can't be imported: {problem}."),
    "unknown_file": Text("不认识的数据文件。", "A data file that is not known."),
    "not_live": Text("{count} 行账目按只读记录保留。", "{count} rows of the books are kept as read-only records."),
    "local_image": Text("本地图片没有导入：{value}。", "A local image was not imported: {value}."),
}


class BadFile(Exception):
    """One file can't be imported, and why; `line` counts from 1."""

    def __init__(self, code: str, *, line: int | None = None, **data: Any) -> None:
        super().__init__(code)
        self.code, self.line, self.data = code, line, data


class ArchiveRefused(CircleError):
    """The whole archive is refused before anything is read from it."""

    status = 422
    code = "archive_refused"
    text = Text("无法导入这个压缩包或文件夹。", "This archive can't be imported.")

    @classmethod
    def because_of(cls, zh: str, en: str) -> Self:
        return cls().because(Text(zh, en))


def say_fault(code: str, language: Language, data: dict[str, Any]) -> str:
    """Return the sentence of a fault as a report keeps it."""
    return FAULTS[code].say(language, **data)
