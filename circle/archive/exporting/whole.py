"""A creator's export: every table as JSON Lines, the books as CSV, every post as Markdown, every file.

Read page by page: what changes while it is made may stand in one file and not yet, or no more, in another.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, select

from circle.archive.exporting import books
from circle.archive.exporting.building import Beat, Wanted, fetch_from
from circle.archive.exporting.markdown import as_file
from circle.archive.exporting.member import Member, list_contents, post_pages
from circle.archive.exporting.packing import ZipStream
from circle.archive.exporting.pieces import Attached
from circle.archive.exporting.tables import FORMAT, TABLES, VERSION, Kept, Whose
from circle.archive.models import ImportedRecord
from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.text import DEFAULT_LANGUAGE
from circle.kernel.uow import Units
from circle.media.models import Media, MediaKind
from circle.media.queries import objects
from circle.media.storage import Storage

_PAGE = 500
_JSON = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
MANIFEST = "manifest.json"


def circle_export(units: Units, wanted: Wanted, beat: Beat) -> Iterator[bytes]:
    """Yield a circle's export. Errors: those of reading as the owner, StorageUnavailable."""
    with units.read() as uow:
        circle = uow.session.get_one(Circle, wanted.circle_id)
        whose = Whose(circle.id, circle.owner_id)
        total = sum(_count(uow.session, kept, whose) for kept in TABLES)
    progress = _Progress(beat, total)
    with closing(ZipStream()) as zipped:
        yield from zipped.text(MANIFEST, _manifest(circle, wanted), wanted.created_at)
        for kept in TABLES:
            yield from zipped.file(kept.file, _lines(units, kept, whose, progress), wanted.created_at, packed=True)
        for path, lines in books.spreadsheets(units, whose):
            yield from zipped.file(path, lines, wanted.created_at, packed=True)
        yield from _texts(units, wanted, zipped, progress)
        yield from _files(units, wanted, whose, zipped, progress)
        yield from zipped.end()


class _Progress:
    """Counts rows that were written, and tells so at every page."""

    def __init__(self, beat: Beat, total: int) -> None:
        self._beat, self._total, self._done = beat, total, 0

    def add(self, rows: int) -> None:
        # What came in meanwhile is written too, but never more than everything.
        self._done = min(self._done + rows, self._total)
        self._beat(self._done, self._total)


def _count(session: Any, kept: Kept, whose: Whose) -> int:
    return int(session.scalar(select(func.count()).select_from(kept.model).where(kept.where(whose))) or 0)


def _manifest(circle: Circle, wanted: Wanted) -> bytes:
    about = {"id": circle.id, "name": circle.name, "slug": circle.slug}
    files = {kept.file: "record" if kept.is_record else "living" for kept in TABLES}
    manifest = {"format": FORMAT, "version": VERSION, "exported_at": wanted.created_at, "circle": about, "files": files}
    return orjson.dumps(manifest, option=_JSON | orjson.OPT_INDENT_2)


def _lines(units: Units, kept: Kept, whose: Whose, progress: _Progress) -> Iterator[bytes]:
    """Yield a table's rows as JSON Lines, then the records of the same table that an import brought."""
    for page in pages(units, kept, whose):
        yield b"".join(as_line(row) for row in page)
        progress.add(len(page))
    if kept.is_record:
        yield from _imported(units, kept, whose)


def pages(units: Units, kept: Kept, whose: Whose) -> Iterator[list[dict[str, Any]]]:
    """Yield a table's rows in the order of its key."""
    key = [column.name for column in kept.table.primary_key]
    after: tuple[Any, ...] | None = None
    while True:
        with units.read() as uow:
            chosen = kept.page(whose, after, _PAGE)
            page = [{str(name): value for name, value in row.items()} for row in uow.session.execute(chosen).mappings()]
        if page:
            yield page
            after = tuple(page[-1][name] for name in key)
        if len(page) < _PAGE:
            return


def _imported(units: Units, kept: Kept, whose: Whose) -> Iterator[bytes]:
    after = -1
    while True:
        with units.read() as uow:
            rows = uow.session.execute(
                select(ImportedRecord.number, ImportedRecord.row)
                .where(
                    ImportedRecord.circle_id == whose.circle_id,
                    ImportedRecord.file == kept.file,
                    ImportedRecord.number > after,
                )
                .order_by(ImportedRecord.number)
                .limit(_PAGE)
            ).all()
        yield b"".join(as_line(row.row) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].number


def as_line(row: Mapping[str, Any]) -> bytes:
    """Return a row as a line of JSON: instants in UTC with Z, decimals and ids as text."""
    return orjson.dumps(dict(row), default=str, option=_JSON)


def _texts(units: Units, wanted: Wanted, zipped: ZipStream, progress: _Progress) -> Iterator[bytes]:
    """Yield every post as its owner reads it, as Markdown."""
    owner = Member(units, Caller(user_id=wanted.user_id), wanted.circle_id, DEFAULT_LANGUAGE)
    for page in post_pages(owner, list_contents(owner)):
        for piece in page:
            yield from zipped.text(f"{piece.path}.md", as_file(piece), piece.at)
        progress.add(0)


def _files(units: Units, wanted: Wanted, whose: Whose, zipped: ZipStream, progress: _Progress) -> Iterator[bytes]:
    """Yield every file that something shows, under the path that `media_path` tells."""
    media = next(kept for kept in TABLES if kept.model is Media)
    fetch = fetch_from(units.use(Storage))
    for page in pages(units, media, whose):
        with units.read() as uow:
            found = objects(uow, [row["id"] for row in page])
        for media_id, row in found.items():
            file = Attached(
                media_id, row["object_key"], row["filename"], row["content_type"], row["kind"] == MediaKind.IMAGE
            )
            yield from zipped.file(file.path, fetch(file), wanted.created_at)
            progress.add(0)


def media_path(media_id: UUID, filename: str) -> str:
    """Return where an export holds a file."""
    return Attached(media_id, "", filename, "", is_image=False).path
