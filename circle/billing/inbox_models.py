"""The inbox of what providers notify of."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id


class ProviderEvent(Base):
    """The inbox of provider notifications: each event once. It only says where to look; the truth is asked for."""

    __tablename__ = "provider_events"

    id: Mapped[Id]
    provider: Mapped[str]
    event_id: Mapped[str]
    kind: Mapped[str]
    number: Mapped[str]
    # What the provider calls it: the quickest way to ask about it.
    reference: Mapped[str | None]
    received_at: Mapped[datetime]
    lease_until: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    processed_at: Mapped[datetime | None]
    result: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("provider", "event_id"),
        Index("ix_provider_events_due", "lease_until", postgresql_where=text("processed_at IS NULL")),
    )
