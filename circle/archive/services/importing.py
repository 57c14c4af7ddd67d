"""One import over one archive, in many transactions: killed at any point, it goes on where it was.

Two passes: `survey` looks at every file, then batches are written. The id of a post follows from its circle and its
file's path, so a link to a file that has not been written yet is right already, and a second run finds what the first
one wrote.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import orjson

from circle.archive.importing.document import Document
from circle.archive.importing.faults import BadFile
from circle.archive.importing.links import Links, local_images
from circle.archive.importing.sources import Source
from circle.archive.importing.survey import (
    Entry,
    Progress,
    Survey,
    fault,
    nobody_watches,
    note,
    open_document,
    survey,
)
from circle.archive.services.import_batches import Draft, Tally, Verdict, count, judge, take_over
from circle.archive.services.import_places import prepare_shelves, renumber
from circle.archive.services.import_requests import Running, finish, note_progress
from circle.kernel.uow import Units
from circle.posts.models import PostStatus

# Files of one transaction: many enough that its cost is shared, few enough that nobody waits for it.
BATCH = 50
_UUID_VERSION, _UUID_VARIANT = 7, 0b10


def run_import(units: Units, running: Running, source: Source, progress: Progress = nobody_watches) -> Tally:
    """Take an archive over into its circle; return what came of its files. Errors: LeaseLost."""
    found = survey(source, limits=running.limits, zone=running.zone, progress=progress)
    tally = _tally_of(found)
    with units.write() as uow:
        running = note_progress(uow, running, total=found.total, counts=tally.counts, report=tally.report)
        places = [one.place for one in found.entries if one.place is not None]
        shelves = prepare_shelves(uow, running.circle_id, places, gate=running.gate, key_prefix=running.key_prefix)
    for drafts in _batches(running, source, found, tally):
        with units.write() as uow:
            take_over(uow, running, shelves, drafts, tally)
            running = note_progress(uow, running, total=found.total, counts=tally.counts, report=tally.report)
        progress("writing", drafts[-1].entry.order + 1, found.total)
    with units.write() as uow:
        renumber(uow, shelves)
        finish(uow, running)
    return tally


def rehearse_import(units: Units, running: Running, source: Source, progress: Progress = nobody_watches) -> Tally:
    """Return what an import would come to; nothing is written."""
    found = survey(source, limits=running.limits, zone=running.zone, progress=progress)
    tally = _tally_of(found)
    for drafts in _batches(running, source, found, tally):
        with units.read() as uow:
            for judged in judge(uow, running, drafts):
                count(tally, *judged)
        progress("comparing", drafts[-1].entry.order + 1, found.total)
    return tally


def _tally_of(found: Survey) -> Tally:
    tally = Tally(report=list(found.faults))
    tally.counts[Verdict.FAILED] = len(found.faults)
    return tally


def _batches(running: Running, source: Source, found: Survey, tally: Tally) -> Iterator[Sequence[Draft]]:
    """Yield files as they are to be, a batch at a time; one that can't be read any more is noted and left out."""
    known = {one.path for one in found.entries}

    def post_of(path: str) -> str | None:
        return f"/posts/{imported_id(running, path)}" if path in known else None

    links = Links(post_of, roots=("", found.common), site=running.site)
    drafts: list[Draft] = []
    for entry in found.entries:
        try:
            document = open_document(source, entry.path, limits=running.limits, zone=running.zone)
        except BadFile as bad:
            tally.counts[Verdict.FAILED] += 1
            tally.report.append(fault(entry.path, bad))
            continue
        drafts.append(_draft(running, entry, document, links, found.total))
        if len(drafts) == BATCH:
            yield drafts
            drafts = []
    if drafts:
        yield drafts


def _draft(running: Running, entry: Entry, document: Document, links: Links, total: int) -> Draft:
    body, notes = links.rewrite(document.body, entry.path), []
    author_id = running.authors.get(document.author.lower()) if document.author else running.author_id
    if author_id is None:
        body = f"> 作者：{document.author}\n\n{body}"
        notes.append(note(entry.path, "unknown_author", value=document.author))
    notes += [note(entry.path, "local_image", value=image[:200]) for image in local_images(body)[:1]]
    # Reading order is the order of time: the last file is the newest, all within the moment of the import.
    order = timedelta(microseconds=entry.order)
    undated = running.created_at - timedelta(microseconds=total) + order
    published_at = undated if document.dated is None else document.dated + order
    is_due = published_at <= running.created_at
    said = (document.title, body, document.excerpt, document.tags, document.author, document.column)
    marks = (document.dated and document.dated.isoformat(), document.is_digest, document.is_draft)
    return Draft(
        entry=entry,
        key=f"{running.key_prefix}{entry.path}",
        post_id=imported_id(running, entry.path),
        title=document.title,
        body=body,
        excerpt=document.excerpt,
        tags=document.tags,
        author_id=author_id or running.author_id,
        status=PostStatus.DRAFT if document.is_draft else PostStatus.PUBLISHED if is_due else PostStatus.SCHEDULED,
        published_at=published_at,
        is_digest=document.is_digest,
        source_hash=hashlib.sha256(orjson.dumps([*said, *marks])).digest(),
        notes=tuple(notes),
    )


def imported_id(running: Running, path: str) -> UUID:
    """Return the id of a file's post: a UUIDv7 in form, the same for the same path in the same circle at any time."""
    made_at = running.circle_id.int >> 80
    mixed = hashlib.sha256(f"{running.circle_id}\0{running.key_prefix}{path}".encode()).digest()
    random = int.from_bytes(mixed[:10], "big")
    low = random & (2**62 - 1)
    high = (random >> 62) & (2**12 - 1)
    return UUID(int=(made_at << 80) | (_UUID_VERSION << 76) | (high << 64) | (_UUID_VARIANT << 62) | low)
