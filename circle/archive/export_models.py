"""The table of exports: what somebody asked to take along, how far it is, and where it lies."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json
from circle.kernel.state import Machine


class ExportScope(StrEnum):
    MINE = "mine"  # what one member may read, and what they wrote
    CIRCLE = "circle"  # everything, for the owner


class ExportFormat(StrEnum):
    MARKDOWN = "markdown"  # a ZIP of Markdown files with media
    EPUB = "epub"  # a book
    ARCHIVE = "archive"  # a ZIP of JSON Lines, CSV, Markdown and media; docs/export-format.md


# Which formats a scope comes in.
FORMATS = {
    ExportScope.MINE: frozenset({ExportFormat.MARKDOWN, ExportFormat.EPUB}),
    ExportScope.CIRCLE: frozenset({ExportFormat.ARCHIVE}),
}


class ExportStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"  # `refusal` tells why


STATUS = Machine(
    "export",
    {
        ExportStatus.QUEUED: frozenset({ExportStatus.RUNNING, ExportStatus.FAILED}),
        # Running again: its worker was killed, and another begins anew. Queued again: it has given its turn back.
        ExportStatus.RUNNING: frozenset(
            {ExportStatus.RUNNING, ExportStatus.QUEUED, ExportStatus.READY, ExportStatus.FAILED}
        ),
        ExportStatus.READY: frozenset(),
        ExportStatus.FAILED: frozenset(),
    },
)
_OPEN = text("status IN ('queued', 'running')")
_HAS_TURN = text("status = 'running' AND turn_at IS NOT NULL")


class Export(Base):
    __tablename__ = "exports"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    scope: Mapped[str]
    format: Mapped[str]
    status: Mapped[str]
    # Things written so far, of how many; known once the contents have been listed.
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    # The file, once it is ready: a row of `media` that goes when it expires.
    media_id: Mapped[UUID | None]
    size: Mapped[BigInt | None]
    expires_at: Mapped[datetime | None]
    # Why it could not be made, in both languages: {"zh", "en"}.
    refusal: Mapped[Json | None]
    # Who works on it has to say so again before this instant, or another begins anew.
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # Whether it stands in the line of those that take long, and when its circle last had a turn with it.
    is_long: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    turn_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        # One at a time for a member of a circle: a second would hold the same.
        Index("uq_exports_open", "circle_id", "requested_by", unique=True, postgresql_where=_OPEN),
        Index("ix_exports_own", "requested_by", "circle_id", "id"),
        Index("ix_exports_due", "leased_until", postgresql_where=_OPEN),
        # A circle has one at work in each line, however many of its members wait.
        Index("uq_exports_turn", "circle_id", "is_long", unique=True, postgresql_where=_HAS_TURN),
        Index("ix_exports_turns", "circle_id", "turn_at", postgresql_where=text("turn_at IS NOT NULL")),
        Index("ix_exports_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        CheckConstraint("scope IN ('mine', 'circle')", name="scope"),
        CheckConstraint("format IN ('markdown', 'epub', 'archive')", name="format"),
        CheckConstraint("(scope = 'circle') = (format = 'archive')", name="scope_format"),
        CheckConstraint("status IN ('queued', 'running', 'ready', 'failed')", name="status"),
        CheckConstraint("(finished_at IS NULL) = (status IN ('queued', 'running'))", name="finished"),
        CheckConstraint("(status = 'ready') = (num_nonnulls(media_id, size, expires_at) = 3)", name="ready"),
    )

    def object_key(self) -> str:
        """Where this attempt writes to; no two attempts share a key, so a late worker spoils nobody's file."""
        return f"exports/{self.id}/{self.attempts}"
