"""Tables of a circle and of what it offers."""

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json, Versioned


class JoinPolicy(StrEnum):
    OPEN = "open"
    APPROVAL = "approval"
    INVITE = "invite"


class PreviewPolicy(StrEnum):
    """What strangers see: the circle's page and its preview posts, or nothing at all (404)."""

    PUBLIC = "public"
    NONE = "none"


class AfterExpiry(StrEnum):
    """What an expired member still reads: what was posted during paid time, or nothing."""

    PAID_TERM = "paid_term"
    NONE = "none"


class Interval(StrEnum):
    MONTH = "month"
    YEAR = "year"
    LIFETIME = "lifetime"
    FIXED = "fixed"


class Circle(Versioned, Base):
    __tablename__ = "circles"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    cover_media_id: Mapped[UUID | None]
    category: Mapped[str] = mapped_column(default="")
    timezone: Mapped[str] = mapped_column(default="Asia/Shanghai")
    currency: Mapped[str] = mapped_column(default="CNY")
    rules: Mapped[str] = mapped_column(default="")
    join_policy: Mapped[str] = mapped_column(default=JoinPolicy.OPEN)
    # Questions that an applicant answers, in order.
    questionnaire: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    preview_policy: Mapped[str] = mapped_column(default=PreviewPolicy.PUBLIC)
    after_expiry: Mapped[str] = mapped_column(default=AfterExpiry.PAID_TERM)
    # A new member sees posts of the last so many days before joining; None: all.
    lookback_days: Mapped[int | None]
    quiet_from: Mapped[time | None]
    quiet_to: Mapped[time | None]
    # A new member may not post or comment for so many hours.
    silence_hours: Mapped[int] = mapped_column(default=0)
    anonymous_questions: Mapped[bool] = mapped_column(default=False)
    # What a paid question costs at least, in minor units; None: questions are free.
    question_price: Mapped[BigInt | None]
    # Hints that clients honour: {"no_copy": bool, "no_screenshot": bool, "watermark": bool}
    content_protection: Mapped[Json] = mapped_column(default=dict)
    # How many words its moderators listed; 0 spares every post and comment the look-up.
    blocked_words: Mapped[int] = mapped_column(default=0, server_default="0")
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        CheckConstraint("join_policy IN ('open', 'approval', 'invite')", name="join_policy"),
        CheckConstraint("preview_policy IN ('public', 'none')", name="preview_policy"),
        CheckConstraint("after_expiry IN ('paid_term', 'none')", name="after_expiry"),
        CheckConstraint("lookback_days BETWEEN 7 AND 100", name="lookback_days"),
        CheckConstraint("silence_hours BETWEEN 0 AND 720", name="silence_hours"),
    )


class CircleCounter(Base):
    """Member numbers given so far: a row of its own, so that joining never waits for the settings."""

    __tablename__ = "circle_counters"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    members_numbered: Mapped[int] = mapped_column(default=0)


class Tier(Versioned, Base):
    """A level of a circle: a higher rank sees all that lower ranks see."""

    __tablename__ = "tiers"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    name: Mapped[str]
    rank: Mapped[int]
    description: Mapped[str] = mapped_column(default="")
    # None: no cap. The check constraint is what holds it under a race.
    seats: Mapped[int | None]
    seats_taken: Mapped[int] = mapped_column(default=0)
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        UniqueConstraint("circle_id", "rank"),
        CheckConstraint("seats IS NULL OR seats_taken <= seats", name="seats"),
        CheckConstraint("seats_taken >= 0", name="seats_taken"),
        CheckConstraint("rank BETWEEN 1 AND 1000", name="rank"),
    )


class Price(Base):
    """An offer of a tier; never changed once made, only archived. Amounts in minor units."""

    __tablename__ = "prices"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), index=True)
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"), index=True)
    amount: Mapped[BigInt]
    currency: Mapped[str]
    list_amount: Mapped[BigInt | None]
    interval: Mapped[str]
    interval_count: Mapped[int] = mapped_column(default=1)
    fixed_end_at: Mapped[datetime | None]
    trial_days: Mapped[int] = mapped_column(default=0)
    # Percent of the amount when renewing before the end, shortly after it, and later.
    advance_percent: Mapped[int] = mapped_column(default=100)
    grace_percent: Mapped[int] = mapped_column(default=100)
    later_percent: Mapped[int] = mapped_column(default=100)
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("interval IN ('month', 'year', 'lifetime', 'fixed')", name="interval"),
        CheckConstraint("(interval = 'fixed') = (fixed_end_at IS NOT NULL)", name="fixed_end"),
        CheckConstraint("interval_count BETWEEN 1 AND 120", name="interval_count"),
        CheckConstraint("trial_days BETWEEN 0 AND 365", name="trial_days"),
    )

    @property
    def is_free(self) -> bool:
        return self.amount == 0

    def is_offered(self, now: datetime) -> bool:
        return self.archived_at is None and (self.fixed_end_at is None or self.fixed_end_at > now)


class Invitation(Base):
    """A link into a circle: for an invite-only circle, for a role, or for days on the house."""

    __tablename__ = "invitations"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    code: Mapped[str] = mapped_column(unique=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(default="member")
    # Days of access on the house to this tier; both or none.
    tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    comp_days: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="")
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_invitations_circle", "circle_id", "created_at", "id"),
        CheckConstraint("max_uses IS NULL OR uses <= max_uses", name="uses"),
        CheckConstraint("(tier_id IS NULL) = (comp_days IS NULL)", name="comp"),
        CheckConstraint("role IN ('member', 'guest', 'admin', 'partner')", name="role"),
    )

    def is_open(self, now: datetime) -> bool:
        return (
            self.revoked_at is None
            and (self.expires_at is None or self.expires_at > now)
            and (self.max_uses is None or self.uses < self.max_uses)
        )
