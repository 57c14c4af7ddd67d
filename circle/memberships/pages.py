"""What a caller sees of circles and members: the guard first, then the rows."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.circles import queries as circles
from circle.circles.models import Circle, Invitation, Price, Tier
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships import queries
from circle.memberships.models import Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_look, require_member, require_permission


def circle_page(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """Return the circle's page: of a hidden circle to its members alone."""
    standing = require_look(uow, caller, circle_id)
    return circles.circle_page(uow, circle_id, inside=standing.is_inside, mine=queries.mine(standing))


def tiers(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """Return the tiers on offer, and to who edits them also what is off the table."""
    everything = require_look(uow, caller, circle_id).may(Permission.EDIT_OFFERS)
    return {"items": circles.tiers(uow, circle_id, everything=everything), "next_cursor": None}


def tier(uow: UnitOfWork, changed: Tier) -> Json:
    """Return one tier to who has just changed it."""
    uow.session.flush()
    prices = select(Price).where(Price.tier_id == changed.id, Price.archived_at.is_(None))
    return circles.tier_out(changed, list(uow.session.scalars(prices.order_by(Price.amount, Price.id))))


def price(uow: UnitOfWork, made: Price) -> Json:
    """Return one price to who has just made it."""
    uow.session.flush()
    return circles.price_out(_columns(made))


def roster(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    require_permission(uow, caller, circle_id, Permission.SEE_MEMBERS)
    return queries.roster(uow, circle_id, **query)


def member(uow: UnitOfWork, caller: Caller, circle_id: UUID, user_id: UUID) -> Json:
    """Return a member: in full to moderators and oneself; to fellow members what they may know of active ones."""
    standing = require_member(uow, caller, circle_id)
    row = queries.find_member(uow, circle_id, user_id)
    in_full = standing.may(Permission.SEE_MEMBERS)
    if not in_full and row["status"] != Status.ACTIVE:
        raise NotFound
    return queries.member_out(row, in_full=in_full)


def member_as_changed(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> Json:
    """Return a member in full to who has just changed them."""
    return queries.member_out(queries.find_member(uow, circle_id, user_id))


def audit_log(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    require_permission(uow, caller, circle_id, Permission.SEE_AUDIT)
    return circles.audit_log(uow, circle_id, **query)


def invitations(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    require_permission(uow, caller, circle_id, Permission.INVITE)
    return circles.invitations(uow, circle_id, **query)


def invitation(uow: UnitOfWork, made: Invitation) -> Json:
    """Return an invitation to who has just made it."""
    uow.session.flush()
    maker = uow.session.get_one(User, made.created_by)
    person = {"user_id": maker.id, "display_name": maker.display_name, "avatar_media_id": maker.avatar_media_id}
    return circles.invitation_out({**_columns(made), **person})


def invitation_preview(uow: UnitOfWork, code: str) -> Json:
    """Return what the holder of a code sees of the circle before joining. Errors: NotFound (or not usable)."""
    found = uow.session.execute(
        select(Invitation, Circle, User)
        .join(Circle, Circle.id == Invitation.circle_id)
        .join(User, User.id == Invitation.created_by)
        .where(Invitation.code == code)
    ).one_or_none()
    if found is None or not found.Invitation.is_open(uow.now):
        raise NotFound
    held, circle, maker = found
    comp_tier = uow.session.get(Tier, held.tier_id) if held.tier_id else None
    return {
        "circle": circles.circle_card({f"circle_{name}": value for name, value in _columns(circle).items()}),
        "description": circle.description,
        "invited_by": user_card(maker.id, maker.display_name, maker.avatar_media_id),
        "role": held.role,
        "comp_tier": comp_tier and _columns(comp_tier),
        "comp_days": held.comp_days,
        "expires_at": held.expires_at,
        "tiers": circles.tiers(uow, circle.id),
    }


def _columns(entity: Any) -> Json:
    return {column.key: getattr(entity, column.key) for column in entity.__table__.columns}
