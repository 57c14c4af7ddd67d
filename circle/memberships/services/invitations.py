"""Invitations: made by staff, never for more than is in their own reach."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from circle.circles.models import Invitation, Tier
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_code, new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission, require_reach


def create_invitation(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    role: str,
    tier_id: UUID | None,
    comp_days: int | None,
    note: str,
    max_uses: int | None,
    expires_at: datetime | None,
) -> Invitation:
    """Make a code that opens the circle. Errors: Invalid, MissingPermission, OutOfReach (the role)."""
    standing = require_permission(uow, caller, circle_id, Permission.INVITE)
    if role != Role.MEMBER:
        require_permission(uow, caller, circle_id, Permission.SET_ROLES)
        require_reach(standing, role)
    if tier_id is not None or comp_days is not None:
        require_permission(uow, caller, circle_id, Permission.GIVE_ACCESS)
        _check_comp(uow, circle_id, tier_id, comp_days)
    if expires_at is not None and expires_at <= uow.now:
        raise Invalid.field("expires_at", "in_the_past", "到期时间须在将来。", "Must lie in the future.")
    invitation = Invitation(
        id=new_id(),
        circle_id=circle_id,
        code=new_code(),
        created_by=caller.user_id,
        role=role,
        tier_id=tier_id,
        comp_days=comp_days,
        note=note,
        max_uses=max_uses,
        expires_at=expires_at,
        created_at=uow.now,
    )
    uow.session.add(invitation)
    _note(uow, caller, "invitation.create", invitation)
    return invitation


def revoke_invitation(uow: UnitOfWork, caller: Caller, circle_id: UUID, invitation_id: UUID) -> None:
    """End an invitation; who came in by it stays."""
    require_permission(uow, caller, circle_id, Permission.INVITE)
    invitation = uow.session.get(Invitation, invitation_id)
    if invitation is None or invitation.circle_id != circle_id:
        raise NotFound
    if invitation.revoked_at is None:
        invitation.revoked_at = uow.now
        _note(uow, caller, "invitation.revoke", invitation)


def revoke_invitations_of(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> None:
    """End what somebody handed out, because they may not invite as before any more."""
    uow.session.execute(
        update(Invitation)
        .where(Invitation.circle_id == circle_id, Invitation.created_by == user_id, Invitation.revoked_at.is_(None))
        .values(revoked_at=uow.now)
    )


def _check_comp(uow: UnitOfWork, circle_id: UUID, tier_id: UUID | None, comp_days: int | None) -> None:
    if tier_id is None or comp_days is None:
        raise Invalid.field(
            "comp_days", "one_of", "赠送须同时填会员等级和天数。", "Access on the house needs a tier and days."
        )
    tier = uow.session.get(Tier, tier_id)
    if tier is None or tier.circle_id != circle_id or tier.archived_at is not None:
        raise Invalid.field("tier_id", "unknown_tier", "没有这个会员等级。", "There is no such tier in this circle.")


def _note(uow: UnitOfWork, caller: Caller, action: str, invitation: Invitation) -> None:
    audit.record(
        uow,
        caller,
        action,
        circle_id=invitation.circle_id,
        subject_kind="invitation",
        subject_id=invitation.id,
        role=invitation.role,
        comp_days=invitation.comp_days,
    )
