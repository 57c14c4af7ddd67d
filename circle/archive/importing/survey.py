"""Looks through a whole archive before anything is written: what can be imported, and what is wrong with the rest.

Nothing but names is kept: each file is read again when its turn comes, so memory does not grow with the archive.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from circle.archive.importing.document import Document, Limits, read_document
from circle.archive.importing.faults import BadFile
from circle.archive.importing.places import Place, common_folder, named_place, place_of
from circle.archive.importing.sources import Source
from circle.kernel.db import Json

# Index rows have a most; Chinese paths have three bytes a character.
MOST_PATH = 500

# What is being done, how many of how many files.
Progress = Callable[[str, int, int], None]


def nobody_watches(_what: str, _done: int, _total: int) -> None:
    """Progress that is shown nowhere."""


class Archive(Protocol):
    """A source as documents: `paths` name them in reading order, `faults` tell what could not be read at all."""

    paths: list[str]
    faults: list[Json]
    # Whether the folder that a document lies in is the column that it belongs to.
    has_columns: bool

    def read(self, path: str) -> Document:
        """Return one document. Errors: BadFile."""


class MarkdownArchive:
    """A tree of Markdown: a file is a document."""

    has_columns = True

    def __init__(self, source: Source, *, limits: Limits, zone: ZoneInfo) -> None:
        self.paths, self.faults = source.paths, list[Json]()
        self._source, self._limits, self._zone = source, limits, zone

    def read(self, path: str) -> Document:
        if len(path) > MOST_PATH:
            raise BadFile("path_too_long", most=MOST_PATH)
        return read_document(self._source.read(path), PurePosixPath(path).stem, limits=self._limits, zone=self._zone)


class Entry(NamedTuple):
    """A file that can be imported; `order` is its place in reading order."""

    order: int
    path: str
    place: Place | None


@dataclass(slots=True)
class Survey:
    total: int
    common: str
    entries: list[Entry] = field(default_factory=list)
    faults: list[Json] = field(default_factory=list)

    @property
    def roots(self) -> tuple[str, ...]:
        """Folders that the leading slash of a link may stand for."""
        return ("", self.common)


def survey(archive: Archive, progress: Progress) -> Survey:
    """Read every document once."""
    total = len(archive.paths) + len(archive.faults)
    found = Survey(total=total, common=common_folder(archive.paths), faults=list(archive.faults))
    places: dict[Place, Place] = {}
    for order, path in enumerate(archive.paths):
        progress("reading", order, found.total)
        try:
            document = archive.read(path)
        except BadFile as bad:
            found.faults.append(fault(path, bad))
            continue
        place = named_place(document.column) if document.column else None
        if place is None and archive.has_columns:
            place = place_of(path, found.common)
        found.entries.append(Entry(order, path, None if place is None else places.setdefault(place, place)))
    progress("reading", found.total, found.total)
    return found


def open_document(source: Source, path: str, *, limits: Limits, zone: ZoneInfo) -> Document:
    """Return what one file of an archive says. Errors: BadFile."""
    if len(path) > MOST_PATH:
        raise BadFile("path_too_long", most=MOST_PATH)
    return read_document(source.read(path), PurePosixPath(path).stem, limits=limits, zone=zone)


def fault(path: str, bad: BadFile) -> Json:
    """Return a fault as reports keep it."""
    return {"path": path[:MOST_PATH], "line": bad.line, "code": bad.code, "data": bad.data}


def note(path: str, code: str, **data: str) -> Json:
    """Return something worth a look about a file that was imported nevertheless."""
    return {"path": path, "line": None, "code": code, "data": data}
