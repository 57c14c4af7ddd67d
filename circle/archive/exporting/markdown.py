"""A member's export as Markdown files: one a text, with front matter that our own import reads, media beside them."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from circle.archive.exporting.packing import Spool, ZipStream
from circle.archive.exporting.pieces import Attached, Piece
from circle.archive.exporting.wording import say
from circle.kernel.text import Language
from circle.posts.services.mentions import plain

_ADDRESS = re.compile(r"\]\(/(posts|v1/media)/([0-9a-f-]{36})\)")
_ENDING = ".md"

# Reads the bytes of a file that goes along.
Fetch = Callable[[Attached], Iterator[bytes]]


class MarkdownFolder:
    """Writes pieces into a ZIP."""

    content_type = "application/zip"
    ending = "zip"

    def __init__(self, fetch: Fetch, *, language: Language) -> None:
        self._zip = ZipStream()
        self._fetch = fetch
        self._language = language
        self._index = Spool()

    def close(self) -> None:
        self._zip.close()
        self._index.close()

    def section(self, name: str) -> None:
        self._index.add(f"\n## {say(name, self._language)}\n\n")

    def add(self, piece: Piece) -> Iterator[bytes]:
        """Write one text and the files it shows."""
        path = f"{piece.path}{_ENDING}"
        yield from self._zip.text(path, as_file(piece), piece.at)
        for file in piece.files:
            yield from self._zip.file(file.path, self._fetch(file), piece.at)
        self._index.add(f"- [{_label(piece.title)}](<{path}>)\n")

    def end(self, title: str, about: str, at: datetime) -> Iterator[bytes]:
        index = chain([f"# {title}\n\n{about}\n".encode()], self._index.chunks())
        yield from self._zip.file("README.md", index, at, packed=True)
        yield from self._zip.end()


def as_file(piece: Piece) -> str:
    """Return a piece as a file: front matter, then the text with links to its neighbours."""
    folder = posixpath.dirname(piece.path)
    files = {file.id: file.path for file in piece.files}

    def settled(found: re.Match[str]) -> str:
        item_id = UUID(found[2])
        target = files.get(item_id) if found[1] != "posts" else piece.links.get(item_id)
        if target is None:
            return found[0]
        ending = _ENDING if found[1] == "posts" else ""
        return f"](<{posixpath.relpath(target + ending, folder)}>)"

    return f"{front_matter(piece.head)}\n{_ADDRESS.sub(settled, plain(piece.text))}\n"


def front_matter(head: Mapping[str, Any]) -> str:
    """Return the head as YAML, of which JSON's strings and lists are a part."""
    lines = [f"{name}: {orjson.dumps(value).decode()}" for name, value in head.items() if value not in (None, "", [])]
    return "\n".join(["---", *lines, "---", ""])


def _label(title: str) -> str:
    return re.sub(r"([\\\[\]])", r"\\\1", " ".join(title.split()))
