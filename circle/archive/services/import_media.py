"""Files that came beside imported texts: uploaded as a client would, then shown by the posts that are new.

Rows are written before the objects: what a killed import leaves is deleted a day later, as every upload that nothing
shows.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import bindparam, insert, update

from circle.archive.exporting.packing import Reader
from circle.archive.importing.besides import type_of
from circle.archive.importing.faults import BadFile
from circle.archive.importing.sources import Source
from circle.archive.importing.survey import note
from circle.archive.services.import_batches import Draft, Tally, Verdict, judge
from circle.archive.services.import_requests import Running
from circle.config import Settings
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.media.models import Media, MediaStatus, Purpose
from circle.media.names import clean_filename
from circle.media.queries import attachments
from circle.media.services.deleting import KEEP_UNATTACHED
from circle.media.services.settling import PROCESS
from circle.media.storage import Storage
from circle.posts.models import Post

_QUIETLY = {"synchronize_session": False}


class _File(NamedTuple):
    id: UUID
    path: str
    draft: Draft


def upload_files(
    units: Units, running: Running, source: Source, drafts: Sequence[Draft], tally: Tally
) -> Mapping[UUID, list[UUID]]:
    """Write the files of texts that are new into the storage; return them by post. Errors: StorageUnavailable."""
    if not any(draft.files for draft in drafts):
        return {}
    most = units.use(Settings).max_file_bytes
    with units.write() as uow:
        new = [one.draft for one in judge(uow, running, drafts) if one.verdict is Verdict.CREATED]
        files = list(_announce(uow, source, new, most, tally))
    brought: dict[UUID, list[UUID]] = {}
    for file in files:
        if _upload(units, source, file, tally):
            brought.setdefault(file.draft.post_id, []).append(file.id)
    return brought


def _announce(uow: UnitOfWork, source: Source, drafts: Sequence[Draft], most: int, tally: Tally) -> Iterator[_File]:
    for draft in drafts:
        for path in draft.files:
            taken, size = type_of(path), source.others[path]
            if taken is None or not 0 < size <= most:
                tally.report.append(note(draft.entry.path, "not_fetched", value=path[:200]))
                continue
            file = _File(new_id(), path, draft)
            uow.session.execute(
                insert(Media).values(
                    id=file.id,
                    owner_id=draft.author_id,
                    purpose=Purpose.POST,
                    kind=taken.kind,
                    filename=clean_filename(path, taken),
                    content_type=taken.name,
                    size=size,
                    status=MediaStatus.PENDING,
                    attempts=0,
                    expires_at=uow.now + KEEP_UNATTACHED,
                    upload_until=uow.now,
                    created_at=uow.now,
                )
            )
            yield file


def _upload(units: Units, source: Source, file: _File, tally: Tally) -> bool:
    taken = type_of(file.path)
    stream = Reader(source.chunks(file.path))
    try:
        units.use(Storage).upload(
            Media(id=file.id).upload_key, cast("IO[bytes]", stream), content_type=taken.name if taken else ""
        )
    except BadFile:
        tally.report.append(note(file.draft.entry.path, "not_fetched", value=file.path[:200]))
        return False
    return stream.size > 0


def show_files(uow: UnitOfWork, made: Collection[UUID], brought: Mapping[UUID, list[UUID]]) -> None:
    """Let new posts show their files, which the worker looks into next."""
    shown = [(post_id, ids) for post_id, ids in brought.items() if post_id in made]
    if not shown:
        return
    waiting: dict[str, Any] = {"status": MediaStatus.UPLOADED, "due_at": uow.now, "completed_at": uow.now}
    attached = update(Media.__table__).where(Media.id == bindparam("media"))  # type: ignore[arg-type]
    rows = [{"media": media_id, "to": post_id, "at": at} for post_id, ids in shown for at, media_id in enumerate(ids)]
    here = {"attached_to": bindparam("to"), "position": bindparam("at"), "attached_at": uow.now, "expires_at": None}
    uow.session.connection().execute(attached.values(**waiting, **here), rows)
    cards = attachments(uow, [post_id for post_id, _ids in shown])
    for post_id, some in cards.items():
        uow.session.execute(update(Post).where(Post.id == post_id).values(attachments=some), execution_options=_QUIETLY)
    uow.ring(PROCESS)
