"""Walks Markdown line by line and tells prose from code, so that links in code stay as they are."""

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yield every line with its end, and whether it is prose and no part of a fenced code block."""
    fence: str | None = None
    for line in text.splitlines(keepends=True):
        marks = _FENCE.match(line)
        if fence is None:
            if marks is not None and not (marks[1][0] == "`" and "`" in line[marks.end() :]):
                fence = marks[1]
                yield line, False
            else:
                yield line, True
        else:
            yield line, False
            if marks is not None and marks[1].startswith(fence) and not line[marks.end() :].strip():
                fence = None


def first_heading(text: str) -> tuple[str, int] | None:
    """Return the plain words of the first ATX heading and its level; None where there is none."""
    for line, is_prose in lines_of(text):
        if is_prose and line.lstrip(" ").startswith("#"):
            stripped = line.strip()
            level = len(stripped) - len(stripped.lstrip("#"))
            words = _plain(stripped[level:].rstrip("#"))
            if level <= 6 and stripped[level : level + 1] in {" ", "\t"} and words:  # noqa: PLR2004 - h1 to h6
                return words, level
    return None


_LINK_TEXT = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,2000}\)")
_MARKS = re.compile(r"[*`]|(?<!\w)_|_(?!\w)|<[^<>]{0,300}>")


def _plain(words: str) -> str:
    return _MARKS.sub("", _LINK_TEXT.sub(r"\1", words)).strip()
