"""Making, editing and archiving columns. What stands in them is `arranging`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from circle.archive.policy import require_filed_column
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.changes import Operation
from circle.kernel.errors import StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.services.attachments import Limits, attach
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_open_circle, require_permission
from circle.posts.filing import Column
from circle.posts.services.composing import Gate, read_gate

_ONE_IMAGE = Limits(images=1, files=0)


def create_column(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    access: Mapping[str, Any] | None = None,
    cover_media_id: UUID | None = None,
    **fields: Any,
) -> Column:
    """Make an empty column. Errors: MissingPermission, CircleClosed, Invalid (tier, cover)."""
    standing = require_permission(uow, caller, circle_id, Permission.FILE_ARCHIVE)
    require_open_circle(standing)
    gate = read_gate(uow, standing, access, Gate())
    column = Column(
        id=new_id(),
        circle_id=circle_id,
        access_level=gate.level,
        access_tier_id=gate.tier_id,
        created_at=uow.now,
        **fields,
    )
    uow.session.add(column)
    uow.session.flush()
    if cover_media_id is not None:
        _show_cover(uow, caller, column, cover_media_id)
    note_column(uow, caller, "column.create", column, "created")
    return column


def edit_column(
    uow: UnitOfWork,
    caller: Caller,
    column_id: UUID,
    *,
    version: int | None,
    access: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Column:
    """Change a column. Errors: NotFound, MissingPermission, StaleVersion, Invalid (tier, cover)."""
    column, standing = require_filed_column(uow, caller, column_id)
    if version is not None and version != column.version:
        raise StaleVersion
    gate = read_gate(uow, standing, access, Gate(column.access_level, column.access_tier_id))
    column.access_level, column.access_tier_id = gate
    if "cover_media_id" in changed:
        _show_cover(uow, caller, column, changed.pop("cover_media_id"))
    for name, value in changed.items():
        setattr(column, name, value)
    note_column(uow, caller, "column.edit", column, "updated")
    return column


def archive_column(uow: UnitOfWork, caller: Caller, column_id: UUID) -> None:
    """Take a column away; its posts stay where they are. Errors: NotFound, MissingPermission."""
    column, _standing = require_filed_column(uow, caller, column_id)
    column.archived_at = uow.now
    note_column(uow, caller, "column.archive", column, "deleted")


def _show_cover(uow: UnitOfWork, caller: Caller, column: Column, media_id: UUID | None) -> None:
    wanted = [] if media_id is None else [media_id]
    attach(uow, caller, wanted, purpose=Purpose.COVER, to=column.id, limits=_ONE_IMAGE, field="cover_media_id")
    column.cover_media_id = media_id


def note_column(uow: UnitOfWork, caller: Caller, action: str, column: Column, operation: Operation) -> None:
    audit.record(
        uow, caller, action, circle_id=column.circle_id, subject_kind="column", subject_id=column.id, name=column.name
    )
    changes.record(uow, circle_id=column.circle_id, kind="column", item_id=column.id, operation=operation)
