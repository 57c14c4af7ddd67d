"""Writing one batch of files: what is new, what has changed, what stays. A fixed number of statements for new files."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text as SqlText
from sqlalchemy import and_, any_, func, insert, literal, literal_column, null, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from circle.archive.errors import TooManyPins
from circle.archive.events import PostsImported
from circle.archive.importing.document import Said
from circle.archive.importing.survey import Entry, note
from circle.archive.models import ImportedFile
from circle.archive.services.import_places import BEHIND, Shelves
from circle.archive.services.import_requests import Running
from circle.archive.services.import_talk import Talk, bring_talk
from circle.archive.services.pinning import pin_post
from circle.archive.shelf_models import MAX_PINS
from circle.kernel import changes
from circle.kernel.changes import Change
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.media.services.attachments import detach
from circle.posts import events
from circle.posts.filing import ColumnItem, PostTag
from circle.posts.models import Kind, Post, PostStatus
from circle.posts.services.revisions import keep_revision
from circle.posts.services.tagging import require_tags

# What `_post_row` gives a post beside its id.
_WRITTEN = (
    "circle_id",
    "author_id",
    "kind",
    "status",
    "title",
    "body",
    "excerpt",
    "access_level",
    "access_tier_id",
    "published_at",
    "publish_at",
    "digest_at",
    "digest_by",
    "import_id",
    "import_key",
    "created_at",
)


_MEDIA = re.compile(r"/v1/media/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Verdict(StrEnum):
    CREATED = "created"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    SKIPPED = "skipped"  # the report tells why
    FAILED = "failed"  # so does it here


@dataclass(frozen=True, slots=True)
class Draft:
    """A file as it is to be: links rewritten, author known."""

    entry: Entry
    key: str
    post_id: UUID
    title: str
    body: str
    excerpt: str
    tags: tuple[str, ...]
    author_id: UUID
    kind: Kind
    status: PostStatus
    published_at: datetime
    is_digest: bool
    source_hash: bytes
    notes: tuple[Json, ...]
    answer: Said | None = None
    comments: tuple[Said, ...] = ()
    is_pinned: bool = False
    # Paths in the source, in the order in which the post shows them.
    files: tuple[str, ...] = ()

    @property
    def text_hash(self) -> bytes:
        return hashlib.sha256(f"{self.title}\n{self.body}".encode()).digest()


@dataclass(slots=True)
class Tally:
    """How many files came to what, and what is worth telling about some."""

    counts: Counter[str] = field(default_factory=Counter)
    report: list[Json] = field(default_factory=list)


class Written(NamedTuple):
    """Posts of one batch, by their ids."""

    new: set[UUID]
    changed: set[UUID]


# Called by a rehearsal with how many files there are, and what was found so far.
Keep = Callable[[int, Tally], None]


def nobody_keeps(_total: int, _tally: Tally) -> None:
    """What is found goes to the caller alone."""


class Judged(NamedTuple):
    draft: Draft
    verdict: Verdict
    # Why it is skipped.
    reason: str | None = None
    # This import itself has done it, before it was interrupted or gave way.
    is_done: bool = False


def judge(uow: UnitOfWork, running: Running, drafts: Sequence[Draft]) -> list[Judged]:
    """Compare files with what the last import made of them; nothing is written."""
    keys = literal([draft.key for draft in drafts], ARRAY(SqlText()))
    now_hash = func.sha256(func.convert_to(func.concat(Post.title, "\n", Post.body), "UTF8"))
    known = {
        row.import_key: row
        for row in uow.session.execute(
            select(
                ImportedFile.import_key,
                ImportedFile.source_hash,
                (now_hash == ImportedFile.text_hash).label("untouched"),
                (ImportedFile.import_id == running.id).label("is_done"),
                (Post.import_id == running.id).label("is_new"),
                Post.status,
            )
            .join(Post, Post.id == ImportedFile.post_id)
            .where(ImportedFile.circle_id == running.circle_id, ImportedFile.import_key == any_(keys))
        )
    }
    return [_judge(draft, known.get(draft.key)) for draft in drafts]


def _judge(draft: Draft, known: Any) -> Judged:
    if known is None:
        return Judged(draft, Verdict.CREATED)
    if known.is_done:
        return Judged(draft, Verdict.CREATED if known.is_new else Verdict.UPDATED, is_done=True)
    if known.source_hash == draft.source_hash:
        return Judged(draft, Verdict.UNCHANGED)
    if known.status == PostStatus.TRASHED:
        return Judged(draft, Verdict.SKIPPED, "in_trash")
    if not known.untouched:
        return Judged(draft, Verdict.SKIPPED, "edited_here")
    return Judged(draft, Verdict.UPDATED)


def take_over(uow: UnitOfWork, running: Running, shelves: Shelves, drafts: Sequence[Draft], tally: Tally) -> Written:
    """Write one batch, and count it; return which posts are new indeed, and which are others now."""
    judged = judge(uow, running, drafts)
    coming = [one for one in judged if not one.is_done]
    made = _create(uow, running, shelves, [one.draft for one in coming if one.verdict is Verdict.CREATED])
    changed = {one.draft.post_id for one in coming if one.verdict is Verdict.UPDATED}
    for draft, verdict, reason, is_done in judged:
        if is_done:
            pass
        elif verdict is Verdict.UPDATED:
            _update(uow, running, shelves, draft)
        elif verdict is Verdict.CREATED and draft.post_id not in made:
            verdict = Verdict.UNCHANGED  # noqa: PLW2901 - somebody else has just written it
        count(tally, draft, verdict, reason)
    _pin(uow, running, [one.draft for one in coming if one.draft.post_id in made], tally)
    return Written(made, changed)


def _pin(uow: UnitOfWork, running: Running, drafts: Sequence[Draft], tally: Tally) -> None:
    """Pin what was at the top where it comes from, as long as there is room."""
    for draft in drafts:
        if draft.is_pinned and draft.status is PostStatus.PUBLISHED:
            try:
                pin_post(uow, running.caller, draft.post_id, position=MAX_PINS)
            except TooManyPins:
                tally.report.append(note(draft.entry.path, "pins_full"))


def count(tally: Tally, draft: Draft, verdict: Verdict, reason: str | None) -> None:
    tally.counts[verdict] += 1
    if reason is not None:
        tally.report.append(note(draft.entry.path, reason))
    if verdict in {Verdict.CREATED, Verdict.UPDATED}:
        tally.report.extend(draft.notes)


def _create(uow: UnitOfWork, running: Running, shelves: Shelves, drafts: Sequence[Draft]) -> set[UUID]:
    """Insert posts with all that belongs to them; return the ids of those that are new indeed."""
    if not drafts:
        return set()
    inserting = _insert_or_revive().returning(Post.id)
    made = set(uow.session.scalars(inserting, [_post_row(uow, running, draft) for draft in drafts]))
    new = [draft for draft in drafts if draft.post_id in made]
    _file(uow, running, shelves, new)
    bring_talk(uow, running, [Talk(one.post_id, one.kind, one.author_id, one.answer, one.comments) for one in new])
    _remember(uow, running, new)
    shown = [draft.post_id for draft in new if draft.status is PostStatus.PUBLISHED]
    if shown:
        at = {"circle_id": running.circle_id, "kind": "post", "operation": "created", "changed_at": uow.now}
        uow.session.execute(insert(Change), [{**at, "item_id": post_id} for post_id in shown])
        uow.emit(PostsImported(running.circle_id, running.id, tuple(shown)))
    return made


def _insert_or_revive() -> Any:
    """Insert posts; one that an undone import left as a tombstone comes to life again under its old address."""
    inserting = upsert(Post)
    written = {name: inserting.excluded[name] for name in _WRITTEN}
    # Words of SQL and no parameters: those would make every row a statement of its own.
    emptied = dict.fromkeys(("trashed_at", "trashed_from", "trashed_by", "purged_at", "edited_at"), null())
    is_tombstone = and_(Post.purged_at.is_not(None), Post.import_key == inserting.excluded.import_key)
    return inserting.on_conflict_do_update(
        index_elements=[Post.id],
        set_={
            **written,
            **emptied,
            "comment_count": literal_column("0"),
            "reaction_counts": literal_column("'{}'::jsonb"),
            "version": Post.version + literal_column("1"),
        },
        where=is_tombstone,
    )


def _post_row(uow: UnitOfWork, running: Running, draft: Draft) -> dict[str, Any]:
    published = draft.status is PostStatus.PUBLISHED
    return {
        "id": draft.post_id,
        "circle_id": running.circle_id,
        "author_id": draft.author_id,
        "kind": draft.kind,
        "status": draft.status,
        "title": draft.title,
        "body": draft.body,
        "excerpt": draft.excerpt,
        "access_level": running.gate.level,
        "access_tier_id": running.gate.tier_id,
        "published_at": draft.published_at if published else None,
        "publish_at": draft.published_at if draft.status is PostStatus.SCHEDULED else None,
        "digest_at": uow.now if draft.is_digest and published else None,
        "digest_by": running.requested_by if draft.is_digest and published else None,
        "import_id": running.id,
        "import_key": draft.key,
        "created_at": uow.now,
    }


def _update(uow: UnitOfWork, running: Running, shelves: Shelves, draft: Draft) -> None:
    """Take over a file that has changed: its text as an edit with a revision, its tags and column besides those there.

    What was set in the circle meanwhile stays: gate, date, author, tags that the file does not have.
    """
    post = uow.session.get_one(Post, draft.post_id, with_for_update=True, populate_existing=True)
    if (post.title, post.body) != (draft.title, draft.body):
        keep_revision(uow, running.caller, post)
        detach(uow, [*_shown_in(post.body) - _shown_in(draft.body)], shown_by=post.id)
        post.title, post.body, post.edited_at = draft.title, draft.body, uow.now
    post.excerpt = draft.excerpt
    if draft.is_digest and post.digest_at is None and post.status == PostStatus.PUBLISHED:
        post.digest_at, post.digest_by = uow.now, running.requested_by
    uow.session.flush()
    _file(uow, running, shelves, [draft])
    # A talk that was an open question comes to its answer as to a comment.
    is_question = post.kind == Kind.QUESTION
    comments = draft.comments if is_question or draft.answer is None else (draft.answer, *draft.comments)
    bring_talk(uow, running, [Talk(post.id, post.kind, post.author_id, draft.answer, comments)])
    _remember(uow, running, [draft])
    if post.status == PostStatus.PUBLISHED:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
        uow.emit(events.PostEdited(post.circle_id, post.id, post.author_id, post.kind))
        uow.emit(PostsImported(running.circle_id, running.id, (post.id,)))


def _shown_in(body: str) -> set[UUID]:
    return {UUID(found) for found in _MEDIA.findall(body)}


def _file(uow: UnitOfWork, running: Running, shelves: Shelves, drafts: Sequence[Draft]) -> None:
    """File posts under their tags and in their columns, besides where they are."""
    paths = sorted({path for draft in drafts for path in draft.tags})
    if paths:
        ids = dict(zip(paths, require_tags(uow, running.circle_id, paths), strict=True))
        at = {"circle_id": running.circle_id, "created_at": uow.now}
        tagged = [{"post_id": draft.post_id, "tag_id": ids[path], **at} for draft in drafts for path in draft.tags]
        uow.session.execute(upsert(PostTag).on_conflict_do_nothing(), tagged)
    items = [
        {
            "column_id": shelf.column_id,
            "section_id": shelf.section_id,
            "post_id": draft.post_id,
            "position": BEHIND + draft.entry.order,
            "created_at": uow.now,
        }
        for draft in drafts
        if draft.entry.place is not None and (shelf := shelves.get(draft.entry.place)) is not None
    ]
    if items:
        uow.session.execute(upsert(ColumnItem).on_conflict_do_nothing(), items)


def _remember(uow: UnitOfWork, running: Running, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    remembering = upsert(ImportedFile)
    told = ("import_id", "source_hash", "text_hash", "imported_at")
    uow.session.execute(
        remembering.on_conflict_do_update(
            index_elements=["circle_id", "import_key"], set_={name: remembering.excluded[name] for name in told}
        ),
        [
            {
                "circle_id": running.circle_id,
                "import_key": draft.key,
                "post_id": draft.post_id,
                "import_id": running.id,
                "source_hash": draft.source_hash,
                "text_hash": draft.text_hash,
                "imported_at": uow.now,
            }
            for draft in drafts
        ],
    )
