"""Taking an import out again as a whole: what nobody has touched since goes, the rest stays and is told.

A post goes as from the trash after its 30 days: the row stays as a tombstone without a word in it, so that clients and
the search index hear of it as of any other. Importing the same again brings it back under its old address.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from circle.archive.errors import ImportRunning
from circle.archive.export_models import ExportScope
from circle.archive.importing.document import ANSWER
from circle.archive.importing.survey import note
from circle.archive.models import STATUS, Import, ImportedFile, ImportFormat, ImportStatus
from circle.archive.policy import require_exporter, require_import
from circle.archive.services.import_circle_undoing import clear, forget_what_was_said, put_out_of_sight
from circle.archive.services.import_requests import LEASE, MAX_REPORT, RUN_JOBS, LeaseLost
from circle.archive.services.import_talk import derived_id
from circle.archive.services.turns import TimeIsUp, Watch
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.state import WrongState
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork, Units
from circle.media.services.attachments import detach_from
from circle.posts import events
from circle.posts.filing import Column, ColumnItem, ColumnSection, PostTag, Tag
from circle.posts.models import Answer, Comment, CommentStatus, Post, PostRevision, PostStatus, Reaction
from circle.posts.services.publishing import move, withdraw
from circle.posts.services.tagging import reorder_tags_alone

# Posts of one transaction.
BATCH = 100
_FIRST_ID = UUID(int=0)
_REHEARSED = Text("这只是一次预演，什么都没有导入。", "It was a rehearsal: nothing came in.")


@dataclass(slots=True)
class Taken:
    """An undoing that was taken up, outside any transaction. `lease` is the proof that it is still this worker's."""

    id: UUID
    is_circle: bool
    lease: datetime
    counts: dict[str, int]
    report: list[Json]


def request_undo(uow: UnitOfWork, caller: Caller, import_id: UUID) -> Import:
    """Have a worker take an ended import out again; asking twice changes nothing.

    Errors: NotFound, MissingPermission, WrongState while it runs, CircleInUse, ImportRunning (another one).
    """
    found = require_import(uow, caller, import_id)
    uow.session.refresh(found, with_for_update=True)
    if found.status in {ImportStatus.UNDOING, ImportStatus.UNDONE}:
        return found
    if found.is_rehearsal:
        raise WrongState(state=found.status).because(_REHEARSED)
    is_circle = found.format == ImportFormat.CIRCLE
    if is_circle:
        require_exporter(uow, caller, found.circle_id, ExportScope.CIRCLE)
    found.status = STATUS.require(ImportStatus(found.status), ImportStatus.UNDOING)
    open_one = select(Import.id).where(
        Import.circle_id == found.circle_id, Import.finished_at.is_(None), Import.id != found.id
    )
    if uow.session.scalar(open_one) is not None:
        raise ImportRunning
    if is_circle:
        put_out_of_sight(uow, found)
    found.leased_until = uow.now
    audit.record(uow, caller, "import.undo", circle_id=found.circle_id, subject_kind="import", subject_id=found.id)
    uow.ring(RUN_JOBS[found.is_long])
    return found


def take_out(units: Units, taken: Taken, watch: Watch) -> None:
    """Take out an import that was taken up, to its end or until it gives way."""
    # Whoever has taken it over ends it.
    with suppress(LeaseLost):
        after: UUID | None = _FIRST_ID
        try:
            while after is not None:
                with units.write() as uow:
                    after = _take_out(uow, taken, after)
                watch.look()
        except TimeIsUp:
            with units.write() as uow:
                _give_way(uow, taken)
            return
        with units.write() as uow:
            _finish(uow, taken)


def take_up_undoing(uow: UnitOfWork, found: Import) -> Taken:
    """Begin to take out a locked import, or go on."""
    lease = found.leased_until = uow.now + LEASE
    # A killed run counted what it took out; what it kept is judged again.
    counts = {name: number for name, number in found.counts.items() if name != "kept"}
    report = [one for one in found.report if one["code"] != "changed_since"]
    return Taken(found.id, found.format == ImportFormat.CIRCLE, lease, counts, report)


def _give_way(uow: UnitOfWork, taken: Taken) -> None:
    """Go to the end of the line of the long. Errors: LeaseLost."""
    _hold(uow, taken, is_long=True)
    uow.session.get_one(Import, taken.id, populate_existing=True).leased_until = uow.now
    uow.ring(RUN_JOBS[True])


def _hold(uow: UnitOfWork, taken: Taken, **values: Any) -> None:
    """Write to the row, which nobody else does from here to the commit. Errors: LeaseLost."""
    # Two batches within one tick of the clock: the proof must change nevertheless.
    lease = max(uow.now + LEASE, taken.lease + timedelta(microseconds=1))
    mine = (Import.id == taken.id, Import.status == ImportStatus.UNDOING, Import.leased_until == taken.lease)
    held = update(Import).where(*mine).values(leased_until=lease, **values).returning(Import.id)
    if uow.session.scalar(held.execution_options(synchronize_session=False)) is None:
        raise LeaseLost
    taken.lease = lease


def _take_out(uow: UnitOfWork, taken: Taken, after: UUID) -> UUID | None:
    """Take out a batch of posts; return the last one looked at, None at the end."""
    _hold(uow, taken)
    ids = _lock_some(uow, taken, after)
    if taken.is_circle:
        forget_what_was_said(uow, ids)
    going, kept = _judge(uow, taken, ids)
    _empty(uow, going)
    _count(taken.counts, "removed", len(going))
    _count(taken.counts, "kept", len(kept))
    taken.report.extend(note(key, "changed_since") for key in kept)
    _hold(uow, taken, counts=taken.counts, report=taken.report[:MAX_REPORT])
    return ids[-1] if len(ids) == BATCH else None


def _judge(uow: UnitOfWork, taken: Taken, ids: Sequence[UUID]) -> tuple[list[Post], list[str]]:
    """Return which of these posts go, and the keys of those that somebody has touched since."""
    if taken.is_circle:
        return list(uow.session.scalars(select(Post).where(Post.id.in_(ids)))), []
    # A statement of its own: what was said and edited while this one waited for the locks counts.
    rows = uow.session.execute(
        select(Post, ImportedFile.import_key, Answer, _touched(taken.id).label("touched"))
        .join(ImportedFile, ImportedFile.post_id == Post.id)
        .outerjoin(Answer, Answer.post_id == Post.id)
        .where(Post.id.in_(ids))
        .order_by(Post.id)
    ).all()
    kept = [row for row in rows if row.touched or _is_answered_here(row.Post.id, row.Answer)]
    kept_ids = {row.Post.id for row in kept}
    return [row.Post for row in rows if row.Post.id not in kept_ids], [row.import_key for row in kept]


def _lock_some(uow: UnitOfWork, taken: Taken, after: UUID) -> Sequence[UUID]:
    """Have the next posts and their answers to oneself until the commit: nobody edits them, or says more about them."""
    mine = select(Post.id).where(Post.import_id == taken.id, Post.purged_at.is_(None), Post.id > after)
    ids = uow.session.scalars(mine.order_by(Post.id).limit(BATCH).with_for_update()).all()
    uow.session.execute(select(Answer.id).where(Answer.post_id.in_(ids)).order_by(Answer.id).with_for_update())
    return ids


def _count(counts: dict[str, int], name: str, number: int) -> None:
    if number:
        counts[name] = counts.get(name, 0) + number


def _touched(import_id: UUID) -> ColumnElement[bool]:
    """Tell in SQL whether somebody has edited the post since, or said something about it."""
    now_hash = func.sha256(func.convert_to(func.concat(Post.title, "\n", Post.body), "UTF8"))
    comment = exists().where(
        Comment.post_id == Post.id,
        Comment.import_id.is_distinct_from(import_id),
        Comment.status != CommentStatus.TRASHED,
    )
    reaction = exists().where(Reaction.post_id == Post.id)
    # An answer that came with the import has never been edited, and its author has not written another.
    return or_(now_hash != ImportedFile.text_hash, comment, reaction)


def _is_answered_here(post_id: UUID, answer: Answer | None) -> bool:
    """Whether the question has an answer that did not come with it, or not with these words."""
    return answer is not None and (answer.edited_at is not None or answer.id != derived_id(post_id, ANSWER))


def _empty(uow: UnitOfWork, posts: Sequence[Post]) -> None:
    """Leave nothing of these posts but tombstones."""
    ids = [post.id for post in posts]
    if not ids:
        return
    trashed = []
    for post in posts:
        was = PostStatus(post.status)
        withdraw(uow, post)
        move(post, PostStatus.TRASHED)
        post.trashed_from, post.trashed_at, post.purged_at = was, post.trashed_at or uow.now, uow.now
        post.title = post.body = post.excerpt = ""
        post.attachments = []
        post.digest_at = post.digest_by = post.publish_at = None
        trashed.append((post, was == PostStatus.PUBLISHED))
    for table in (PostRevision.post_id, PostTag.post_id, ColumnItem.post_id, ImportedFile.post_id, Answer.post_id):
        uow.session.execute(delete(table.class_).where(table.in_(ids)).execution_options(synchronize_session=False))
    uow.session.execute(
        delete(Comment)
        .where(Comment.post_id.in_(ids), Comment.import_id.is_not(None), Comment.parent_id.is_(None))
        .execution_options(synchronize_session=False)
    )
    detach_from(uow, ids)
    uow.session.flush()
    for post, was_published in trashed:
        about = (post.circle_id, post.id, post.author_id, post.kind)
        uow.emit(events.PostTrashed(*about, trashed_by=post.author_id, was_published=was_published))
        uow.emit(events.PostPurged(*about))


def _finish(uow: UnitOfWork, taken: Taken) -> None:
    """Take out columns and tags that the import made and that hold nothing now, and end it."""
    _hold(uow, taken)
    found = uow.session.get_one(Import, taken.id, with_for_update=True, populate_existing=True)
    if taken.is_circle:
        clear(uow, found)
    else:
        _remove_empty_shelves(uow, found)
    found.status = STATUS.require(ImportStatus(found.status), ImportStatus.UNDONE)
    found.leased_until = None


def _remove_empty_shelves(uow: UnitOfWork, found: Import) -> None:
    began, ended = found.started_at or found.created_at, found.finished_at or uow.now
    empty = (
        Column.circle_id == found.circle_id,
        Column.import_key.is_not(None),
        Column.created_at.between(began, ended),
        ~exists().where(ColumnItem.column_id == Column.id),
    )
    columns = uow.session.scalars(select(Column.id).where(*empty)).all()
    uow.session.execute(delete(ColumnSection).where(ColumnSection.column_id.in_(columns)))
    uow.session.execute(delete(Column).where(Column.id.in_(columns)))
    for column_id in columns:
        changes.record(uow, circle_id=found.circle_id, kind="column", item_id=column_id, operation="deleted")
    _remove_empty_tags(uow, found, began, ended)


def _remove_empty_tags(uow: UnitOfWork, found: Import, began: object, ended: object) -> None:
    """Take out tags of the import's time that no post has, from the leaves up."""
    reorder_tags_alone(uow, found.circle_id)
    child = select(Tag.parent_id).where(Tag.circle_id == found.circle_id, Tag.parent_id.is_not(None))
    while True:
        bare = delete(Tag).where(
            Tag.circle_id == found.circle_id,
            Tag.created_at.between(began, ended),
            ~exists().where(PostTag.tag_id == Tag.id),
            Tag.id.not_in(child),
        )
        gone = uow.session.scalars(bare.returning(Tag.id).execution_options(synchronize_session=False)).all()
        for tag_id in gone:
            changes.record(uow, circle_id=found.circle_id, kind="tag", item_id=tag_id, operation="deleted")
        if not gone:
            return
