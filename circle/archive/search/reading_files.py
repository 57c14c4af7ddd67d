"""Reading attached text files into the index: the storage is asked outside any unit of work, under a lease."""

import codecs
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from circle.archive.search.catching_up import lease, put_off, settle
from circle.archive.search.documents import Document
from circle.archive.search.models import Found, Owed, SearchDocument
from circle.archive.search.storing import store
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units
from circle.media.errors import StorageUnavailable
from circle.media.models import Media, MediaStatus
from circle.media.storage import Storage

# What is searched of a file: its beginning, about as much as the longest article.
MOST_BYTES = 256 * 1024
# The likelier first; each refuses what was written in the other.
_ENCODINGS = ("utf-8-sig", "gb18030")


def read_files(units: Units) -> int:
    """Read all files that are due, one after the other; return how many. What fails is put off."""
    done = 0
    while True:
        with units.write() as uow:
            leased = lease(uow, Owed.FILE, limit=1)
            wanted = {one: uow.session.get(Media, one) for one in leased}
        if not leased:
            return done
        for media_id, media in wanted.items():
            with isolated("search_file_failed", media_id=str(media_id)) as reading:
                done += _read_file(units, media_id, media, leased)
            if reading.error is not None:
                with units.write() as uow:
                    put_off(uow, Owed.FILE, media_id)


def _read_file(units: Units, media_id: UUID, media: Media | None, leased: Mapping[UUID, datetime]) -> int:
    """Read one file; return 1, or 0 while the storage is away, which is no fault of the file."""
    try:
        content = _content(units.use(Storage), media)
    except StorageUnavailable:
        return 0
    with units.write() as uow:
        _keep(uow, media_id, content)
        settle(uow, Owed.FILE, leased)
    return 1


def _content(storage: Storage, media: Media | None) -> str | None:
    """Return the text of a file; None while it is not ready: its readiness makes it due again."""
    if media is None or media.status != MediaStatus.READY or media.object_key is None:
        return None
    found = storage.peek(media.object_key, MOST_BYTES)
    return None if found is None else decoded(found.head)


def decoded(data: bytes) -> str:
    """Return the beginning of a text file without NUL; its last character may have been cut in two."""
    for encoding in _ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            return decoder.decode(data).replace("\0", " ")
        except UnicodeDecodeError:
            continue
    return data.decode(errors="replace").replace("\0", " ")


def _keep(uow: UnitOfWork, media_id: UUID, content: str | None) -> None:
    """Index what a file says, if it is still attached."""
    known = uow.session.get(SearchDocument, media_id, with_for_update=True)
    media = uow.session.get(Media, media_id)
    if known is None or media is None or content is None:
        return
    store(
        uow,
        [
            Document(
                media_id,
                Found.FILE,
                known.circle_id,
                known.post_id,
                known.author_id,
                known.shown_at,
                media.filename,
                content,
                content,
            )
        ],
    )
