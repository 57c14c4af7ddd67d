"""Tables of members and of what they may read."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id, Versioned
from circle.kernel.state import Machine


class Role(StrEnum):
    OWNER = "owner"
    PARTNER = "partner"
    ADMIN = "admin"
    GUEST = "guest"
    MEMBER = "member"


class Status(StrEnum):
    PENDING = "pending"  # applied, or about to pay
    ACTIVE = "active"
    EXPIRED = "expired"
    LEFT = "left"
    REMOVED = "removed"
    BANNED = "banned"


STATUS = Machine(
    "membership",
    {
        Status.PENDING: frozenset({Status.ACTIVE, Status.LEFT, Status.REMOVED, Status.BANNED}),
        Status.ACTIVE: frozenset({Status.EXPIRED, Status.LEFT, Status.REMOVED, Status.BANNED}),
        Status.EXPIRED: frozenset({Status.ACTIVE, Status.PENDING, Status.LEFT, Status.REMOVED, Status.BANNED}),
        Status.LEFT: frozenset({Status.PENDING, Status.ACTIVE, Status.BANNED}),
        Status.REMOVED: frozenset({Status.PENDING, Status.ACTIVE, Status.BANNED}),
        Status.BANNED: frozenset({Status.REMOVED}),
    },
)


class GrantSource(StrEnum):
    """Why somebody has access; `source_id` names the row (an invoice, an invitation)."""

    INVOICE = "invoice"
    TRIAL = "trial"
    GRACE = "grace"
    GIFT = "gift"
    COMP = "comp"
    IMPORT = "import"
    FREE = "free"


class Membership(Versioned, Base):
    __tablename__ = "memberships"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[str] = mapped_column(default=Role.MEMBER)
    status: Mapped[str]
    number: Mapped[int | None]
    alias: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")  # the creator's own, never shown to the member
    muted_until: Mapped[datetime | None]
    # Answers to the circle's questionnaire, in its order.
    answers: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    inviter_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    # The invitation that let them in: coming back with it to pay does not use it up twice.
    invitation_id: Mapped[UUID | None] = mapped_column(ForeignKey("invitations.id"))
    applied_at: Mapped[datetime | None]  # asked to be let in
    # Since when they may join (by paying, where it costs); ends with leaving and removal.
    approved_at: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # left, removed or banned
    # When the next grant ends, so that the worker looks at this status then; a hint, access reads grants alone.
    review_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        UniqueConstraint("circle_id", "user_id"),
        UniqueConstraint("circle_id", "number"),
        Index("uq_memberships_owner", "circle_id", unique=True, postgresql_where=text("role = 'owner'")),
        Index("ix_memberships_roster", "circle_id", "created_at", "id"),
        Index("ix_memberships_review", "review_at", postgresql_where=text("review_at IS NOT NULL")),
        CheckConstraint("role IN ('owner', 'partner', 'admin', 'guest', 'member')", name="role"),
        CheckConstraint("status IN ('pending', 'active', 'expired', 'left', 'removed', 'banned')", name="status"),
    )


class Grant(Base):
    """Access to a tier from `starts_at` until before `ends_at` (None: for good). Access checks read nothing else."""

    __tablename__ = "grants"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("memberships.id"))
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"))
    source: Mapped[str]
    source_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_for: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        # One thing grants access once: a doubled webhook can't lengthen a term.
        UniqueConstraint("source", "source_id", "membership_id"),
        Index("ix_grants_membership", "membership_id", "ends_at", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_grants_circle", "circle_id", "id"),
        Index("ix_grants_ending", "ends_at", postgresql_where=text("revoked_at IS NULL AND ends_at IS NOT NULL")),
        CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="term"),
        CheckConstraint("source IN ('invoice', 'trial', 'grace', 'gift', 'comp', 'import', 'free')", name="source"),
    )


class Seat(Base):
    """A seat of a capped tier: held while somebody is paying (`held_until`), taken while they are a member."""

    __tablename__ = "seats"

    id: Mapped[Id]
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"))
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("memberships.id"))
    held_until: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_seats_live",
            "tier_id",
            "membership_id",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        Index("ix_seats_held", "held_until", postgresql_where=text("released_at IS NULL AND held_until IS NOT NULL")),
        Index("ix_seats_membership", "membership_id"),
    )


class Trial(Base):
    """That a person has had a trial in a circle: one each, for good."""

    __tablename__ = "trials"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    started_at: Mapped[datetime]


class TransferOffer(Base):
    """That the owner offers the circle to a member, who has yet to accept: one open offer a circle."""

    __tablename__ = "transfer_offers"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    to_user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    offered_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    offered_at: Mapped[datetime]
