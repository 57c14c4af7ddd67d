"""Asking for an export, taking it up, and ending it: everything about its row but the file."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from circle.archive.errors import ExportRunning
from circle.archive.export_models import FORMATS, STATUS, Export, ExportFormat, ExportScope, ExportStatus
from circle.archive.exporting.building import Wanted
from circle.archive.policy import require_exporter
from circle.archive.services.turns import OPEN_EXPORT, choose_alone
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.services.objects import add_object

# By the line: of the short, of the long.
BUILD_JOBS = {False: "exports.build", True: "hauls.build_export"}
# Who works on an export renews this with every page of posts; longer than the largest file takes to be copied.
LEASE = timedelta(minutes=10)
# How long the file can be had.
KEEP_FILE = timedelta(days=7)
# How long it is told that there was one.
KEEP_ROW = timedelta(days=90)
MAX_ATTEMPTS = 5
_FORGET_BATCH = 1_000
_RUNNING = str(ExportStatus.RUNNING)

BROKEN = Text("导出因内部错误中止，请重新导出。", "An internal error ended it; ask for it again.")


class ExportLeaseLost(RuntimeError):
    """Another worker has taken the export over: this one must write nothing more."""


def request_export(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, scope: str, format: str) -> Export:  # noqa: A002 - the API's word
    """Note an export for a worker to build. Errors: those of `require_exporter`, Invalid (format), ExportRunning."""
    require_exporter(uow, caller, circle_id, scope)
    if ExportFormat(format) not in FORMATS[ExportScope(scope)]:
        zh, en = "这种范围不能导出为此格式。", "This scope does not come in this format."
        raise Invalid.field("format", "unknown_format", zh, en)
    opened = select(Export.id).where(
        Export.circle_id == circle_id, Export.requested_by == caller.user_id, Export.finished_at.is_(None)
    )
    if uow.session.scalar(opened) is not None:
        raise ExportRunning
    wanted = Export(
        id=new_id(),
        circle_id=circle_id,
        requested_by=caller.user_id,
        scope=scope,
        format=format,
        status=ExportStatus.QUEUED,
        leased_until=uow.now,
        created_at=uow.now,
    )
    uow.session.add(wanted)
    uow.session.flush()
    if scope == ExportScope.CIRCLE:
        audit.record(uow, caller, "export.request", circle_id=circle_id, subject_kind="export", subject_id=wanted.id)
    uow.ring(BUILD_JOBS[False])
    return wanted


def find_due(uow: UnitOfWork, *, is_long: bool) -> Export | None:
    """Return one of a line that nobody works on, locked until the commit.

    Of the circles that wait and have none at work, the one whose last turn is longest ago has the next.
    """
    choose_alone(uow)
    other = aliased(Export)
    at_work = exists().where(
        other.circle_id == Export.circle_id,
        other.is_long == is_long,
        other.status == _RUNNING,
        other.turn_at.is_not(None),
    )
    last = select(func.max(other.turn_at)).where(other.circle_id == Export.circle_id).scalar_subquery()
    due = (
        select(Export)
        .where(
            OPEN_EXPORT,
            Export.is_long == is_long,
            Export.leased_until <= uow.now,
            # What has its circle's turn and no worker any more goes on.
            or_(and_(Export.status == _RUNNING, Export.turn_at.is_not(None)), ~at_work),
        )
        .order_by(last.nulls_first(), Export.leased_until)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return uow.session.scalar(due)


def take_up(uow: UnitOfWork, found: Export) -> Wanted:
    """Begin a locked export anew, whatever an earlier attempt had written. Errors: those of `require_exporter`."""
    caller = Caller(user_id=found.requested_by)
    require_exporter(uow, caller, found.circle_id, found.scope)
    found.status = STATUS.require(ExportStatus(found.status), ExportStatus.RUNNING)
    found.started_at = found.started_at or uow.now
    found.attempts += 1
    found.turn_at = uow.now
    found.done, found.total = 0, None
    found.leased_until = uow.now + LEASE
    return Wanted(found.id, found.circle_id, found.requested_by, found.scope, found.format, found.created_at)


def note_progress(uow: UnitOfWork, export_id: UUID, attempt: int, *, done: int, total: int) -> None:
    """Show how far it is and hold on to it. Errors: ExportLeaseLost."""
    _write(uow, export_id, attempt, done=done, total=total, leased_until=uow.now + LEASE)


def finish(uow: UnitOfWork, export: Export, *, ending: str, content_type: str, size: int, sha256: bytes) -> None:
    """Let the finished file be had for a while. Errors: ExportLeaseLost."""
    expires_at: datetime = uow.now + KEEP_FILE
    media = add_object(
        uow,
        owner_id=export.requested_by,
        purpose=Purpose.EXPORT,
        key=export.object_key(),
        filename=f"{export.scope}-{export.created_at:%Y%m%d}.{ending}",
        content_type=content_type,
        size=size,
        sha256=sha256,
        expires_at=expires_at,
    )
    ready: dict[str, Any] = {"media_id": media.id, "size": size, "expires_at": expires_at}
    over: dict[str, Any] = {"status": ExportStatus.READY, "finished_at": uow.now, "leased_until": None}
    _write(uow, export.id, export.attempts, done=Export.total, **ready, **over)


def _write(uow: UnitOfWork, export_id: UUID, attempt: int, **values: Any) -> None:
    """Write to the row if it is still this attempt's: the number of the attempt is the proof."""
    held = uow.session.execute(
        update(Export)
        .where(Export.id == export_id, Export.status == ExportStatus.RUNNING, Export.attempts == attempt)
        .values(**values)
        .returning(Export.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if held is None:
        raise ExportLeaseLost


def refuse(uow: UnitOfWork, export_id: UUID, attempt: int, reason: Text) -> None:
    """End an export that can't be made, or whose requester may not have it any more."""
    found = uow.session.get_one(Export, export_id, with_for_update=True, populate_existing=True)
    if found.attempts != attempt or found.finished_at is not None:
        return
    found.status = STATUS.require(ExportStatus(found.status), ExportStatus.FAILED)
    found.refusal = reason._asdict()
    found.finished_at = uow.now
    found.leased_until = None


def give_back(uow: UnitOfWork, export_id: UUID, attempt: int, *, after: timedelta) -> None:
    """Give a running export back, to be begun anew later; others of its circle go before. Errors: ExportLeaseLost."""
    _write(uow, export_id, attempt, status=ExportStatus.QUEUED, leased_until=uow.now + after)


def give_way(uow: UnitOfWork, export_id: UUID, attempt: int) -> None:
    """Go to the end of the line of the long, to be begun anew there. Errors: ExportLeaseLost."""
    _write(uow, export_id, attempt, status=ExportStatus.QUEUED, is_long=True, leased_until=uow.now)
    uow.ring(BUILD_JOBS[True])


def forget_old(uow: UnitOfWork) -> int:
    """Forget exports whose files are long gone; return how many."""
    old = (
        select(Export.id)
        .where(Export.finished_at <= uow.now - KEEP_ROW)
        .order_by(Export.finished_at)
        .limit(_FORGET_BATCH)
    )
    ids = uow.session.scalars(old).all()
    uow.session.execute(delete(Export).where(Export.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)
