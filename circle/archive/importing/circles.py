"""A creator's export, read: rows by table, ids and texts made those of another circle. Pure; trusts nothing in it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import UUID
from zipfile import ZipFile, ZipInfo

import orjson
from sqlalchemy import ARRAY, Boolean, Date, DateTime, Integer, Numeric, Text, Time, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from circle.archive.exporting.tables import BY_FILE, FORMAT, TABLES, VERSION, Kept
from circle.archive.exporting.whole import MANIFEST
from circle.archive.importing.faults import ArchiveRefused, BadFile
from circle.archive.importing.sources import (
    DAMAGED,
    MOST_RATIO,
    MOST_TOTAL_BYTES,
    RATIO_COUNTS_FROM,
    entry_path,
    open_zip,
)
from circle.kernel.db import Json

# One post of the longest kind with all its attachments, in JSON.
_MOST_LINE = 4 * 1024 * 1024
_MOST_MANIFEST = 1024 * 1024
# Beside each post there are its files and its Markdown.
_TIMES_THE_FILES = 3
_CHUNK = 256 * 1024
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOW = (1 << 62) - 1


class Line(NamedTuple):
    """A row on its way in: where it stands, what it says now, and the id that it had."""

    number: int
    values: dict[str, Any]
    old_id: UUID | None


class BadRow(Exception):
    """One row can't be imported, and why."""


class Ids:
    """Ids of an archive as they are in the circle that it comes to: the same every time, as old as they were.

    `known` are ids of the archive that may stand in texts; `fixed` have a place in the circle already.
    """

    def __init__(self, circle_id: UUID) -> None:
        self._salt = circle_id.bytes
        self.known: set[UUID] = set()
        self.fixed: dict[UUID, UUID] = {}

    def of(self, old: UUID) -> UUID:
        """Return the id under which a row comes in: its time and the rest of its first half stay."""
        if old in self.fixed:
            return self.fixed[old]
        low = int.from_bytes(sha256(self._salt + old.bytes).digest()[:8], "big") & _LOW | 0b10 << 62
        return UUID(int=old.int >> 64 << 64 | low)

    def in_text(self, text: str) -> str:
        """Return a text with the ids of the archive's own things replaced."""
        return _UUID.sub(self._replaced, text) if "-" in text else text

    def _replaced(self, found: re.Match[str]) -> str:
        old = UUID(found[0])
        return str(self.of(old)) if old in self.known or old in self.fixed else found[0]


class CircleArchive:
    """An opened export. `about` is the circle in its manifest."""

    def __init__(self, archive: ZipFile) -> None:
        infos = {path: info for info in archive.infolist() if (path := entry_path(info)) is not None}
        _refuse_bomb([info for path, info in infos.items() if path in BY_FILE])
        self._archive, self._infos = archive, infos
        self.about = self._manifest()

    def _manifest(self) -> Json:
        info = self._infos.get(MANIFEST)
        if info is None or info.file_size > _MOST_MANIFEST:
            raise _not_ours()
        try:
            manifest = orjson.loads(self._archive.read(info))
            if manifest["format"] != FORMAT:
                raise _not_ours()
            if manifest["version"] != VERSION:
                raise ArchiveRefused.because_of(
                    "导出格式的版本不受支持。", "This version of the export format is not supported."
                )
            about: Json = manifest["circle"]
            UUID(about["id"])
        except (KeyError, TypeError, AttributeError, *DAMAGED) as error:
            raise _not_ours() from error
        return about

    @property
    def unknown(self) -> list[str]:
        """Data files that this version knows nothing of."""
        return [path for path in self._infos if path.startswith("data/") and path not in BY_FILE]

    def rows(self, kept: Kept) -> Iterator[tuple[int, Json | None]]:
        """Yield a table's rows with their lines; None for a line that is no JSON object."""
        info = self._infos.get(kept.file)
        if info is None:
            return
        with _undamaged(kept.file), self._archive.open(info) as opened:
            number = 0
            while line := opened.readline(_MOST_LINE + 1):
                number += 1
                if len(line) > _MOST_LINE:
                    _skip_line(opened)
                    yield number, None
                elif line.strip():
                    yield number, _object(line)

    def file(self, path: str) -> tuple[int, Callable[[], Iterator[bytes]]] | None:
        """Return the bytes of a file in it, and how many; None where it is not there. Errors: BadFile while reading."""
        info = self._infos.get(path)
        return None if info is None else (info.file_size, lambda: _chunks(self._archive, info))


@contextmanager
def open_circle(place: str | Path) -> Iterator[CircleArchive]:
    """Open a creator's export. Errors: ArchiveRefused."""
    with open_zip(Path(place), times=_TIMES_THE_FILES) as archive:
        yield CircleArchive(archive)


@contextmanager
def _undamaged(path: str) -> Iterator[None]:
    """Every table is read through before anything is written, so that a damaged one leaves nothing behind."""
    try:
        yield
    except DAMAGED as error:
        raise ArchiveRefused.because_of(f"压缩包已损坏：{path}", f"It is damaged: {path}") from error


def _not_ours() -> ArchiveRefused:
    return ArchiveRefused.because_of("这不是星球的完整导出。", "It is not the export of a circle.")


def _refuse_bomb(infos: list[ZipInfo]) -> None:
    unpacked, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if unpacked > MOST_TOTAL_BYTES or (unpacked > RATIO_COUNTS_FROM and unpacked > packed * MOST_RATIO):
        raise ArchiveRefused.because_of("解压后过大，或压缩比异常。", "It is too large, or packed like a bomb.")


def _object(line: bytes) -> Json | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _skip_line(opened: IO[bytes]) -> None:
    while (rest := opened.readline(_MOST_LINE)) and not rest.endswith(b"\n"):
        pass


def _chunks(archive: ZipFile, info: ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as opened:
            while chunk := opened.read(_CHUNK):
                yield chunk
    except DAMAGED as error:
        raise BadFile("unreadable", problem=str(error)[:200]) from error


def translate(kept: Kept, row: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """Return a row's values as the database takes them, with ids of the new circle. Errors: BadRow."""
    values = {}
    for column in kept.columns:
        if column.name in row:
            try:
                values[column.name] = _value(column.type, row[column.name], ids)
            except (ValueError, TypeError, OverflowError, InvalidOperation, AttributeError):
                raise BadRow(f"{column.name} is no {column.type}".lower()) from None
    return values


def _value(kind: Any, value: Any, ids: Ids) -> Any:
    if value is None:
        return None
    if isinstance(kind, ARRAY):
        return [_value(kind.item_type, one, ids) for one in _require(value, list)]
    if isinstance(kind, JSONB):
        return orjson.loads(ids.in_text(json.dumps(value, ensure_ascii=False)))
    return _READERS[next(known for known in _READERS if isinstance(kind, known))](value, ids)


def _require(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError
    return value


_READERS: Mapping[type, Callable[[Any, Ids], Any]] = {
    Uuid: lambda value, ids: ids.of(UUID(_require(value, str))),
    DateTime: lambda value, _ids: _aware(datetime.fromisoformat(value)),
    Date: lambda value, _ids: date.fromisoformat(value),
    Time: lambda value, _ids: datetime.fromisoformat(f"2000-01-01T{value}").time(),
    Boolean: lambda value, _ids: _require(value, bool),
    Integer: lambda value, _ids: _require(value, int),
    Numeric: lambda value, _ids: Decimal(_require(value, str)),
    Text: lambda value, ids: ids.in_text(_require(value, str)),
}


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError
    return instant


def uuid_of(row: Mapping[str, Any], name: str) -> UUID | None:
    """Return an id of a row; None where it is none."""
    try:
        return UUID(row[name])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


LIVING = tuple(kept for kept in TABLES if not kept.is_record)
RECORDS = tuple(kept for kept in TABLES if kept.is_record)
