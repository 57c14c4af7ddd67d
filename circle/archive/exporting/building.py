"""The bytes of an export, made as they are asked for; `beat` is called with how far it is, and holds the lease."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from circle.accounts.models import User
from circle.archive.exporting.epub import Book
from circle.archive.exporting.markdown import MarkdownFolder
from circle.archive.exporting.member import PARTS, Member, list_contents, post_pages
from circle.archive.exporting.pieces import Attached
from circle.archive.exporting.wording import say
from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.text import DEFAULT_LANGUAGE, Language
from circle.kernel.uow import Units
from circle.media.storage import Storage

# Called with how many things are written, and of how many.
Beat = Callable[[int, int], None]


class Wanted(NamedTuple):
    """An export that was taken up, outside any transaction."""

    id: UUID
    circle_id: UUID
    user_id: UUID
    scope: str
    format: str
    created_at: datetime


def fetch_from(storage: Storage) -> Callable[[Attached], Iterator[bytes]]:
    """Return a function that reads a file; what the storage has no longer reads as nothing."""

    def fetch(file: Attached) -> Iterator[bytes]:
        with storage.open(file.object_key) as chunks:
            if chunks is not None:
                yield from chunks

    return fetch


def member_export(units: Units, wanted: Wanted, beat: Beat) -> Iterator[bytes]:
    """Yield a member's export. Errors: what `require_circle_reader` raises, StorageUnavailable."""
    with units.read() as uow:
        circle = uow.session.get_one(Circle, wanted.circle_id).name
        language = _language(uow.session.scalars(select(User.language).where(User.id == wanted.user_id)).one())
    member = Member(units, Caller(user_id=wanted.user_id), wanted.circle_id, language)
    contents = list_contents(member)
    with closing(_writer(units, wanted, language)) as writer:
        done = 0
        beat(done, contents.total)
        writer.section("posts")
        for page in post_pages(member, contents):
            for piece in page:
                yield from writer.add(piece)
            done += len(page)
            beat(done, contents.total)
        for name, pieces in PARTS:
            writer.section(name)
            for piece in pieces(member, contents):
                yield from writer.add(piece)
                beat(done, contents.total)
        at = wanted.created_at
        about = say("about", language, circle=circle, at=f"{at:%Y-%m-%d %H:%M} UTC", count=contents.total)
        yield from writer.end(circle, about, at)


def _language(word: str) -> Language:
    return "en" if word == "en" else DEFAULT_LANGUAGE


def _writer(units: Units, wanted: Wanted, language: Language) -> MarkdownFolder | Book:
    fetch = fetch_from(units.use(Storage))
    if wanted.format == Book.ending:
        return Book(fetch, language=language, key=wanted.id, at=wanted.created_at)
    return MarkdownFolder(fetch, language=language)
