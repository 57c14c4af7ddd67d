"""Exports, made by a worker: written into the storage in parts while they are read from the database.

Killed in the middle, it is begun anew under another key; what the killed attempt had uploaded is thrown away first.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import IO, NamedTuple, cast
from uuid import UUID

from circle.archive.export_models import Export, ExportScope
from circle.archive.exporting.building import Beat, Wanted, member_export
from circle.archive.exporting.epub import Book
from circle.archive.exporting.packing import Reader
from circle.archive.exporting.whole import circle_export
from circle.archive.services import export_requests as requests
from circle.archive.services.export_requests import BROKEN, LEASE, MAX_ATTEMPTS, ExportLeaseLost
from circle.archive.services.turns import TimeIsUp, Watch
from circle.kernel.errors import CircleError
from circle.kernel.isolation import isolated
from circle.kernel.text import Text
from circle.kernel.uow import Units
from circle.media.errors import StorageUnavailable
from circle.media.storage import Storage

_ZIP, _EPUB = ("zip", "application/zip"), (Book.ending, Book.content_type)
# A storage that is away is no fault of the export: with its last attempt it has had three quarters of an hour.
_STORAGE_RETRY = timedelta(seconds=30)
_STORAGE_PATIENCE = 4

Build = Callable[[Units, Wanted, Beat], Iterator[bytes]]
_BUILDERS: dict[ExportScope, Build] = {ExportScope.MINE: member_export, ExportScope.CIRCLE: circle_export}


class _Attempt(NamedTuple):
    export: Export
    wanted: Wanted | None
    reason: Text | None


def build_due_export(units: Units, *, is_long: bool = False) -> int:
    """Build one export of a line that nobody works on; return whether there was one."""
    attempt = _claim(units, is_long=is_long)
    if attempt is None:
        return 0
    if attempt.wanted is not None:
        _build(units, attempt.export, attempt.wanted, Watch(units, is_long=is_long, goes_on=False))
    return 1


def _claim(units: Units, *, is_long: bool) -> _Attempt | None:
    with units.write() as uow:
        found = requests.find_due(uow, is_long=is_long)
        if found is None:
            return None
        wanted, reason = None, BROKEN if found.attempts >= MAX_ATTEMPTS else None
        if reason is None:
            try:
                wanted = requests.take_up(uow, found)
            except CircleError as refusal:
                reason = refusal.reason or refusal.text
        if reason is not None:
            requests.refuse(uow, found.id, found.attempts, reason)
        return _Attempt(found, wanted, reason)


def _build(units: Units, export: Export, wanted: Wanted, watch: Watch) -> None:
    reason: Text | None = None
    with isolated("export_poison", export_id=str(export.id), attempts=export.attempts) as attempt:
        try:
            _write(units, export, wanted, watch)
        except TimeIsUp:
            with suppress(ExportLeaseLost), units.write() as uow:
                requests.give_way(uow, export.id, export.attempts)
        except StorageUnavailable:
            with units.write() as uow:
                wait = _STORAGE_RETRY * _STORAGE_PATIENCE ** (export.attempts - 1)
                requests.give_back(uow, export.id, export.attempts, after=wait)
        except ExportLeaseLost:
            # Nobody was told of this attempt's file, and its key is no other's.
            with suppress(StorageUnavailable):
                units.use(Storage).delete_many([export.object_key()])
            return
        except CircleError as refusal:
            reason = refusal.reason or refusal.text
    if attempt.error is not None:
        if export.attempts < MAX_ATTEMPTS:
            with suppress(ExportLeaseLost), units.write() as uow:
                requests.give_back(uow, export.id, export.attempts, after=LEASE)
            return
        reason = BROKEN
    if reason is not None:
        with units.write() as uow:
            requests.refuse(uow, export.id, export.attempts, reason)


def _write(units: Units, export: Export, wanted: Wanted, watch: Watch) -> None:
    """Write the file and let it be had. Errors: StorageUnavailable, ExportLeaseLost, TimeIsUp, those of its builder."""
    storage = units.use(Storage)
    _throw_away_earlier(storage, export)

    def beat(done: int, total: int) -> None:
        with units.write() as uow:
            requests.note_progress(uow, export.id, export.attempts, done=done, total=total)
        watch.look()

    ending, content_type = _EPUB if wanted.format == Book.ending else _ZIP
    stream = Reader(_BUILDERS[ExportScope(wanted.scope)](units, wanted, beat))
    storage.upload(export.object_key(), cast("IO[bytes]", stream), content_type=content_type)
    with units.write() as uow:
        requests.finish(uow, export, ending=ending, content_type=content_type, size=stream.size, sha256=stream.sha256)


def _throw_away_earlier(storage: Storage, export: Export) -> None:
    """Delete what killed attempts may have left: parts of an upload, or a whole file that nobody was told of."""
    if export.attempts > 1:
        storage.abort_uploads(f"exports/{export.id}/")
        storage.delete_many([_key_of(export.id, number) for number in range(1, export.attempts)])


def _key_of(export_id: UUID, attempt: int) -> str:
    return Export(id=export_id, attempts=attempt).object_key()
