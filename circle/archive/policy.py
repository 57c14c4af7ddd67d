"""Access to tags, columns and imports. A tag is as visible as its circle; a column has a gate of its own."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from circle.archive.errors import CircleNotEmpty, ColumnLocked
from circle.archive.export_models import Export, ExportScope
from circle.archive.models import Import
from circle.billing.models import Subscription
from circle.checkins.models import Camp
from circle.circles.models import Tier
from circle.homework.models import Assignment
from circle.homework.policy import require_circle_reader
from circle.kernel.caller import Caller
from circle.kernel.db import Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MissingPermission
from circle.memberships.gates import standing_gate
from circle.memberships.models import Membership, Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, gated_standing, require_look, require_permission
from circle.posts.column_policy import ColumnTier, column_reading, opened
from circle.posts.filing import Column, Tag
from circle.posts.models import Post
from circle.posts.policy import SeenPost, find_post

_OWNERS_ALONE = Text("只有星主可以导出或导入整个星球。", "Only the owner may export or import a whole circle.")

column_gate = standing_gate(
    "column_id", select(Column.circle_id).where(Column.id == bindparam("key", type_=Uuid())).scalar_subquery()
)


_COLUMN = Query(
    lambda: (
        select(opened().label("opened"), ColumnTier.name.label("required_tier"))
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(Column.id == bindparam("column_id", type_=Uuid()), Column.archived_at.is_(None))
    )
)
_CIRCLE_OF_COLUMN = Query(
    lambda: select(Column.circle_id).where(
        Column.id == bindparam("column_id", type_=Uuid()), Column.archived_at.is_(None)
    )
)


def require_look_at_column(uow: UnitOfWork, caller: Caller | None, column_id: UUID) -> Standing:
    """Return the standing of whoever may see that the column exists. Errors: NotFound, Banned."""
    known = gated_standing(uow, caller, column_id)
    if known is not None:
        return require_look(uow, caller, known.circle_id)
    row = uow.row(_CIRCLE_OF_COLUMN, column_id=column_id)
    if row is None:
        raise NotFound
    return require_look(uow, caller, row["circle_id"])


def require_column(uow: UnitOfWork, caller: Caller | None, column_id: UUID) -> Standing:
    """Return the standing of whoever may look into the column. Errors: NotFound, Banned, ColumnLocked."""
    standing = require_look_at_column(uow, caller, column_id)
    row = _column_row(uow, standing, column_id)
    if not row["opened"]:
        raise ColumnLocked(required_tier=row["required_tier"])
    return standing


def _column_row(uow: UnitOfWork, standing: Standing, column_id: UUID) -> Row:
    row = uow.row(_COLUMN, column_id=column_id, **column_reading(standing))
    if row is None:
        raise NotFound
    return row


def require_filed_column(uow: UnitOfWork, caller: Caller, column_id: UUID) -> tuple[Column, Standing]:
    """Return a column, locked until the commit, for who files the archive. Errors: NotFound, MissingPermission."""
    column = uow.session.get(Column, column_id)
    if column is None or column.archived_at is not None:
        raise NotFound
    standing = require_permission(uow, caller, column.circle_id, Permission.FILE_ARCHIVE)
    uow.session.refresh(column, with_for_update=True)
    if column.archived_at is not None:
        raise NotFound
    return column, standing


def require_filed_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> SeenPost:
    """Return a post that exists for who files the archive. Errors: NotFound, MissingPermission and the like."""
    post = find_post(uow, caller, post_id)
    require_permission(uow, caller, post.circle_id, Permission.FILE_ARCHIVE)
    return post


def require_tag(uow: UnitOfWork, caller: Caller, tag_id: UUID) -> Tag:
    """Return a tag for who files the archive. Errors: NotFound, MissingPermission and the like."""
    tag = uow.session.get(Tag, tag_id)
    if tag is None:
        raise NotFound
    require_permission(uow, caller, tag.circle_id, Permission.FILE_ARCHIVE)
    return tag


def require_import(uow: UnitOfWork, caller: Caller, import_id: UUID) -> Import:
    """Return an import for who may import. Errors: NotFound, MissingPermission and the like."""
    found = uow.session.get(Import, import_id)
    if found is None:
        raise NotFound
    require_permission(uow, caller, found.circle_id, Permission.IMPORT_EXPORT)
    return found


def require_exporter(uow: UnitOfWork, caller: Caller, circle_id: UUID, scope: str) -> Standing:
    """Return the standing of whoever may take along what they read, or the whole circle.

    Errors: NotFound, Banned, NotAMember, MembershipExpired, MissingPermission.
    """
    if scope == ExportScope.MINE:
        return require_circle_reader(uow, caller, circle_id)
    standing = require_permission(uow, caller, circle_id, Permission.IMPORT_EXPORT)
    if standing.role != Role.OWNER:
        raise MissingPermission(permission=Permission.IMPORT_EXPORT.value).because(_OWNERS_ALONE)
    return standing


def require_empty_circle(uow: UnitOfWork, standing: Standing) -> None:
    """Refuse all but the owner of a circle in which nothing has happened. Errors: MissingPermission, CircleNotEmpty."""
    if standing.role != Role.OWNER:
        raise MissingPermission(permission=Permission.IMPORT_EXPORT.value).because(_OWNERS_ALONE)
    circle_id = standing.circle_id
    others = select(Membership.id).where(Membership.circle_id == circle_id, Membership.role != Role.OWNER)
    things = (select(one.id).where(one.circle_id == circle_id) for one in (Post, Tier, Camp, Assignment, Subscription))
    if any(uow.session.scalar(one.limit(1)) is not None for one in (others, *things)):
        raise CircleNotEmpty


def require_export(uow: UnitOfWork, caller: Caller, export_id: UUID) -> Export:
    """Return one's own export. Errors: NotFound."""
    found = uow.session.get(Export, export_id)
    if found is None or found.requested_by != caller.user_id:
        raise NotFound
    return found
