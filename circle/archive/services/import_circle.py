"""A creator's export comes into an empty circle, table by table: killed at any point, it goes on where it was.

Ids follow from the circle and from the old ids, so that a second run finds what the first one wrote, and a row can
point at nothing outside the circle. People come as accounts that nobody can log in to; money that moved elsewhere
stays a record. Every row must keep the database's constraints: one that breaks them is told and left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InternalError

from circle.accounts.models import User
from circle.archive.events import PostsImported
from circle.archive.exporting.tables import Kept
from circle.archive.exporting.whole import as_line
from circle.archive.importing.circles import LIVING, RECORDS, BadRow, CircleArchive, Ids, Line, translate, uuid_of
from circle.archive.importing.faults import ArchiveRefused
from circle.archive.importing.survey import Progress, nobody_watches
from circle.archive.models import ImportedRecord
from circle.archive.services.import_batches import Keep, Tally, Verdict
from circle.archive.services.import_files import bring_files
from circle.archive.services.import_requests import Running, finish, note_progress
from circle.checkins.entry_models import Certificate
from circle.circles.models import Circle, CircleCounter
from circle.homework.models import Assignment
from circle.kernel.changes import Change
from circle.kernel.ids import code_from
from circle.kernel.uow import UnitOfWork, Units
from circle.media.models import Media
from circle.media.services import quotas
from circle.media.services.settling import PROCESS
from circle.memberships.models import Membership, Role
from circle.posts.filing import Column, Tag
from circle.posts.models import Comment, Post, PostStatus, Question, QuestionStatus

_BATCH = 200
# Of the circle's and of its owner's row: what stays as it is here.
_STAYS = frozenset({"id", "slug", "circle_id", "owner_id", "user_id", "role", "status", "version", "review_at"})
# What clients mirror, by the names in the change log.
_SYNCED = {Post: "post", Tag: "tag", Column: "column", Comment: "comment", Assignment: "assignment"}
# Of those that have a state, only what members see.
_SEEN = PostStatus.PUBLISHED
_BROKEN = (IntegrityError, DataError, InternalError)
# Tables whose ids stand in texts.
_NAMED = frozenset({Post, Media, User})


@dataclass(slots=True)
class _Work:
    """An import under way."""

    units: Units
    running: Running
    archive: CircleArchive
    ids: Ids
    tally: Tally
    total: int
    progress: Progress

    def fail(self, kept: Kept, number: int, problem: str) -> None:
        self.tally.counts[Verdict.FAILED] += 1
        line = {"path": kept.file, "line": number, "code": "bad_row", "data": {"problem": problem[:200]}}
        self.tally.report.append(line)

    def note(self, uow: UnitOfWork) -> None:
        """Show how far it is and hold on to it. Errors: LeaseLost."""
        counts, report = self.tally.counts, self.tally.report
        note_progress(uow, self.running, total=self.total, counts=counts, report=report)


def import_circle(units: Units, running: Running, archive: CircleArchive, progress: Progress = nobody_watches) -> Tally:
    """Take an export over into its circle; return what came of its rows. Errors: LeaseLost, ArchiveRefused."""
    work = _survey(units, running, archive, progress)
    with units.write() as uow:
        work.note(uow)
    done = 0
    for kept in (*LIVING, *RECORDS):
        for lines in _batches(work, kept):
            _write(work, kept, lines)
            done += len(lines)
            progress("writing", done, work.total)
    with units.write() as uow:
        _settle(uow, work)
        finish(uow, work.running)
    return work.tally


def rehearse_circle(units: Units, running: Running, archive: CircleArchive, progress: Progress, keep: Keep) -> Tally:
    """Return what would come in, as far as reading tells; nothing of it is written. Errors: those of `keep`."""
    work = _survey(units, running, archive, progress)
    for kept in (*LIVING, *RECORDS):
        for lines in _batches(work, kept):
            work.tally.counts[Verdict.CREATED] += len(lines)
            keep(work.total, work.tally)
    return work.tally


def _survey(units: Units, running: Running, archive: CircleArchive, progress: Progress) -> _Work:
    """Count the rows, and learn which ids may stand in texts and which have a place already."""
    ids, total = Ids(running.circle_id), 0
    owner_id = owner_membership = None
    for kept in (*LIVING, *RECORDS):
        for _number, row in archive.rows(kept):
            total += 1
            if kept.model in _NAMED and row is not None and (known := uuid_of(row, "id")):
                ids.known.add(known)
            if kept.model is Membership and row is not None and row.get("role") == Role.OWNER:
                owner_id, owner_membership = uuid_of(row, "user_id"), uuid_of(row, "id")
        progress("reading", total, total)
    if owner_id is None or owner_membership is None:
        raise ArchiveRefused.because_of("导出中没有星主。", "The export has no owner.")
    with units.read() as uow:
        mine = select(Membership.id, Membership.user_id).where(
            Membership.circle_id == running.circle_id, Membership.role == Role.OWNER
        )
        owner = uow.session.execute(mine).one()
    ids.fixed = {UUID(archive.about["id"]): running.circle_id, owner_id: owner.user_id, owner_membership: owner.id}
    work = _Work(units, running, archive, ids, Tally(), total, progress)
    for path in archive.unknown:
        work.tally.report.append({"path": path, "line": None, "code": "unknown_file", "data": {}})
    return work


def _batches(work: _Work, kept: Kept) -> Iterator[list[Line]]:
    lines = _translated(work, kept)
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _translated(work: _Work, kept: Kept) -> Iterator[Line]:
    for number, row in work.archive.rows(kept):
        if row is None:
            work.fail(kept, number, "no JSON object")
            continue
        try:
            yield Line(number, translate(kept, row, work.ids), uuid_of(row, "id"))
        except BadRow as bad:
            work.fail(kept, number, str(bad))


def _write(work: _Work, kept: Kept, lines: Sequence[Line]) -> None:
    """Write a batch, and count it; files go to the storage before their rows are written."""
    if kept.model is Media:
        lines = bring_files(work.units, work.archive, kept, lines, work.fail)
    with work.units.write() as uow:
        if kept.is_record:
            made = _keep_records(uow, work, kept, lines)
        else:
            coming = [one for line in lines if (one := _as_it_comes_in(uow, work, kept, line)) is not None]
            made = _insert(uow, work, kept, coming)
            _announce(uow, work, kept, made)
        work.tally.counts[Verdict.CREATED] += len(made)
        work.note(uow)


def _as_it_comes_in(uow: UnitOfWork, work: _Work, kept: Kept, line: Line) -> Line | None:
    """Return a row with what only this installation knows; None for one that has its place already."""
    values = line.values
    if kept.model is Circle:
        _set_up(uow, work, kept, line)
        return None
    if values.get("id") in work.ids.fixed.values():
        if kept.model is Membership:
            _welcome_owner(uow, values)
        return None
    more: dict[str, Any] = {}
    if kept.model is Post:
        more = {"import_id": work.running.id}
    elif kept.model is Question and values.get("status") == QuestionStatus.OPEN:
        # What was paid for it was paid elsewhere: nobody here could give it back.
        more = {"due_at": None}
    elif kept.model is Certificate:
        more = {"code": _free_code(uow, values), "due_at": uow.now}
    elif kept.model is Media:
        more = {"circle_id": work.running.circle_id, "counted": values["size"]}
        uow.ring(PROCESS)
    return line._replace(values={**values, **more})


def _free_code(uow: UnitOfWork, values: dict[str, Any]) -> Any:
    """Return a certificate's code, or another where one of this installation has it."""
    code, own_id = values.get("code"), values.get("id")
    taken = select(Certificate.id).where(Certificate.code == code, Certificate.id != own_id)
    if code is None or own_id is None or uow.session.scalar(taken) is None:
        return code
    return code_from(sha256(code.encode() + own_id.bytes).digest(), len(code))


def _set_up(uow: UnitOfWork, work: _Work, kept: Kept, line: Line) -> None:
    circle_id = work.running.circle_id
    settings = {name: value for name, value in line.values.items() if name not in _STAYS}
    try:
        with uow.session.begin_nested():
            uow.session.execute(update(Circle).where(Circle.id == circle_id).values(settings))
    except _BROKEN as error:
        work.fail(kept, line.number, _problem(error))
    at = {"circle_id": circle_id, "kind": "circle", "item_id": circle_id, "operation": "updated"}
    uow.session.execute(insert(Change).values(**at, changed_at=uow.now))


def _problem(error: DBAPIError) -> str:
    return getattr(getattr(error.orig, "diag", None), "message_primary", None) or type(error).__name__


def _welcome_owner(uow: UnitOfWork, values: dict[str, Any]) -> None:
    owner = {name: value for name, value in values.items() if name not in _STAYS}
    uow.session.execute(update(Membership).where(Membership.id == values["id"]).values(owner))


def _insert(uow: UnitOfWork, work: _Work, kept: Kept, lines: Sequence[Line]) -> list[Line]:
    """Insert what is not there yet; return it. What breaks a constraint is told, and keeps nothing else out."""
    made: list[Line] = []
    by_columns: dict[frozenset[str], list[Line]] = {}
    for line in lines:
        by_columns.setdefault(frozenset(line.values), []).append(line)
    for alike in by_columns.values():
        try:
            made += _insert_once(uow, kept, alike)
        except _BROKEN:
            made += _insert_one_by_one(uow, work, kept, alike)
    return made


def _insert_one_by_one(uow: UnitOfWork, work: _Work, kept: Kept, lines: Sequence[Line]) -> list[Line]:
    made: list[Line] = []
    for line in lines:
        try:
            made += _insert_once(uow, kept, [line])
        except _BROKEN as error:
            work.fail(kept, line.number, _problem(error))
    return made


def _insert_once(uow: UnitOfWork, kept: Kept, lines: Sequence[Line]) -> list[Line]:
    key = list(kept.table.primary_key)
    # On the key alone: a row that another constraint keeps out is told, and not taken for one that is here already.
    inserting = upsert(kept.table).on_conflict_do_nothing(index_elements=key).returning(*key)
    with uow.session.begin_nested():
        new = {tuple(row) for row in uow.session.execute(inserting, [line.values for line in lines])}
    return [line for line in lines if tuple(line.values.get(column.name) for column in key) in new]


def _announce(uow: UnitOfWork, work: _Work, kept: Kept, made: Sequence[Line]) -> None:
    """Tell the rest of the product what is here now; members are not told one by one."""
    if kept.model is Media:
        uow.tally(quotas.settle, work.running.circle_id, sum(line.values["counted"] for line in made))
    kind = _SYNCED.get(kept.model)
    ids = [line.values["id"] for line in made if line.values.get("status", _SEEN) == _SEEN] if kind else []
    if not ids:
        return
    at = {"circle_id": work.running.circle_id, "kind": kind, "operation": "created", "changed_at": uow.now}
    uow.session.execute(insert(Change), [{**at, "item_id": item_id} for item_id in ids])
    if kept.model is Post:
        uow.emit(PostsImported(work.running.circle_id, work.running.id, tuple(ids)))


def _keep_records(uow: UnitOfWork, work: _Work, kept: Kept, lines: Sequence[Line]) -> list[Line]:
    """Keep rows of the books as they are, under the ids of this circle."""
    at = {"circle_id": work.running.circle_id, "file": kept.file, "import_id": work.running.id}
    rows = [{**at, "number": line.number, "row": orjson.loads(as_line(line.values))} for line in lines]
    if rows:
        uow.session.execute(upsert(ImportedRecord).on_conflict_do_nothing(), rows)
    return list(lines)


def _settle(uow: UnitOfWork, work: _Work) -> None:
    """Have the next member get the next number."""
    circle_id = work.running.circle_id
    last = select(func.coalesce(func.max(Membership.number), 0)).where(Membership.circle_id == circle_id)
    uow.session.execute(
        update(CircleCounter)
        .where(CircleCounter.circle_id == circle_id)
        .values(members_numbered=last.scalar_subquery())
        .execution_options(synchronize_session=False)
    )
    records = sum(1 for kept in RECORDS for _row in work.archive.rows(kept))
    if records:
        at = {"path": "data/invoices.jsonl", "line": None, "code": "not_live", "data": {"count": records}}
        work.tally.report.append(at)
        work.note(uow)
