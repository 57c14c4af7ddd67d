"""Asking for an import, taking it up, and ending it: everything about its row but the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, update

from circle.accounts.models import Identity, IdentityKind, User
from circle.archive.errors import ImportRunning
from circle.archive.importing.document import Limits
from circle.archive.models import STATUS, Import, ImportFormat, ImportStatus
from circle.archive.policy import require_empty_circle
from circle.archive.services.import_quotas import require_bytes_left, require_posts_left
from circle.archive.services.turns import LARGE_BYTES
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.services.attachments import Limits as MediaLimits
from circle.media.services.attachments import attach
from circle.memberships.models import Membership, Status
from circle.memberships.permissions import TABLE, Permission
from circle.memberships.policy import Standing, require_open_circle, require_permission
from circle.posts.models import Kind
from circle.posts.services.composing import Gate, read_gate

_ONE_FILE = MediaLimits(images=0, files=1)
# By the line: of the short, of the long.
RUN_JOBS = {False: "imports.run", True: "hauls.run_import"}
# Who works on an import renews this with every batch; longer than the longest look through an archive.
LEASE = timedelta(minutes=10)
# What `PostIn` lets a client send.
MAX_TITLE, MAX_EXCERPT = 200, 1_000
MAX_REPORT = 1_000

ABANDONED = Text("导入中断，已写入的内容保留。", "It was interrupted; what it had written stays.")


class LeaseLost(RuntimeError):
    """Another worker has taken the import over: this one must write nothing more."""


@dataclass(slots=True)
class Running:
    """A taken-up import, outside any transaction. `lease` is the proof that it is still this worker's; it moves on."""

    id: UUID
    circle_id: UUID
    requested_by: UUID
    media_id: UUID | None
    lease: datetime
    created_at: datetime
    kind: Kind
    gate: Gate
    author_id: UUID
    key_prefix: str
    site: str
    zone: ZoneInfo
    limits: Limits
    format: ImportFormat
    is_rehearsal: bool
    # Staff and guests by their address or name in lower case: whom front matter may name as authors.
    authors: Mapping[str, UUID]

    @property
    def caller(self) -> Caller:
        return Caller(user_id=self.requested_by)


def request_import(uow: UnitOfWork, caller: Caller, circle_id: UUID, **wanted: Any) -> Import:
    """Note an import; with an upload, a worker takes it up, else whoever called.

    Errors: those of `plan_import`, ImportRunning, Invalid (upload), ImportsUsedUp.
    """
    planned = plan_import(uow, caller, circle_id, **wanted)
    _give_up_abandoned(uow, circle_id)
    is_open = or_(Import.finished_at.is_(None), Import.status == ImportStatus.UNDOING)
    opened = select(Import.id).where(Import.circle_id == circle_id, is_open)
    if uow.session.scalar(opened) is not None:
        raise ImportRunning
    uow.session.add(planned)
    uow.session.flush()
    audit.record(uow, caller, "import.request", circle_id=circle_id, subject_kind="import", subject_id=planned.id)
    if planned.media_id is not None:
        [archive] = attach(
            uow, caller, [planned.media_id], purpose=Purpose.IMPORT, to=planned.id, limits=_ONE_FILE, field="media_id"
        )
        planned.size = archive.size
        planned.is_long = archive.size > LARGE_BYTES or planned.format == ImportFormat.CIRCLE
        require_bytes_left(uow, planned)
        uow.ring(RUN_JOBS[planned.is_long])
    return planned


def plan_import(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    format: str = ImportFormat.MARKDOWN,  # noqa: A002 - the API's word
    media_id: UUID | None = None,
    kind: str = Kind.ARTICLE,
    access: Mapping[str, Any] | None = None,
    author_id: UUID | None = None,
    source: str = "",
    site: str = "",
    dry_run: bool = False,
) -> Import:
    """Return an import that may be made, not yet stored.

    Errors: MissingPermission, CircleClosed, Invalid (tier, author).
    """
    standing = _require_importer(uow, caller, circle_id)
    if format == ImportFormat.CIRCLE:
        require_empty_circle(uow, standing)
    gate = read_gate(uow, standing, access, Gate())
    if author_id is not None and author_id not in set(_authors(uow, circle_id).values()):
        zh, en = "作者须是星球的管理人员或嘉宾。", "The author must be staff or a guest of the circle."
        raise Invalid.field("author_id", "unknown_author", zh, en)
    options = {
        "kind": kind,
        "access": {"level": gate.level, "tier_id": str(gate.tier_id) if gate.tier_id else None},
        "author_id": str(author_id or caller.user_id),
        "source": source,
        "site": site,
        "dry_run": dry_run,
    }
    return Import(
        id=new_id(),
        circle_id=circle_id,
        requested_by=caller.user_id,
        format=format,
        status=ImportStatus.QUEUED,
        media_id=media_id,
        options=options,
        leased_until=uow.now,
        created_at=uow.now,
    )


def _require_importer(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Standing:
    standing = require_permission(uow, caller, circle_id, Permission.IMPORT_EXPORT)
    require_open_circle(standing)
    return standing


def _give_up_abandoned(uow: UnitOfWork, circle_id: UUID) -> None:
    """End imports of a command line that was killed: nobody else has its files."""
    uow.session.execute(
        update(Import)
        .where(
            Import.circle_id == circle_id,
            Import.finished_at.is_(None),
            Import.media_id.is_(None),
            Import.leased_until < uow.now,
        )
        .values(status=ImportStatus.FAILED, finished_at=uow.now, refusal=ABANDONED._asdict())
        .execution_options(synchronize_session=False)
    )


def take_up(uow: UnitOfWork, import_id: UUID) -> Running:
    """Begin an import, or go on with one whose worker is gone; its requester must still be allowed to import.

    Errors: MissingPermission and the like, CircleClosed, WrongState.
    """
    found = uow.session.get_one(Import, import_id, with_for_update=True, populate_existing=True)
    found.status = STATUS.require(ImportStatus(found.status), ImportStatus.RUNNING)
    found.started_at = found.started_at or uow.now
    found.leased_until = uow.now + LEASE
    return running_of(uow, found)


def running_of(uow: UnitOfWork, found: Import) -> Running:
    """Return what an import needs to know outside transactions. Errors: as above."""
    standing = _require_importer(uow, Caller(user_id=found.requested_by), found.circle_id)
    options, settings = found.options, uow.use(Settings)
    kind = Kind(options["kind"])
    tier_id = options["access"]["tier_id"]
    return Running(
        id=found.id,
        circle_id=found.circle_id,
        requested_by=found.requested_by,
        media_id=found.media_id,
        lease=found.leased_until or uow.now,
        created_at=found.created_at,
        kind=kind,
        gate=Gate(options["access"]["level"], UUID(tier_id) if tier_id else None),
        author_id=UUID(options["author_id"]),
        key_prefix=f"{found.format}:{options['source']}:",
        site=options["site"],
        zone=ZoneInfo(standing.timezone),
        limits=Limits(
            title=MAX_TITLE,
            body=settings.article_max_length if kind == Kind.ARTICLE else settings.talk_max_length,
            excerpt=MAX_EXCERPT,
            talk=settings.talk_max_length,
            article=settings.article_max_length,
            comment=settings.comment_max_length,
            images=settings.max_images,
            files=settings.max_files,
        ),
        format=ImportFormat(found.format),
        is_rehearsal=found.is_rehearsal,
        authors=_authors(uow, found.circle_id),
    )


def _authors(uow: UnitOfWork, circle_id: UUID) -> dict[str, UUID]:
    """Return who may be named as an author; a name that two go by means neither."""
    rows = uow.session.execute(
        select(User.id, User.display_name, Membership.alias, Identity.value)
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(Identity, (Identity.user_id == User.id) & (Identity.kind == IdentityKind.EMAIL))
        .where(
            Membership.circle_id == circle_id,
            Membership.status == Status.ACTIVE,
            Membership.role.in_([str(role) for role in TABLE[Permission.READ_EVERYTHING][0]]),
            User.deleted_at.is_(None),
        )
    )
    named: dict[str, set[UUID]] = {}
    for user_id, *names in rows:
        for name in names:
            if name:
                named.setdefault(name.lower(), set()).add(user_id)
    return {name: users.pop() for name, users in named.items() if len(users) == 1}


def note_progress(
    uow: UnitOfWork, running: Running, *, total: int, counts: Mapping[str, int], report: Sequence[Json]
) -> None:
    """Show how far it is and hold on to it. Errors: LeaseLost, ImportsUsedUp."""
    lease = uow.now + LEASE
    if lease <= running.lease:
        # Two batches within one tick of the clock: the proof must change nevertheless.
        lease = running.lease + timedelta(microseconds=1)
    _write(uow, running, total=total, counts=dict(counts), report=list(report[:MAX_REPORT]), leased_until=lease)
    if running.media_id is not None and running.format != ImportFormat.CIRCLE and not running.is_rehearsal:
        require_posts_left(uow, running.circle_id, running.id, counts, created_at=running.created_at)
    running.lease = lease


def give_way(uow: UnitOfWork, running: Running) -> None:
    """Go to the end of the line of the long. Errors: LeaseLost."""
    _write(uow, running, is_long=True, leased_until=uow.now)
    uow.ring(RUN_JOBS[True])


def finish(uow: UnitOfWork, running: Running) -> None:
    """End an import that went through its archive. Errors: LeaseLost."""
    _write(uow, running, status=ImportStatus.DONE, finished_at=uow.now, leased_until=None)
    audit.record(
        uow,
        running.caller,
        "import.rehearse" if running.is_rehearsal else "import.finish",
        circle_id=running.circle_id,
        subject_kind="import",
        subject_id=running.id,
    )


def _write(uow: UnitOfWork, running: Running, **values: Any) -> None:
    held = uow.session.execute(
        update(Import)
        .where(Import.id == running.id, Import.status == ImportStatus.RUNNING, Import.leased_until == running.lease)
        .values(**values)
        .returning(Import.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if held is None:
        raise LeaseLost


def refuse(uow: UnitOfWork, import_id: UUID, reason: Text) -> None:
    """End an import whose archive as a whole can't be read, or whose requester may not import any more."""
    found = uow.session.get_one(Import, import_id, with_for_update=True, populate_existing=True)
    found.status = STATUS.require(ImportStatus(found.status), ImportStatus.FAILED)
    found.refusal = reason._asdict()
    found.finished_at = uow.now
    found.leased_until = None
