"""One Markdown file, read: front matter and text. Pure; every fault names its line."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from circle.archive.importing.faults import BadFile
from circle.archive.importing.prose import first_heading
from circle.kernel.errors import Invalid
from circle.kernel.text import is_blank
from circle.posts.models import Kind
from circle.posts.services.mentions import plain
from circle.posts.services.tagging import MAX_TAGS, read_path

_MOST_FRONT_MATTER = 16_384
# Brackets in it: PyYAML's time grows with the square of their depth.
_MOST_BRACKETS = 500
_OLDEST_YEAR = 1970

_OPENING = re.compile(r"---[ \t]*\n")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_DATE = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]{1,3}(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: ?(Z|[+-]\d{2}:?\d{2}))?)?",
    re.IGNORECASE,
)
# Controls and bidirectional overrides: nobody writes them, a request with them is refused.
_UNSEEN = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNSEEN_IN_LINE = re.compile("[\x01-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_TAG_SEPARATORS = re.compile("[,，、;；]")
_TRUE = frozenset({"true", "yes", "on", "1"})
_TAG_KEYS = ("tag", "tags", "category", "categories")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may measure, in characters: the settings of the installation."""

    title: int
    body: int
    excerpt: int
    talk: int = 10_000
    article: int = 100_000
    comment: int = 1_000
    images: int = 9
    files: int = 9


# The key of the one answer that a question has.
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer or a comment: `key` knows it again, `author` is as written."""

    key: str
    author: str
    text: str
    dated: datetime | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture or file that belongs to a text: its name, and what the file beside it may be called, ending or not."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, before its links are rewritten. `author` and `tags` are as written.

    What follows `is_draft` only some sources tell: a kind of its own, what was said about it, where it stood.
    """

    title: str
    body: str
    excerpt: str
    tags: tuple[str, ...]
    author: str
    column: str
    dated: datetime | None
    is_digest: bool
    is_draft: bool
    kind: Kind | None = None
    answer: Said | None = None
    comments: tuple[Said, ...] = ()
    is_pinned: bool = False
    listed: tuple[Listed, ...] = ()


def read_document(raw: bytes, stem: str, *, limits: Limits, zone: ZoneInfo) -> Document:
    """Return what a file says; `stem` is its name, the title of last resort. Errors: BadFile."""
    front, body, first_line = _split(decode(raw))
    matter = _load(front) if front is not None else {}
    if matter is None:
        matter, body = {}, f"---\n{front}---\n{body}"
    title, body = _title(matter, body, stem, limits)
    # A file from outside names nobody here: mark-up of mentions becomes plain words.
    body = plain(body)
    if is_blank(body):
        raise BadFile("empty")
    if len(body) > limits.body:
        raise BadFile("too_long", line=first_line, length=len(body), most=limits.body)
    return Document(
        title=title,
        body=body,
        excerpt=shorten(_one_line(matter, "excerpt") or _one_line(matter, "description"), limits.excerpt),
        tags=_tags(matter, front or ""),
        author=_one_line(matter, "author"),
        column=_one_line(matter, "column"),
        dated=_date(matter, front or "", zone),
        is_digest=_one_line(matter, "digest").lower() in _TRUE,
        is_draft=_one_line(matter, "draft").lower() in _TRUE,
    )


def decode(raw: bytes) -> str:
    """Return the text: UTF-8, UTF-16 with a mark, or else GB18030; lines end in a line feed. Errors: BadFile."""
    text = _decode(raw)
    nul = text.find("\0")
    if nul >= 0:
        raise BadFile("nul", line=text.count("\n", 0, nul) + 1)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub("", text)


def _decode(raw: bytes) -> str:
    try:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            return raw.decode("utf-16")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            return raw.decode("gb18030")
        except UnicodeDecodeError:
            raise BadFile("encoding", line=raw.count(b"\n", 0, error.start) + 1) from None


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _split(text: str) -> tuple[str | None, str, int]:
    """Return front matter (None where there is none), body, and the line that the body begins on."""
    opening = _OPENING.match(text)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return None, text, 1
    front = text[opening.end() : closing.start()]
    if len(front) > _MOST_FRONT_MATTER:
        raise BadFile("front_matter_too_long", line=1, most=_MOST_FRONT_MATTER)
    body = text[closing.end() :].lstrip("\n")
    return front, body, text.count("\n", 0, len(text) - len(body)) + 1


def _load(front: str) -> dict[str, Any] | None:
    """Return the front matter, every scalar a string; None if it is prose between two rules. Errors: BadFile."""
    if front.count("[") + front.count("{") > _MOST_BRACKETS:
        raise BadFile("front_matter", line=1, problem="too many brackets")
    try:
        # The loader without types: `1.10` stays a name, and no date or number is built from a stranger's text.
        loaded = yaml.load(front, Loader=yaml.BaseLoader)  # noqa: S506 - it builds strings, lists and dicts only
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise BadFile("front_matter", line=line, problem=error.problem or "") from None
    except (yaml.YAMLError, RecursionError):
        raise BadFile("front_matter", line=1, problem="unreadable") from None
    if loaded in (None, ""):
        return {}
    return loaded if isinstance(loaded, dict) else None


def _title(matter: dict[str, Any], body: str, stem: str, limits: Limits) -> tuple[str, str]:
    """Return the title, and the body without it: a first-level heading at the top that says the same is dropped."""
    heading = first_heading(body)
    title = _one_line(matter, "title") or _clean(heading[0] if heading else "") or _clean(stem)
    short = shorten(title, limits.title)
    if heading is not None and heading[1] == 1 and _clean(heading[0]) == short:
        first, _, rest = body.lstrip("\n").partition("\n")
        if first.lstrip().startswith("# "):
            body = rest.lstrip("\n")
    return short, body


def _tags(matter: dict[str, Any], front: str) -> tuple[str, ...]:
    """Return normalised tag paths from all keys that mean tags. Errors: BadFile."""
    found: dict[str, None] = {}
    for key in _TAG_KEYS:
        value = matter.get(key)
        words = _TAG_SEPARATORS.split(value) if isinstance(value, str) else value if isinstance(value, list) else []
        for word in words[:MAX_TAGS]:
            written = _clean(word) if isinstance(word, str) else ""
            try:
                found.update({read_path(written): None} if written else {})
            except Invalid:
                raise BadFile("bad_tag", line=_line_of(front, key), value=shorten(written, 60)) from None
    return tuple(found)[:MAX_TAGS]


def _date(matter: dict[str, Any], front: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant of `date`; a day, or a time without its zone, is the circle's own. Errors: BadFile."""
    written = _one_line(matter, "date")
    if not written:
        return None
    instant = _instant(written, zone)
    if instant is None or instant.year < _OLDEST_YEAR:
        raise BadFile("bad_date", line=_line_of(front, "date"), value=shorten(written, 60))
    return instant


def _instant(written: str, zone: ZoneInfo) -> datetime | None:
    found = _DATE.fullmatch(written)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        if found[7] is not None:
            # `fromisoformat` knows every offset that the pattern lets through.
            local = datetime.fromisoformat(f"{local:%Y-%m-%dT%H:%M:%S}{found[7].upper()}")
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _line_of(front: str, key: str) -> int:
    """Return the line of the file that a key stands on."""
    found = re.search(rf"^{key}[ \t]*:", front, flags=re.MULTILINE)
    return 2 + (front.count("\n", 0, found.start()) if found else 0)


def _one_line(matter: dict[str, Any], key: str) -> str:
    value = matter.get(key)
    return _clean(value) if isinstance(value, str) else ""


def _clean(words: str) -> str:
    return _UNSEEN_IN_LINE.sub(" ", unicodedata.normalize("NFC", words)).strip()
