"""Imports of uploaded archives, done by a worker: fetch the ZIP, take it over, say what came of it."""

from contextlib import suppress
from tempfile import NamedTemporaryFile
from typing import IO

from sqlalchemy import or_, select

from circle.archive.errors import ImportsUsedUp
from circle.archive.importing.faults import ArchiveRefused
from circle.archive.models import Import, ImportFormat, ImportStatus
from circle.archive.services.import_batches import Tally
from circle.archive.services.import_formats import do_import, rehearse
from circle.archive.services.import_requests import LeaseLost, Running, finish, give_way, note_progress, refuse, take_up
from circle.archive.services.import_undoing import take_out, take_up_undoing
from circle.archive.services.turns import OPEN_IMPORT, TimeIsUp, Watch
from circle.kernel.errors import CircleError
from circle.kernel.isolation import isolated
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork, Units
from circle.media.errors import StorageFull, StorageUnavailable
from circle.media.models import Media, MediaStatus
from circle.media.services.attachments import detach_from
from circle.media.storage import Storage

_REJECTED = Text("上传的文件没有通过检查。", "The upload was rejected.")
_GONE = Text("上传的文件已不在。", "The upload is gone.")
_BROKEN = Text("导入因内部错误中止，已写入的内容保留。", "An internal error ended it; what it had written stays.")


def run_due_import(units: Units, *, is_long: bool = False) -> int:
    """Do, or undo, one import of a line that nobody works on; return whether there was one.

    A circle has one open, and goes to the end of the line with the next: so circles take turns.
    """
    with units.write() as uow:
        due = _find_due(uow, is_long=is_long)
        if due is None:
            return 0
        found, media = due
        taken, reason, running = None, None, None
        if found.status == ImportStatus.UNDOING:
            taken = take_up_undoing(uow, found)
        elif media is None or media.status != MediaStatus.READY:
            reason = _REJECTED
        else:
            try:
                running = take_up(uow, found.id)
            except CircleError as refusal:
                reason = refusal.reason or refusal.text
        if reason is not None:
            _refuse(uow, found, reason)
    if taken is not None:
        take_out(units, taken, Watch(units, is_long=is_long, goes_on=True))
    elif running is not None and media is not None:
        goes_on = not running.is_rehearsal and running.format != ImportFormat.CIRCLE
        _run(units, running, found, media, Watch(units, is_long=is_long, goes_on=goes_on))
    return 1


def _find_due(uow: UnitOfWork, *, is_long: bool) -> tuple[Import, Media | None] | None:
    # What the command line reads has no upload, and is nobody else's to do.
    looked_into = Media.status.not_in([str(MediaStatus.PENDING), str(MediaStatus.UPLOADED)])
    due = (
        select(Import, Media)
        .outerjoin(Media, Media.id == Import.media_id)
        .where(
            OPEN_IMPORT,
            Import.is_long == is_long,
            Import.leased_until <= uow.now,
            or_(Import.status == ImportStatus.UNDOING, looked_into),
        )
        .order_by(Import.leased_until)
        .limit(1)
        .with_for_update(skip_locked=True, of=Import)
    )
    row = uow.session.execute(due).first()
    return None if row is None else (row[0], row[1])


def _run(units: Units, running: Running, found: Import, media: Media, watch: Watch) -> None:
    reason: Text | None = None
    with isolated("import_poison", import_id=str(running.id)) as attempt:
        try:
            with NamedTemporaryFile(suffix=".zip") as file:
                _download(units.use(Storage), media, file)
                if running.is_rehearsal:
                    _rehearse(units, running, file.name, media.filename, watch)
                else:
                    do_import(units, running, file.name, media.filename, watch.import_came_to)
        except ArchiveRefused as refused:
            reason = refused.reason or refused.text
        except (StorageFull, ImportsUsedUp) as full:
            reason = full.text
        except TimeIsUp:
            with suppress(LeaseLost), units.write() as uow:
                give_way(uow, running)
            return
        except (StorageUnavailable, LeaseLost):
            # Not this archive's fault: its lease ends, and it is taken up again.
            return
    if attempt.error is not None:
        reason = _BROKEN
    with units.write() as uow:
        if reason is not None:
            _refuse(uow, found, reason)
        else:
            detach_from(uow, [running.id])


def _rehearse(units: Units, running: Running, place: str, name: str, watch: Watch) -> None:
    """Note what an import would come to, as it is found. Errors: ArchiveRefused, LeaseLost, TimeIsUp."""

    def keep(total: int, tally: Tally) -> None:
        with units.write() as uow:
            note_progress(uow, running, total=total, counts=tally.counts, report=tally.report)

    rehearse(units, running, place, name, watch.import_came_to, keep)
    with units.write() as uow:
        finish(uow, running)


def _refuse(uow: UnitOfWork, found: Import, reason: Text) -> None:
    refuse(uow, found.id, reason)
    detach_from(uow, [found.id])


def _download(storage: Storage, media: Media, file: "IO[bytes]") -> None:
    with storage.open(media.object_key or "") as chunks:
        if chunks is None:
            raise ArchiveRefused.because_of(*_GONE)
        for chunk in chunks:
            file.write(chunk)
    file.flush()
