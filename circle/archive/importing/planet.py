"""What crawlers of Knowledge Planet (知识星球) write: pages of JSON, `resp_data.topics[]`, read topic by topic.

A file that breaks off gives what was whole in it. Nothing is fetched from the net: pictures and files come along where
they lie beside the JSON, and are named where they don't.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from circle.archive.importing.document import ANSWER, Document, Limits, Listed, Said, decode, shorten
from circle.archive.importing.faults import BadFile
from circle.archive.importing.sources import Source, Takes
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.text import is_blank
from circle.posts.models import Kind
from circle.posts.services.tagging import MAX_TAGS, read_path

# A page of a crawler has some hundred kilobytes; all pages in one file must still fit into memory several times.
JSON_FILES = Takes((".json", ".jsonl"), 32 * 1024 * 1024)
_MOST_COMMENTS = 1_000
_MOST_LISTED = 300
# Between a file and its topic in the names of documents.
_AT = "#"

_TOPICS = re.compile(r'(?<!\\)"topics"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_MARK = re.compile(r"<e\s+((?:[a-z_]+=\"[^\"<>]*\"\s*)+)/>")
_ATTRIBUTE = re.compile(r'([a-z_]+)="([^"<>]*)"')
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_IN_ADDRESS = re.compile(r"[<>\s]")
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})")


class _Found(NamedTuple):
    """A topic in its file, and the line that it begins on."""

    topic: Json
    line: int


class PlanetArchive:
    """Pages of topics; the same topic on two pages counts once."""

    has_columns = False

    def __init__(self, source: Source, *, limits: Limits, zone: ZoneInfo) -> None:
        self.paths: list[str] = []
        self.faults: list[Json] = []
        self._source, self._limits, self._zone = source, limits, zone
        self._last: tuple[str, dict[str, _Found]] = ("", {})
        seen: set[str] = set()
        for path in source.paths:
            topics, faults = self._topics(path)
            self.faults += faults
            for key in topics:
                if key in seen:
                    self.faults.append(_fault(path, topics[key].line, "twice", value=key))
                else:
                    seen.add(key)
                    self.paths.append(f"{path}{_AT}{key}")

    def read(self, path: str) -> Document:
        file, _, key = path.rpartition(_AT)
        if self._last[0] != file:
            self._last = (file, self._topics(file)[0])
        found = self._last[1].get(key)
        if found is None:
            raise BadFile("unreadable", problem="it has changed meanwhile")
        return _Topic(found, self._limits).document()

    def _topics(self, path: str) -> tuple[dict[str, _Found], list[Json]]:
        """Return a file's topics by their ids, and what is wrong with the rest of it."""
        topics: dict[str, _Found] = {}
        faults: list[Json] = []
        try:
            text = decode(self._source.read(path))
            for found in _walk(text):
                key = _id_of(found.topic)
                if key is None:
                    faults.append(_fault(path, found.line, "no_id"))
                elif key in topics:
                    faults.append(_fault(path, found.line, "twice", value=key))
                else:
                    topics[key] = found
        except BadFile as bad:
            faults.append(_fault(path, bad.line, bad.code, **bad.data))
        if not topics and not faults:
            faults.append(_fault(path, None, "no_topics"))
        return topics, faults


def identity_of(path: str) -> str:
    """Return what a topic is known by on the next import, whatever file it is in then."""
    return path.rpartition(_AT)[2]


def _fault(path: str, line: int | None, code: str, **data: Any) -> Json:
    return {"path": path, "line": line, "code": code, "data": data}


def _walk(text: str) -> Iterator[_Found]:
    """Yield the topics of a file: in `topics` arrays wherever they stand, in a bare array, or one after the other.

    Errors: BadFile at the line where the file stops being JSON.
    """
    start = _BETWEEN.match(text)
    at = start.end() if start else 0
    marker = _TOPICS.search(text, at)
    if marker is None:
        yield from _elements(text, at + 1 if text[at : at + 1] == "[" else at)
        return
    while marker is not None:
        end = marker.end()
        for found, end in _positions(text, marker.end()):  # noqa: B007 - where the array ends
            yield found
        marker = _TOPICS.search(text, end)


def _elements(text: str, at: int) -> Iterator[_Found]:
    for found, _end in _positions(text, at):
        yield found


def _positions(text: str, at: int) -> Iterator[tuple[_Found, int]]:
    """Yield the objects of an array from inside it, each with where it ends."""
    decoder, line, counted = json.JSONDecoder(), 1, 0
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        if at >= len(text) or text[at] == "]":
            return
        line += text.count("\n", counted, at)
        counted = at
        try:
            topic, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise BadFile("broken_json", line=error.lineno, problem=error.msg) from None
        except (ValueError, RecursionError):
            raise BadFile("broken_json", line=line, problem="too deep, or a number too long") from None
        yield _Found(topic if isinstance(topic, dict) else {}, line), at


def _id_of(topic: Json) -> str | None:
    key = topic.get("topic_id")
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    return key if isinstance(key, str) and re.fullmatch(r"[0-9A-Za-z_-]{1,40}", key) else None


@dataclass(frozen=True, slots=True)
class _Topic:
    """One topic on its way to be a document. Every field may be missing, or of another type than expected."""

    found: _Found
    limits: Limits

    def document(self) -> Document:
        """Errors: BadFile."""
        topic = self.found.topic
        asked = _dict(topic, "question")
        part = asked or _dict(topic, "talk") or _dict(topic, "task")
        article = _dict(part, "article")
        tags: dict[str, None] = {}
        body = self._body(part, article, tags)
        answer = self._answer(topic, tags)
        # Whoever asked has no account here, and nobody answers themselves: what is still open is a talk.
        kind = Kind.QUESTION if asked and answer else Kind.TALK
        most = self.limits.talk
        if kind is Kind.TALK and (article or len(body) > most):
            kind, most = Kind.ARTICLE, self.limits.article
        if len(body) > most:
            raise BadFile("too_long", line=self.found.line, length=len(body), most=most)
        return Document(
            title=shorten(_words(article, "title"), self.limits.title),
            body=body,
            excerpt="",
            tags=tuple(tags)[:MAX_TAGS],
            author=_words(_dict(part, "owner"), "name"),
            column="",
            dated=self._time(topic, "create_time"),
            is_digest=topic.get("digested") is True,
            is_draft=False,
            kind=kind,
            answer=answer if asked else None,
            comments=tuple(self._comments(topic)),
            is_pinned=topic.get("sticky") is True,
            listed=_listed(part, _dict(topic, "answer")),
        )

    def _body(self, part: Json, article: Json, tags: dict[str, None]) -> str:
        body = _marked(_text(part, "text"), tags).strip()
        address = _text(article, "article_url") or _text(article, "inline_article_url")
        if address:
            title = _words(article, "title") or address
            body = "\n\n".join(one for one in (body, _link(title, address)) if one)
        listed = _listed(part)
        if is_blank(body) and listed:
            body = "\n".join(f"- {one.name}" for one in listed)
        if is_blank(body):
            raise BadFile("empty", line=self.found.line)
        return body

    def _answer(self, topic: Json, tags: dict[str, None]) -> Said | None:
        answer = _dict(topic, "answer")
        text = _marked(_text(answer, "text"), tags).strip()
        if not answer or is_blank(text):
            return None
        if len(text) > self.limits.talk:
            raise BadFile("too_long", line=self.found.line, length=len(text), most=self.limits.talk)
        return Said(ANSWER, _words(_dict(answer, "owner"), "name"), text, self._time(answer, "create_time"))

    def _comments(self, topic: Json) -> Iterator[Said]:
        listed = topic.get("show_comments") or topic.get("comments")
        for number, comment in enumerate(listed[:_MOST_COMMENTS] if isinstance(listed, list) else ()):
            if not isinstance(comment, dict):
                continue
            text = _marked(_text(comment, "text"), {}).strip()
            to = _words(_dict(comment, "repliee"), "name")
            text = f"@{to} {text}" if to and text else text
            if not is_blank(text):
                key = comment.get("comment_id")
                known = str(key) if isinstance(key, int | str) and len(str(key)) <= 40 else f"at {number}"  # noqa: PLR2004
                author = _words(_dict(comment, "owner"), "name")
                yield Said(known, author, text, self._time(comment, "create_time"))

    def _time(self, part: Json, key: str) -> datetime | None:
        """Return an instant such as 2021-03-04T12:34:56.789+0800. Errors: BadFile."""
        written = part.get(key)
        if written is None:
            return None
        found = _TIME.fullmatch(written) if isinstance(written, str) else None
        try:
            if found is not None:
                return datetime.fromisoformat(f"{found[1]}{found[2]}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise BadFile("bad_date", line=self.found.line, value=shorten(str(written), 60))


def _dict(part: Json, key: str) -> Json:
    value = part.get(key)
    return value if isinstance(value, dict) else {}


def _text(part: Json, key: str) -> str:
    value = part.get(key)
    return _UNWANTED.sub("", value) if isinstance(value, str) else ""


def _words(part: Json, key: str) -> str:
    return " ".join(_text(part, key).split())[:200]


def _marked(text: str, tags: dict[str, None]) -> str:
    """Return the text with its inline marks as Markdown; hashtags are also added to `tags`."""

    def replace(mark: re.Match[str]) -> str:
        about = {name: " ".join(unquote(value).split()) for name, value in _ATTRIBUTE.findall(mark[1])}
        title = about.get("title", "")
        kind = about.get("type")
        if kind == "hashtag":
            name = title.strip("#＃ ")
            _add_tag(tags, name)
            return f"#{name}"
        if kind == "mention":
            return title if title.startswith("@") else f"@{title}"
        if kind == "web":
            return _link(title or about.get("href", ""), about.get("href", ""))
        return f"**{title}**" if kind == "text_bold" and title else title

    return _MARK.sub(replace, text.replace("\r\n", "\n"))


def _add_tag(tags: dict[str, None], name: str) -> None:
    try:
        tags[read_path(name)] = None
    except Invalid:
        return  # it stays in the text as it was


def _link(title: str, address: str) -> str:
    if not address.startswith(("http://", "https://")):
        return title
    label = re.sub(r"([\\\[\]])", r"\\\1", title)
    return f"[{label}](<{_NOT_IN_ADDRESS.sub('', address)}>)"


def _listed(*parts: Json) -> tuple[Listed, ...]:
    """Return what a crawler lists beside the text: files by name, pictures by id, or as their address calls them."""
    found = []
    for part in parts:
        for key, labels in (("images", ("image_id",)), ("files", ("name", "file_id"))):
            listed = part.get(key)
            for one in listed if isinstance(listed, list) else ():
                about = one if isinstance(one, dict) else {}
                called = [*(str(about[label]) for label in labels if about.get(label)), *_called(about)]
                name = _UNWANTED.sub("", called[0] if called else key)
                found.append(Listed(" ".join(name.split())[:100], tuple(called)))
    return tuple(found[:_MOST_LISTED])


def _called(picture: Json) -> Iterator[str]:
    """Yield the last parts of a picture's addresses, by which some crawlers name its file."""
    for size in ("original", "large", "thumbnail"):
        address = _text(_dict(picture, size), "url").partition("?")[0]
        if name := address.rpartition("/")[2]:
            yield unquote(name)
