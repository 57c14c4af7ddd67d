"""Tables of webhooks: where a person's notices are posted, and what came of each."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id


class NoticeHook(Base):
    """A person's webhook; one a person. Set anew, it is another row: with another secret, which follows from the id."""

    __tablename__ = "notice_hooks"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), unique=True)
    url: Mapped[str]
    # Tries that failed since the last that did not, since when, and until when nothing is tried again.
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    # It failed for too long; setting it anew begins again.
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class HookDelivery(Base):
    """One try to post a notice."""

    __tablename__ = "hook_deliveries"

    id: Mapped[Id]
    hook_id: Mapped[UUID] = mapped_column(ForeignKey("notice_hooks.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    notification_id: Mapped[UUID]
    # What it answered; None where it did not, and `error` tells why.
    status: Mapped[int | None]
    error: Mapped[str | None]
    tried_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_hook_deliveries_hook", "hook_id", "id"),
        Index("ix_hook_deliveries_tried_at", "tried_at"),
    )
