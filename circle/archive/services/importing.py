"""One import over one archive, in many transactions: killed at any point, it goes on where it was.

Two passes: `survey` looks at every file, then batches are written. The id of a post follows from its circle and its
file's path, so a link to a file that has not been written yet is right already, and a second run finds what the first
one wrote.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import orjson

from circle.archive.importing.besides import Besides
from circle.archive.importing.document import Document
from circle.archive.importing.faults import BadFile
from circle.archive.importing.links import Links
from circle.archive.importing.planet import JSON_FILES, PlanetArchive, identity_of
from circle.archive.importing.sources import MARKDOWN, Source, Takes
from circle.archive.importing.survey import (
    Archive,
    Entry,
    MarkdownArchive,
    Progress,
    Survey,
    fault,
    nobody_watches,
    note,
    survey,
)
from circle.archive.models import ImportFormat
from circle.archive.services.import_batches import Draft, Keep, Tally, Verdict, count, judge, take_over
from circle.archive.services.import_media import show_files, upload_files
from circle.archive.services.import_places import prepare_shelves, renumber
from circle.archive.services.import_requests import Running, finish, note_progress
from circle.kernel.uow import Units
from circle.media.queries import media_url
from circle.posts.models import PostStatus

# Files of one transaction: many enough that its cost is shared, few enough that nobody waits for it.
BATCH = 50
_UUID_VERSION, _UUID_VARIANT = 7, 0b10


def run_import(units: Units, running: Running, source: Source, progress: Progress = nobody_watches) -> Tally:
    """Take an archive over into its circle; return what came of its files. Errors: LeaseLost."""
    archive = _archive_of(running, source)
    found = survey(archive, progress)
    tally = _tally_of(found)
    with units.write() as uow:
        note_progress(uow, running, total=found.total, counts=tally.counts, report=tally.report)
        places = [one.place for one in found.entries if one.place is not None]
        shelves = prepare_shelves(uow, running.circle_id, places, gate=running.gate, key_prefix=running.key_prefix)
    for drafts in _batches(running, archive, found, tally, Besides(source)):
        brought = upload_files(units, running, source, drafts, tally)
        placed = [_placed(running, found, draft, brought.get(draft.post_id)) for draft in drafts]
        with units.write() as uow:
            written = take_over(uow, running, shelves, placed, tally)
            show_files(uow, running, written, brought)
            note_progress(uow, running, total=found.total, counts=tally.counts, report=tally.report)
        progress("writing" if any(written) else "comparing", drafts[-1].entry.order + 1, found.total)
    with units.write() as uow:
        renumber(uow, shelves)
        finish(uow, running)
    return tally


def rehearse_import(units: Units, running: Running, source: Source, progress: Progress, keep: Keep) -> Tally:
    """Return what an import would come to; nothing of it is written. Errors: those of `keep`."""
    archive = _archive_of(running, source)
    found = survey(archive, progress)
    tally = _tally_of(found)
    keep(found.total, tally)
    for drafts in _batches(running, archive, found, tally, Besides(source)):
        with units.read() as uow:
            for judged in judge(uow, running, drafts):
                count(tally, judged.draft, judged.verdict, judged.reason)
        keep(found.total, tally)
        progress("comparing", drafts[-1].entry.order + 1, found.total)
    return tally


def files_of(format: str) -> Takes:  # noqa: A002 - the API's word
    """Return which files of a source an import of this format looks at."""
    return JSON_FILES if format == ImportFormat.PLANET else MARKDOWN


def _archive_of(running: Running, source: Source) -> Archive:
    reads = PlanetArchive if running.format is ImportFormat.PLANET else MarkdownArchive
    return reads(source, limits=running.limits, zone=running.zone)


def _tally_of(found: Survey) -> Tally:
    tally = Tally(report=list(found.faults))
    tally.counts[Verdict.FAILED] = len(found.faults)
    return tally


def _batches(
    running: Running, archive: Archive, found: Survey, tally: Tally, besides: Besides
) -> Iterator[Sequence[Draft]]:
    """Yield files as they are to be, a batch at a time; one that can't be read any more is noted and left out."""
    known = {one.path for one in found.entries}

    def post_of(path: str) -> str | None:
        return f"/posts/{imported_id(running, path)}" if path in known else None

    links = Links(post_of, roots=found.roots, site=running.site)
    drafts: list[Draft] = []
    for entry in found.entries:
        try:
            document = archive.read(entry.path)
        except BadFile as bad:
            tally.counts[Verdict.FAILED] += 1
            tally.report.append(fault(entry.path, bad))
            continue
        drafts.append(_draft(running, found, entry, document, links, besides))
        if len(drafts) == BATCH:
            yield drafts
            drafts = []
    if drafts:
        yield drafts


def _placed(running: Running, found: Survey, draft: Draft, brought: Mapping[str, UUID] | None) -> Draft:
    """Return a file whose text shows what was brought along where it is now."""
    if not brought:
        return draft

    def place_of(path: str) -> str | None:
        return media_url(brought[path]) if path in brought else None

    links = Links(place_of, roots=found.roots, site=running.site)
    return replace(draft, body=links.rewrite(draft.body, draft.entry.path))


def _draft(running: Running, found: Survey, entry: Entry, document: Document, links: Links, besides: Besides) -> Draft:
    body, notes = links.rewrite(document.body, entry.path), []
    author_id = running.authors.get(document.author.lower()) if document.author else running.author_id
    if author_id is None:
        body = f"> 作者：{document.author}\n\n{body}"
        notes.append(note(entry.path, "unknown_author", value=document.author))
    linked, missing = besides.linked(body, entry.path, roots=found.roots, site=running.site)
    if missing:
        notes.append(note(entry.path, "local_image", value=", ".join(missing)[:200]))
    files, left = besides.choose(document.listed, linked, running.limits)
    if left:
        notes.append(note(entry.path, "not_fetched", value=", ".join(left)[:200]))
    # Reading order is the order of time: the last file is the newest, all within the moment of the import.
    order = timedelta(microseconds=entry.order)
    undated = running.created_at - timedelta(microseconds=found.total) + order
    published_at = undated if document.dated is None else document.dated + order
    is_due = published_at <= running.created_at
    said = (document.title, body, document.excerpt, document.tags, document.author, document.column)
    marks = (document.dated and document.dated.isoformat(), document.is_digest, document.is_draft)
    more = (document.kind, document.answer, document.comments, document.is_pinned)
    # What only some sources tell counts where it is told: hashes of files that were imported before stay as they were.
    told = [*said, *marks, *(more if any(more) else ())]
    identity = identity_of(entry.path) if running.format is ImportFormat.PLANET else entry.path
    return Draft(
        entry=entry,
        key=f"{running.key_prefix}{identity}",
        post_id=imported_id(running, identity),
        kind=document.kind or running.kind,
        title=document.title,
        body=body,
        excerpt=document.excerpt,
        tags=document.tags,
        author_id=author_id or running.author_id,
        status=PostStatus.DRAFT if document.is_draft else PostStatus.PUBLISHED if is_due else PostStatus.SCHEDULED,
        published_at=published_at,
        is_digest=document.is_digest,
        source_hash=hashlib.sha256(orjson.dumps(told)).digest(),
        answer=document.answer,
        comments=document.comments,
        is_pinned=document.is_pinned,
        notes=tuple(notes),
        files=files,
    )


def imported_id(running: Running, path: str) -> UUID:
    """Return the id of a file's post: a UUIDv7 in form, the same for the same path in the same circle at any time."""
    made_at = running.circle_id.int >> 80
    mixed = hashlib.sha256(f"{running.circle_id}\0{running.key_prefix}{path}".encode()).digest()
    random = int.from_bytes(mixed[:10], "big")
    low = random & (2**62 - 1)
    high = (random >> 62) & (2**12 - 1)
    return UUID(int=(made_at << 80) | (_UUID_VERSION << 76) | (high << 64) | (_UUID_VARIANT << 62) | low)
