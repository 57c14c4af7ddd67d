"""What a member's export is made of: texts with a place, a head and files, whatever they are written into later."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

_MOST_NAME = 60
# What file systems refuse in names, and characters that turn a name around or hide in it.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|#%\[\]()\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+')
# Letters of the id that keep equal titles apart: the last ones of a UUIDv7 are random.
_APART = 10


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes along: where the storage has it, and its place in the export."""

    id: UUID
    object_key: str
    filename: str
    content_type: str
    is_image: bool

    @property
    def path(self) -> str:
        return f"media/{self.id}/{safe_name(self.filename)}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One text. `path` is without its ending; links in `text` are as in the circle: /posts/<id>, /v1/media/<id>."""

    path: str
    title: str
    at: datetime
    text: str
    # In the order in which it is shown; empty values are left out.
    head: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Attached, ...] = ()
    # Where the posts stand that it links to, as far as they are in the export.
    links: Mapping[UUID, str] = field(default_factory=dict)


def safe_name(name: str) -> str:
    """Return a name that every file system takes."""
    cleaned = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" ._")
    stem, dot, ending = cleaned.rpartition(".")
    if not dot or len(ending) > _APART:
        stem, dot, ending = cleaned, "", ""
    return f"{stem[:_MOST_NAME].rstrip(' ._') or '_'}{dot}{ending}"


def post_path(post_id: UUID, words: str, at: datetime) -> str:
    """Return where a post stands: by year, in the order of time, named by its first words."""
    return f"posts/{at:%Y}/{at:%Y-%m-%d} {named(post_id, words)}"


def named(item_id: UUID, words: str) -> str:
    return f"{safe_name(' '.join(words.replace('.', ' ').split()))} {item_id.hex[-_APART:]}"
