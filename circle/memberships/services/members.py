"""Members one by one: letting in, roles, muting, removing, banning, leaving."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, exists, func, select, update

from circle.accounts.events import UserDeleted
from circle.circles.models import Circle
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import StaleVersion
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.errors import NotAMember, OwnerMustStay, OwnsCircles
from circle.memberships.models import STATUS, Grant, GrantSource, Membership, Role, Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, lock_member, require_member, require_permission, require_reach
from circle.memberships.services.access import activate, note_change, release_seats, revoke_all_access, settle_status
from circle.memberships.services.invitations import revoke_invitations_of

# Whom a role may be given to: whoever is in, was in until lately, or asks to be.
_MAY_GET_A_ROLE = frozenset({Status.PENDING, Status.ACTIVE, Status.EXPIRED})
# No term is shorter.
_INSTANT = timedelta(microseconds=1)


def approve_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Membership:
    """Let an applicant go on to join. Errors: WrongState for somebody who isn't waiting."""
    membership = _require_applicant(uow, caller, circle_id, user_id)
    membership.approved_at = uow.now
    _note(uow, caller, "member.approve", membership)
    uow.emit(events.MemberApproved(circle_id, user_id, membership.id))
    return membership


def reject_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Membership:
    """Turn an applicant down; they may apply again. Who had left before goes on reading what was paid."""
    membership = _require_applicant(uow, caller, circle_id, user_id)
    had_left = membership.joined_at is not None and membership.ended_at is None
    _end(uow, membership, Status.LEFT if had_left else Status.REMOVED)
    _note(uow, caller, "member.reject", membership)
    uow.emit(events.MemberRejected(circle_id, user_id, membership.id))
    return membership


def _require_applicant(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Membership:
    require_permission(uow, caller, circle_id, Permission.MANAGE_MEMBERS)
    membership = lock_member(uow, circle_id, user_id)
    if membership.status != Status.PENDING or membership.applied_at is None or membership.approved_at is not None:
        raise WrongState(state=membership.status)
    return membership


def edit_member(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, *, version: int | None, **fields: Any
) -> Membership:
    """Change a member's role, alias, note or silence. Errors: StaleVersion, OutOfReach, MissingPermission."""
    standing = require_permission(uow, caller, circle_id, Permission.MANAGE_MEMBERS)
    membership = lock_member(uow, circle_id, user_id)
    if version is not None and version != membership.version:
        raise StaleVersion
    require_reach(standing, membership.role)
    if "role" in fields:
        _set_role(uow, caller, standing, membership, fields.pop("role"))
    if "muted_until" in fields:
        _mute(uow, caller, membership, fields.pop("muted_until"))
    for name, value in fields.items():
        setattr(membership, name, value)
    if fields:
        _note(uow, caller, "member.edit", membership, fields=sorted(fields))
    return membership


def _set_role(uow: UnitOfWork, caller: Caller, standing: Standing, membership: Membership, role: str) -> None:
    if role == membership.role:
        return
    require_permission(uow, caller, membership.circle_id, Permission.SET_ROLES)
    require_reach(standing, role)
    if membership.status not in _MAY_GET_A_ROLE:
        raise WrongState(state=membership.status)
    old, membership.role = membership.role, role
    revoke_invitations_of(uow, membership.circle_id, membership.user_id)
    if role == Role.MEMBER:
        settle_status(uow, membership)
    else:
        activate(uow, membership)
    _note(uow, caller, "member.role", membership, old=old, new=role)
    uow.emit(events.RoleChanged(membership.circle_id, membership.user_id, membership.id, role))


def _mute(uow: UnitOfWork, caller: Caller, membership: Membership, until: datetime | None) -> None:
    membership.muted_until = until
    _note(uow, caller, "member.mute", membership, until=None if until is None else until.isoformat())


def remove_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, *, refund: bool) -> Membership:
    """Take access away at once; they may join again by the circle's policy. Errors: OutOfReach, WrongState."""
    return _expel(uow, caller, circle_id, user_id, Status.REMOVED, refund=refund)


def ban_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, *, refund: bool) -> Membership:
    """Take access away at once and for good. Errors: OutOfReach, WrongState."""
    return _expel(uow, caller, circle_id, user_id, Status.BANNED, refund=refund)


def unban_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Membership:
    """Let somebody who was banned join again. Errors: WrongState."""
    require_permission(uow, caller, circle_id, Permission.REMOVE_MEMBERS)
    membership = lock_member(uow, circle_id, user_id)
    if membership.status != Status.BANNED:
        raise WrongState(state=membership.status)
    membership.status = STATUS.require(Status.BANNED, Status.REMOVED)
    _note(uow, caller, "member.unban", membership)
    return membership


def _expel(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID, status: Status, *, refund: bool
) -> Membership:
    standing = require_permission(uow, caller, circle_id, Permission.REMOVE_MEMBERS)
    if refund:
        require_permission(uow, caller, circle_id, Permission.MOVE_MONEY)
    membership = lock_member(uow, circle_id, user_id)
    require_reach(standing, membership.role)
    _end(uow, membership, status)
    revoke_all_access(uow, membership, reason=status)
    banned = status == Status.BANNED
    _note(uow, caller, "member.ban" if banned else "member.remove", membership, refund=refund)
    uow.emit(
        events.MemberRemoved(circle_id, user_id, membership.id, banned=banned, refund=refund, removed_by=caller.user_id)
    )
    return membership


def edit_own_alias(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, version: int | None, alias: str) -> None:
    """Choose the name one has in a circle. Errors: StaleVersion, MembershipExpired, NotAMember."""
    require_member(uow, caller, circle_id)
    membership = lock_member(uow, circle_id, caller.user_id)
    if version is not None and version != membership.version:
        raise StaleVersion
    membership.alias = alias
    note_change(uow, membership)


def leave_circle(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> None:
    """Go; what was paid stays readable. Errors: OwnerMustStay, NotFound, NotAMember."""
    membership = lock_member(uow, circle_id, caller.user_id)
    if membership.status in {Status.LEFT, Status.REMOVED, Status.BANNED}:
        raise NotAMember
    if membership.role == Role.OWNER:
        raise OwnerMustStay
    _leave(uow, membership)


def _leave(uow: UnitOfWork, membership: Membership) -> None:
    _end(uow, membership, Status.LEFT)
    release_seats(uow, membership)
    # What cost nothing ends here, so that coming back is a fresh start; what was paid runs on for reading.
    uow.session.execute(
        update(Grant)
        .where(
            Grant.membership_id == membership.id,
            Grant.source == GrantSource.FREE,
            Grant.revoked_at.is_(None),
            Grant.ends_at.is_(None) | (Grant.ends_at > uow.now),
        )
        .values(
            ends_at=func.greatest(uow.now, Grant.starts_at + _INSTANT),
            revoked_at=case((Grant.starts_at >= uow.now, uow.now), else_=None),
        )
    )
    note_change(uow, membership)
    uow.emit(events.MemberLeft(membership.circle_id, membership.user_id, membership.id))


def _end(uow: UnitOfWork, membership: Membership, status: Status) -> None:
    membership.status = STATUS.require(Status(membership.status), status)
    membership.ended_at = uow.now
    membership.applied_at = None
    membership.approved_at = None
    if membership.role != Role.MEMBER:
        membership.role = Role.MEMBER
        revoke_invitations_of(uow, membership.circle_id, membership.user_id)
    uow.session.flush()


def forget_person(uow: UnitOfWork, happened: UserDeleted) -> None:
    """Take a deleted account out of its circles. Errors: OwnsCircles while it owns an open one."""
    owned = exists().where(Circle.owner_id == happened.user_id, Circle.closed_at.is_(None))
    if uow.session.scalar(select(owned)):
        raise OwnsCircles
    mine = select(Membership).where(Membership.user_id == happened.user_id).order_by(Membership.id).with_for_update()
    for membership in uow.session.scalars(mine).all():
        membership.alias, membership.note, membership.answers = "", "", []
        if membership.status in {Status.PENDING, Status.ACTIVE, Status.EXPIRED} and membership.role != Role.OWNER:
            _leave(uow, membership)


def _note(uow: UnitOfWork, caller: Caller, action: str, membership: Membership, **data: object) -> None:
    audit.record(
        uow,
        caller,
        action,
        circle_id=membership.circle_id,
        subject_kind="member",
        subject_id=membership.user_id,
        **data,
    )
    note_change(uow, membership)
