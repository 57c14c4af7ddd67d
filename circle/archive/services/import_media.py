"""Files that came beside imported texts: uploaded as a client would, then shown by the posts that are new or changed.

Rows are written before the objects: what a killed import leaves is deleted a day later, as every upload that nothing
shows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple, TypeAlias, cast
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from circle.archive.exporting.packing import Reader
from circle.archive.importing.besides import type_of
from circle.archive.importing.faults import BadFile
from circle.archive.importing.sources import Source
from circle.archive.importing.survey import note
from circle.archive.services.import_batches import Draft, Tally, Verdict, Written, judge
from circle.archive.services.import_requests import Running
from circle.config import Settings
from circle.kernel.db import Row
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.media.models import Media, MediaStatus, Purpose
from circle.media.names import clean_filename
from circle.media.queries import attachments
from circle.media.services import quotas
from circle.media.services.deleting import KEEP_UNATTACHED
from circle.media.services.settling import line_up
from circle.media.storage import Storage
from circle.posts.models import Post

_QUIETLY = {"synchronize_session": False}
_COMING = frozenset({Verdict.CREATED, Verdict.UPDATED})
# Objects of one text by their paths in the source, in the order in which it shows them.
Brought: TypeAlias = dict[str, UUID]


class _File(NamedTuple):
    id: UUID
    path: str
    draft: Draft


def upload_files(
    units: Units, running: Running, source: Source, drafts: Sequence[Draft], tally: Tally
) -> Mapping[UUID, Brought]:
    """Write the files of texts that are new or changed into the storage. Errors: StorageUnavailable."""
    if not any(draft.files for draft in drafts):
        return {}
    most = units.use(Settings).max_file_bytes
    brought: dict[UUID, Brought] = {}
    with units.write() as uow:
        judged = [one for one in judge(uow, running, drafts) if one.verdict in _COMING]
        here = _shown_already(uow, [one.draft.post_id for one in judged if one.verdict is Verdict.UPDATED])
        files = []
        for draft, *_ in judged:
            brought[draft.post_id], new = _known(source, draft, here.get(draft.post_id, ()))
            files += list(_announce(uow, source, draft, new, most, tally))
    for file in files:
        if _upload(units, source, file, tally):
            brought[file.draft.post_id][file.path] = file.id
    in_order = {draft.post_id: (brought[draft.post_id], draft.files) for draft, *_ in judged}
    return {
        post_id: {path: some[path] for path in files if path in some}
        for post_id, (some, files) in in_order.items()
        if some
    }


def _shown_already(uow: UnitOfWork, posts: Sequence[UUID]) -> Mapping[UUID, Sequence[Row]]:
    """Return what these posts show, of files as they came."""
    if not posts:
        return {}
    shown: defaultdict[UUID, list[Row]] = defaultdict(list)
    rows = select(Media.id, Media.attached_to, Media.filename, Media.size).where(Media.attached_to.in_(posts))
    for row in uow.session.execute(rows).mappings():
        shown[row["attached_to"]].append(dict(row))
    return shown


def _known(source: Source, draft: Draft, shown: Sequence[Row]) -> tuple[Brought, list[str]]:
    """Return the files that the post shows already, by their names and sizes, and the paths of the others."""
    there = Counter((row["filename"], row["size"]) for row in shown)
    ids = {(row["filename"], row["size"]): row["id"] for row in shown}
    looks = {path: (_filename(path), source.others[path]) for path in draft.files}
    wanted = Counter(looks.values())
    known = {path: ids[look] for path, look in looks.items() if there[look] == wanted[look] == 1}
    return known, [path for path in draft.files if path not in known]


def _filename(path: str) -> str:
    taken = type_of(path)
    return clean_filename(path, taken) if taken else path


def _announce(
    uow: UnitOfWork, source: Source, draft: Draft, paths: Sequence[str], most: int, tally: Tally
) -> Iterator[_File]:
    for path in paths:
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


def show_files(uow: UnitOfWork, running: Running, written: Written, brought: Mapping[UUID, Brought]) -> None:
    """Let new and changed posts show their files, which the worker looks into next.

    Errors, at the commit: StorageFull.
    """
    both = written.new | written.changed
    rows = [
        {"media": media_id, "to": post_id, "at": at}
        for post_id, files in brought.items()
        if post_id in both
        for at, media_id in enumerate(files.values())
    ]
    if rows:
        waiting: dict[str, Any] = {"status": MediaStatus.UPLOADED, "due_at": uow.now, "completed_at": uow.now}
        one = update(Media.__table__).where(Media.id == bindparam("media"))  # type: ignore[arg-type]
        here = {"attached_to": bindparam("to"), "position": bindparam("at"), "attached_at": uow.now, "expires_at": None}
        counts = {"circle_id": running.circle_id, "counted": Media.size}
        connection = uow.session.connection()
        coming = select(func.sum(Media.size)).where(Media.id.in_([row["media"] for row in rows]))
        size = uow.session.scalar(coming.where(Media.attached_to.is_(None)))
        uow.tally(quotas.settle, running.circle_id, int(size or 0))
        connection.execute(one.where(Media.attached_to == bindparam("to")).values(position=bindparam("at")), rows)
        connection.execute(one.where(Media.attached_to.is_(None)).values(**waiting, **here, **counts), rows)
        line_up(uow, [media_id for files in brought.values() for media_id in files.values()])
    changed = [post_id for post_id in both if post_id in brought or post_id in written.changed]
    cards = attachments(uow, changed)
    for post_id in changed:
        shown = update(Post).where(Post.id == post_id).values(attachments=cards.get(post_id, []))
        uow.session.execute(shown, execution_options=_QUIETLY)
