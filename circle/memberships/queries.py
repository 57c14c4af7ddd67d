"""Reading members, as rows: one's own card, one's circles, a circle's roster."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, Text, and_, bindparam, func, or_, select, true, tuple_
from sqlalchemy import Uuid as UuidType
from sqlalchemy.sql.selectable import LateralFromClause

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.circles.models import Circle
from circle.circles.queries import PERSON, circle_card
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Grant, Membership, Status
from circle.memberships.policy import Standing, best_grant

# Newest first; the key of an imaginary row before the first.
_START = {"created_at": datetime(9999, 12, 31, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
_MEMBER_KEY = Keyset("members", {"created_at": datetime, "id": UUID})
_CIRCLE_KEY = Keyset("my_circles", {"created_at": datetime, "id": UUID})
_SHOWN_BY_DEFAULT = (Status.ACTIVE, Status.EXPIRED, Status.PENDING)
_MOST_NUMBER = 2**31 - 1

_CIRCLE_CARD = tuple(
    column.label(f"circle_{column.key}") for column in (Circle.slug, Circle.name, Circle.cover_media_id)
)


def _access() -> LateralFromClause:
    """Select until when a membership's access lasts or lasted: the latest end of its grants, paid ahead or not."""
    return (
        select(func.max(Grant.ends_at).label("ends_at"), func.bool_or(Grant.ends_at.is_(None)).label("for_good"))
        .where(Grant.membership_id == Membership.id, Grant.revoked_at.is_(None))
        .lateral("access")
    )


def _select_memberships() -> tuple[Select[*tuple[Any, ...]], LateralFromClause, LateralFromClause]:
    grant, access = best_grant(), _access()
    statement = (
        select(
            *Membership.__table__.columns,
            *(column for column in PERSON if column.key != "user_id"),
            grant.c.rank,
            grant.c.tier_id,
            grant.c.tier_name,
            access.c.ends_at.label("access_ends_at"),
            access.c.for_good,
        )
        .join(User, User.id == Membership.user_id)
        .outerjoin(grant, true())
        .join(access, true())
    )
    return statement, grant, access


def _newest_first(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    created_at = bindparam("created_at", type_=DateTime(timezone=True))
    return (
        statement.where(
            tuple_(Membership.created_at, Membership.id) < tuple_(created_at, bindparam("id", type_=UuidType()))
        )
        .order_by(Membership.created_at.desc(), Membership.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


def _select_one() -> Select[*tuple[Any, ...]]:
    statement, _, _ = _select_memberships()
    return statement.where(
        Membership.circle_id == bindparam("circle_id", type_=UuidType()),
        Membership.user_id == bindparam("user_id", type_=UuidType()),
    )


def _select_roster() -> Select[*tuple[Any, ...]]:
    statement, grant, access = _select_memberships()
    status, role, pattern = (bindparam(name, type_=Text()) for name in ("status", "role", "pattern"))
    tier = bindparam("tier", type_=UuidType())
    before = bindparam("expiring_before", type_=DateTime(timezone=True))
    ends_before = and_(access.c.for_good.is_(False), access.c.ends_at < before, Membership.status == Status.ACTIVE)
    named = or_(
        User.display_name.ilike(pattern, escape="\\"),
        Membership.alias.ilike(pattern, escape="\\"),
        Membership.number == bindparam("q_number", type_=Integer()),
    )
    return _newest_first(
        statement.where(
            Membership.circle_id == bindparam("circle_id", type_=UuidType()),
            or_(status.is_(None), Membership.status == status),
            or_(role.is_(None), Membership.role == role),
            or_(tier.is_(None), grant.c.tier_id == tier),
            or_(before.is_(None), ends_before),
            or_(pattern.is_(None), named),
        )
    )


def _select_my_circles() -> Select[*tuple[Any, ...]]:
    statement, _, _ = _select_memberships()
    status = bindparam("status", type_=Text())
    return _newest_first(
        statement.add_columns(*_CIRCLE_CARD)
        .join(Circle, Circle.id == Membership.circle_id)
        .where(
            Membership.user_id == bindparam("user_id", type_=UuidType()),
            or_(
                Membership.status == status,
                and_(status.is_(None), or_(*(Membership.status == shown for shown in _SHOWN_BY_DEFAULT))),
            ),
        )
    )


_ONE = Query(_select_one)
_ROSTER = Query(_select_roster)
_MY_CIRCLES = Query(_select_my_circles)


def find_member(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> Row:
    """Return the row of somebody's membership, for the cards below. Errors: NotFound."""
    row = uow.row(_ONE, circle_id=circle_id, user_id=user_id, now=uow.now)
    if row is None:
        raise NotFound
    return row


def membership_card(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> Json:
    """Return one's own membership in the shape of `MembershipCardOut`. Errors: NotFound."""
    return card_of(find_member(uow, circle_id, user_id))


def card_of(row: Row) -> Json:
    plain = ("role", "status", "number", "alias", "joined_at", "muted_until", "applied_at", "approved_at", "version")
    return {
        **{name: row[name] for name in plain},
        "id": str(row["id"]),
        "circle_id": str(row["circle_id"]),
        "tier": tier_card(row),
        "access_until": None if row["for_good"] else row["access_ends_at"],
    }


def tier_card(row: Row) -> Json | None:
    """Return the tier that somebody has now, from a row with the columns of `best_grant`."""
    if row["tier_id"] is None:
        return None
    return {"id": str(row["tier_id"]), "name": row["tier_name"], "rank": row["rank"]}


def mine(standing: Standing) -> Json | None:
    """Return what somebody is in a circle, in the shape of `MineOut`; None for a stranger."""
    if standing.membership_id is None:
        return None
    has_tier = standing.tier_id is not None
    tier = {"id": str(standing.tier_id), "name": standing.tier_name, "rank": standing.rank} if has_tier else None
    return {"role": standing.role, "status": standing.status, "number": standing.number, "tier": tier}


def member_out(row: Row, *, in_full: bool = True) -> Json:
    """Return a member in the shape of `MemberOut`; what only moderators and oneself see is null unless `in_full`."""
    private = {
        **{name: row[name] for name in ("muted_until", "answers", "applied_at", "approved_at", "ended_at", "note")},
        "access_until": None if row["for_good"] else row["access_ends_at"],
        "inviter_id": None if row["inviter_id"] is None else str(row["inviter_id"]),
    }
    return {
        **{name: row[name] for name in ("role", "status", "number", "alias", "joined_at", "version")},
        **(private if in_full else dict.fromkeys(private)),
        "id": str(row["id"]),
        "user": user_card(row["user_id"], row["display_name"], row["avatar_media_id"]),
        "tier": tier_card(row),
    }


def roster(
    uow: UnitOfWork,
    circle_id: UUID,
    *,
    status: str | None,
    role: str | None,
    tier: UUID | None,
    expiring_before: datetime | None,
    q: str | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """Return a page of a circle's members, the latest first."""
    rows = uow.rows(
        _ROSTER,
        circle_id=circle_id,
        status=status,
        role=role,
        tier=tier,
        expiring_before=expiring_before,
        pattern=None if q is None else _contains(q),
        q_number=_number(q),
        now=uow.now,
        limit=limit + 1,
        **(_MEMBER_KEY.decode(cursor) if cursor else _START),
    )
    page, next_cursor = _MEMBER_KEY.page(rows, limit)
    return {"items": [member_out(row) for row in page], "next_cursor": next_cursor}


def _contains(q: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", q) + "%"


def _number(q: str | None) -> int | None:
    number = int(q) if q is not None and re.fullmatch(r"\d{1,10}", q, re.ASCII) else None
    return number if number is not None and number <= _MOST_NUMBER else None


def my_circles(uow: UnitOfWork, user_id: UUID, *, status: str | None, cursor: str | None, limit: int) -> Json:
    """Return a page of the circles somebody is in, the latest joined first."""
    key = _CIRCLE_KEY.decode(cursor) if cursor else _START
    rows = uow.rows(_MY_CIRCLES, user_id=user_id, status=status, now=uow.now, limit=limit + 1, **key)
    page, next_cursor = _CIRCLE_KEY.page(rows, limit)
    items = [{"circle": circle_card(row), **card_of(row)} for row in page]
    return {"items": items, "next_cursor": next_cursor}
