"""Tables of what members write for a day, of what others say about it, and of certificates."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Numeric, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id

# The latest versions of an entry that are kept.
MOST_VERSIONS = 100


class CheckIn(Base):
    """What a member wrote for one camp day. Editing it changes nothing about the day."""

    __tablename__ = "check_ins"

    id: Mapped[Id]
    camp_id: Mapped[UUID]
    user_id: Mapped[UUID]
    day: Mapped[date]
    body: Mapped[str]
    number: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))
    attached: Mapped[int] = mapped_column(default=0)
    level: Mapped[int | None]
    on_feed: Mapped[bool] = mapped_column(default=True)
    # When the client says it was written, if it arrived later.
    made_at: Mapped[datetime]
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(default=1)
    like_count: Mapped[int] = mapped_column(default=0)
    comment_count: Mapped[int] = mapped_column(default=0)
    pinned_at: Mapped[datetime | None]
    teacher_note: Mapped[str | None]
    noted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    noted_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("camp_id", "user_id", "day"),
        # By the day row alone: camp and person stand behind it, and the camp's row is not locked by every entry.
        ForeignKeyConstraint(
            ["camp_id", "user_id", "day"],
            ["check_in_days.camp_id", "check_in_days.user_id", "check_in_days.day"],
            name="fk_check_ins_day",
        ),
        Index("ix_check_ins_feed", "camp_id", text("id DESC"), postgresql_where=text("removed_at IS NULL")),
        Index("ix_check_ins_user", "user_id", text("id DESC")),
        Index("ix_check_ins_pinned", "camp_id", text("id DESC"), postgresql_where=text("pinned_at IS NOT NULL")),
        Index("ix_check_ins_noted_by", "noted_by", postgresql_where=text("noted_by IS NOT NULL")),
    )


class CheckInVersion(Base):
    """What an entry said before an edit; version 1 is the first text."""

    __tablename__ = "check_in_versions"

    check_in_id: Mapped[UUID] = mapped_column(ForeignKey("check_ins.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]
    number: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))
    attachments: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list)
    written_at: Mapped[datetime]


class CheckInLike(Base):
    __tablename__ = "check_in_likes"

    check_in_id: Mapped[UUID] = mapped_column(ForeignKey("check_ins.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]


class CheckInComment(Base):
    __tablename__ = "check_in_comments"

    id: Mapped[Id]
    check_in_id: Mapped[UUID] = mapped_column(ForeignKey("check_ins.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    body: Mapped[str]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_check_in_comments_check_in", "check_in_id", "id"),)


class Certificate(Base):
    """That somebody completed a camp, as it was then: names are kept as they stood. Whoever holds the code may look."""

    __tablename__ = "certificates"

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"))
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    holder: Mapped[str]
    camp_title: Mapped[str]
    circle_name: Mapped[str]
    days_done: Mapped[int]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    issued_on: Mapped[date]
    issued_at: Mapped[datetime]
    # Rendering: due (moved ahead while somebody works on it), how often it was tried, what went wrong, done.
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    rendered_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_for: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        UniqueConstraint("camp_id", "user_id"),
        Index("ix_certificates_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_certificates_turns", "circle_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_certificates_circle", "circle_id", "id"),
        CheckConstraint("days_done > 0", name="days_done"),
    )

    def object_key(self, form: str) -> str:
        """Where the storage keeps the `pdf` or `png`."""
        return f"certificates/{self.id}.{form}"
