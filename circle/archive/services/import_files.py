"""Files of a creator's export: into the storage as uploads are, so that the same worker looks into them first."""

from collections.abc import Callable, Sequence
from typing import IO, Any, cast

from sqlalchemy import select

from circle.archive.exporting.packing import Reader
from circle.archive.exporting.tables import Kept
from circle.archive.exporting.whole import media_path
from circle.archive.importing.circles import CircleArchive, Line
from circle.archive.importing.faults import BadFile
from circle.config import Settings
from circle.kernel.uow import Units
from circle.media.models import Media, MediaStatus, Purpose
from circle.media.names import clean_filename
from circle.media.services.settling import APART
from circle.media.storage import Storage
from circle.media.types import TYPES

_NOT_TAKEN = frozenset({Purpose.IMPORT, Purpose.EXPORT, Purpose.AVATAR})


Fail = Callable[[Kept, int, str], None]


def bring_files(units: Units, archive: CircleArchive, kept: Kept, lines: Sequence[Line], fail: Fail) -> list[Line]:
    """Write files into the storage; return their rows as those of uploads that wait for the worker."""
    with units.read() as uow:
        ids = [line.values["id"] for line in lines if "id" in line.values]
        known = set(uow.session.scalars(select(Media.id).where(Media.id.in_(ids))))
        now = uow.now
    coming: list[Line] = []
    for line in lines:
        problem = "it is here already" if line.values.get("id") in known else _bring(units, archive, line)
        if isinstance(problem, str):
            if line.values.get("id") not in known:
                fail(kept, line.number, problem)
            continue
        waiting = {"status": MediaStatus.UPLOADED, "due_at": now, "upload_until": now, "completed_at": now}
        # One after the other, so that others' uploads go between: `settling.line_up`.
        place = {"turn_at": now + APART * len(coming)}
        coming.append(line._replace(values={**line.values, **problem, **waiting, **place}))
    return coming


def _bring(units: Units, archive: CircleArchive, line: Line) -> dict[str, Any] | str:
    """Upload one file; return what is known of it now, or why it can't be taken."""
    values, settings = line.values, units.use(Settings)
    taken = TYPES.get(values.get("content_type", ""))
    if taken is None or values.get("purpose") not in set(Purpose) - _NOT_TAKEN or values.get("attached_to") is None:
        return "its type or purpose is not accepted"
    filename = str(values.get("filename", ""))
    found = archive.file(media_path(line.old_id, filename)) if line.old_id else None
    if found is None:
        return "its file is not in the archive"
    size, chunks = found
    if not 0 < size <= settings.max_file_bytes:
        return "its file is empty or too large"
    key = Media(id=values["id"]).upload_key
    stream = Reader(chunks())
    try:
        units.use(Storage).upload(key, cast("IO[bytes]", stream), content_type=taken.name)
    except BadFile:
        return "its file is damaged"
    return {"kind": taken.kind, "filename": clean_filename(filename, taken), "size": stream.size}
