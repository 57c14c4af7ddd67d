"""Tables of notices, of what people want to hear, and of mail kept for the dev mailbox."""

from datetime import datetime, time
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Time, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id, Json


class Notification(Base):
    """One notice to one person. `data` fills the sentences of its kind; it never holds text behind a paywall."""

    __tablename__ = "notifications"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    circle_id: Mapped[UUID | None] = mapped_column(ForeignKey("circles.id"))
    kind: Mapped[str]
    # What happened, once per person: a second announcement of it is no second notice.
    key: Mapped[str]
    subject_kind: Mapped[str | None]
    subject_id: Mapped[UUID | None]
    data: Mapped[Json]
    # Somebody who wants a kind by mail only has the row too, outside the inbox.
    in_app: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("user_id", "key"),
        Index("ix_notifications_inbox", "user_id", "created_at", "id", postgresql_where=text("in_app")),
        Index(
            "ix_notifications_unread",
            "user_id",
            "created_at",
            "id",
            postgresql_where=text("in_app AND read_at IS NULL"),
        ),
        Index("ix_notifications_circle_id", "circle_id"),
        # They come in the order of time: what is to be forgotten lies together.
        Index("ix_notifications_age", "created_at", postgresql_using="brin"),
    )


class QuietHours(Base):
    """When a person wants nothing to ring, by the clock of their own time zone; it may pass midnight."""

    __tablename__ = "quiet_hours"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    quiet_from: Mapped[time] = mapped_column(Time)
    quiet_to: Mapped[time] = mapped_column(Time)


class NotificationSwitch(Base):
    """A wish about a kind, a circle, or both; the row that names more wins over the one that names less."""

    __tablename__ = "notification_switches"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    circle_id: Mapped[UUID | None] = mapped_column(ForeignKey("circles.id"))
    kind: Mapped[str | None]
    in_app: Mapped[bool]
    email: Mapped[bool]
    webhook: Mapped[bool] = mapped_column(default=True, server_default=true())

    __table_args__ = (
        UniqueConstraint("user_id", "circle_id", "kind", postgresql_nulls_not_distinct=True),
        Index("ix_notification_switches_circle_id", "circle_id"),
    )


class MailboxMessage(Base):
    """Mail and text messages of an installation that sends none: shown on `/dev/mailbox`."""

    __tablename__ = "mailbox_messages"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[str]
    to: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_mailbox_messages_to", "to", "created_at"),
        Index("ix_mailbox_messages_created_at", "created_at", "id"),
    )
