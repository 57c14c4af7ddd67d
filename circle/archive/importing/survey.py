"""Looks through a whole archive before anything is written: what can be imported, and what is wrong with the rest.

Nothing but names is kept: each file is read again when its turn comes, so memory does not grow with the archive.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple
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


def survey(source: Source, *, limits: Limits, zone: ZoneInfo, progress: Progress) -> Survey:
    """Read every file once."""
    found = Survey(total=len(source.paths), common=common_folder(source.paths))
    places: dict[Place, Place] = {}
    for order, path in enumerate(source.paths):
        progress("reading", order, found.total)
        try:
            document = open_document(source, path, limits=limits, zone=zone)
        except BadFile as bad:
            found.faults.append(fault(path, bad))
            continue
        place = named_place(document.column) if document.column else place_of(path, found.common)
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
