"""Reading circles and their offers, as rows."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Select, Text, and_, bindparam, or_, select, tuple_
from sqlalchemy import Uuid as UuidType

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.circles.models import Circle, CircleCounter, Invitation, Price, Tier
from circle.kernel.audit import AuditEntry
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork

_SHOWN_TO_ALL = (
    "slug",
    "name",
    "description",
    "category",
    "timezone",
    "currency",
    "rules",
    "join_policy",
    "questionnaire",
    "preview_policy",
    "after_expiry",
    "lookback_days",
    "anonymous_questions",
    "question_price",
    "content_protection",
    "created_at",
    "version",
)
PERSON = (User.id.label("user_id"), User.display_name, User.avatar_media_id)

# Newest first; the key of an imaginary row before the first.
_START = {"created_at": datetime(9999, 12, 31, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
_INVITATION_KEY = Keyset("invitations", {"created_at": datetime, "id": UUID})
_AUDIT_KEY = Keyset("audit", {"id": int})


def _select_circle() -> Select[*tuple[Any, ...]]:
    return (
        select(*Circle.__table__.columns, *PERSON, CircleCounter.members_numbered)
        .join(User, User.id == Circle.owner_id)
        .join(CircleCounter, CircleCounter.circle_id == Circle.id)
        .where(Circle.id == bindparam("circle_id", type_=UuidType()))
    )


def _select_tiers() -> Select[*tuple[Any, ...]]:
    everything = bindparam("everything", type_=Boolean())
    now = bindparam("now", type_=DateTime(timezone=True))
    offered = and_(
        Price.tier_id == Tier.id,
        Price.archived_at.is_(None),
        or_(everything, Price.fixed_end_at.is_(None), Price.fixed_end_at > now),
    )
    return (
        select(*(column.label(f"of_tier_{column.key}") for column in Tier.__table__.columns), *Price.__table__.columns)
        .outerjoin(Price, offered)
        .where(
            Tier.circle_id == bindparam("circle_id", type_=UuidType()),
            or_(everything, Tier.archived_at.is_(None)),
        )
        .order_by(Tier.rank, Price.amount, Price.id)
    )


def _select_invitations() -> Select[*tuple[Any, ...]]:
    created_at = bindparam("created_at", type_=DateTime(timezone=True))
    return (
        select(*Invitation.__table__.columns, *PERSON)
        .join(User, User.id == Invitation.created_by)
        .where(
            Invitation.circle_id == bindparam("circle_id", type_=UuidType()),
            tuple_(Invitation.created_at, Invitation.id) < tuple_(created_at, bindparam("id", type_=UuidType())),
        )
        .order_by(Invitation.created_at.desc(), Invitation.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


def _select_audit() -> Select[*tuple[Any, ...]]:
    action = bindparam("action", type_=Text())
    return (
        select(*AuditEntry.__table__.columns, *PERSON)
        .outerjoin(User, User.id == AuditEntry.actor_id)
        .where(
            AuditEntry.circle_id == bindparam("circle_id", type_=UuidType()),
            AuditEntry.id < bindparam("id", type_=BigInteger()),
            or_(action.is_(None), AuditEntry.action == action),
        )
        .order_by(AuditEntry.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


_INVITATIONS = Query(_select_invitations)
_AUDIT = Query(_select_audit)
_CIRCLE = Query(_select_circle)
_TIERS = Query(_select_tiers)


def circle_page(uow: UnitOfWork, circle_id: UUID, *, inside: bool, mine: Json | None) -> Json:
    """Return a circle in the shape of `CircleOut`; what only members see is null unless `inside`."""
    row = uow.row(_CIRCLE, circle_id=circle_id)
    if row is None:
        raise NotFound
    least = row["question_price"]
    return {
        **{name: row[name] for name in _SHOWN_TO_ALL},
        "id": str(row["id"]),
        "cover_url": cover_url(row["cover_media_id"]),
        "owner": user_card(row["user_id"], row["display_name"], row["avatar_media_id"]),
        "question_price": None if least is None else {"amount": least, "currency": row["currency"]},
        "closed": row["closed_at"] is not None,
        "quiet_from": _clock(row["quiet_from"]) if inside else None,
        "quiet_to": _clock(row["quiet_to"]) if inside else None,
        "silence_hours": row["silence_hours"] if inside else None,
        "members_joined": row["members_numbered"] if inside else None,
        "mine": mine,
    }


def cover_url(media_id: UUID | None) -> str | None:
    return f"/v1/media/{media_id}" if media_id else None


def _clock(time: Any) -> str | None:
    return time.strftime("%H:%M") if time is not None else None


def circle_card(row: Row) -> Json:
    """Return a circle as shown inside other objects, from a row with its columns prefixed `circle_`."""
    return {
        "id": str(row["circle_id"]),
        "slug": row["circle_slug"],
        "name": row["circle_name"],
        "cover_url": cover_url(row["circle_cover_media_id"]),
    }


def tiers(uow: UnitOfWork, circle_id: UUID, *, everything: bool = False) -> list[Json]:
    """Return the circle's tiers by rank, each with the prices on offer; `everything`: what is off the table too."""
    by_id: dict[UUID, Json] = {}
    for row in uow.rows(_TIERS, circle_id=circle_id, everything=everything, now=uow.now):
        tier = by_id.get(row["of_tier_id"]) or by_id.setdefault(row["of_tier_id"], _tier_of_row(row))
        if row["id"] is not None:
            tier["prices"].append(price_out(row))
    return list(by_id.values())


def _tier_of_row(row: Row) -> Json:
    return _tier({column.key: row[f"of_tier_{column.key}"] for column in Tier.__table__.columns})


def _tier(row: Row) -> Json:
    seats = row["seats"]
    return {
        **{name: row[name] for name in ("name", "rank", "description", "seats", "archived_at", "version")},
        "id": str(row["id"]),
        "circle_id": str(row["circle_id"]),
        "seats_left": None if seats is None else seats - row["seats_taken"],
        "prices": [],
    }


def tier_out(tier: Tier, prices: list[Price]) -> Json:
    """Return one tier with these prices."""
    return {**_tier(_row_of(tier)), "prices": [price_out(_row_of(price)) for price in prices]}


def price_out(row: Row) -> Json:
    """Return a price in the shape of `PriceOut`, from a row with its columns."""
    currency, list_amount = row["currency"], row["list_amount"]
    return {
        **{name: row[name] for name in ("interval", "interval_count", "trial_days")},
        **{name: row[name] for name in ("fixed_end_at", "archived_at", "created_at")},
        "id": str(row["id"]),
        "tier_id": str(row["tier_id"]),
        "amount": {"amount": row["amount"], "currency": currency},
        "list_amount": None if list_amount is None else {"amount": list_amount, "currency": currency},
        "renewal": {name: row[name] for name in ("advance_percent", "grace_percent", "later_percent")},
    }


def _row_of(entity: Tier | Price) -> Row:
    return {column.key: getattr(entity, column.key) for column in entity.__table__.columns}


def invitations(uow: UnitOfWork, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of the circle's invitations, newest first."""
    key = _INVITATION_KEY.decode(cursor) if cursor else _START
    rows = uow.rows(_INVITATIONS, circle_id=circle_id, **key, limit=limit + 1)
    page, next_cursor = _INVITATION_KEY.page(rows, limit)
    return {"items": [invitation_out(row) for row in page], "next_cursor": next_cursor}


def invitation_out(row: Row) -> Json:
    """Return an invitation in the shape of `InvitationOut`, from a row with its columns and its maker's."""
    plain = ("code", "role", "comp_days", "note", "max_uses", "uses", "expires_at", "revoked_at", "created_at")
    return {
        **{name: row[name] for name in plain},
        "id": str(row["id"]),
        "tier_id": None if row["tier_id"] is None else str(row["tier_id"]),
        "created_by": user_card(row["user_id"], row["display_name"], row["avatar_media_id"]),
    }


def audit_log(uow: UnitOfWork, circle_id: UUID, *, action: str | None, cursor: str | None, limit: int) -> Json:
    """Return a page of what moderators and creators did in the circle, newest first."""
    key = _AUDIT_KEY.decode(cursor) if cursor else {"id": 2**63 - 1}
    rows = uow.rows(_AUDIT, circle_id=circle_id, action=action, **key, limit=limit + 1)
    page, next_cursor = _AUDIT_KEY.page(rows, limit)
    return {"items": [_audit_entry(row) for row in page], "next_cursor": next_cursor}


def _audit_entry(row: Row) -> Json:
    by_somebody = row["user_id"] is not None
    return {
        **{name: row[name] for name in ("action", "subject_kind", "data", "at")},
        "id": str(row["id"]),
        "subject_id": None if row["subject_id"] is None else str(row["subject_id"]),
        "actor": user_card(row["user_id"], row["display_name"], row["avatar_media_id"]) if by_somebody else None,
    }
