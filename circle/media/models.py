"""The table of uploaded and generated objects."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id
from circle.kernel.state import Machine


class Purpose(StrEnum):
    """What an object is uploaded for; it can be attached to nothing else."""

    POST = "post"
    COMMENT = "comment"
    ASSIGNMENT = "assignment"
    SUBMISSION = "submission"
    REVIEW = "review"
    CHECK_IN = "check_in"
    AVATAR = "avatar"
    COVER = "cover"
    IMPORT = "import"
    EXPORT = "export"


class MediaKind(StrEnum):
    IMAGE = "image"
    FILE = "file"
    AUDIO = "audio"
    VIDEO = "video"


class MediaStatus(StrEnum):
    """How far an object is. `uploaded`: its beginning was checked, and a worker will read the whole."""

    PENDING = "pending"
    UPLOADED = "uploaded"
    READY = "ready"
    REJECTED = "rejected"
    DELETING = "deleting"


MACHINE = Machine(
    "media",
    {
        MediaStatus.PENDING: frozenset({MediaStatus.UPLOADED, MediaStatus.REJECTED, MediaStatus.DELETING}),
        MediaStatus.UPLOADED: frozenset({MediaStatus.READY, MediaStatus.REJECTED, MediaStatus.DELETING}),
        MediaStatus.READY: frozenset({MediaStatus.DELETING}),
        MediaStatus.REJECTED: frozenset({MediaStatus.DELETING}),
        MediaStatus.DELETING: frozenset(),
    },
)


class Media(Base):
    """One object: either attached to something, or to be deleted at `expires_at`."""

    __tablename__ = "media"

    id: Mapped[Id]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str]
    kind: Mapped[str]
    filename: Mapped[str]
    content_type: Mapped[str]
    # Bytes: as announced until it is ready, then as served.
    size: Mapped[BigInt]
    status: Mapped[str] = mapped_column(default=MediaStatus.PENDING)
    # What is served, and smaller WebP versions of an image; a small image has none of its own for `large`.
    object_key: Mapped[str | None]
    large_key: Mapped[str | None]
    thumb_key: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    # Of the bytes that were uploaded.
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    attached_to: Mapped[UUID | None]
    position: Mapped[int | None]
    attached_at: Mapped[datetime | None]
    # Whose quota it counts against while it is attached, and for how much: see `services.quotas`.
    circle_id: Mapped[UUID | None] = mapped_column(ForeignKey("circles.id"))
    counted: Mapped[BigInt | None]
    expires_at: Mapped[datetime | None]
    # Until then the upload link works; the uploaded original is deleted afterwards.
    upload_until: Mapped[datetime | None]
    # Processing: due (moved ahead while somebody works on it), how often it was tried, what went wrong.
    due_at: Mapped[datetime | None]
    # Its place among those that are due: what somebody uploads at once is spread, so that it holds up nobody else's.
    turn_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("kind IN ('image', 'file', 'audio', 'video')", name="kind"),
        CheckConstraint("status IN ('pending', 'uploaded', 'ready', 'rejected', 'deleting')", name="status"),
        CheckConstraint("num_nonnulls(attached_at, expires_at) = 1", name="kept"),
        CheckConstraint("num_nulls(attached_to, attached_at, position) IN (0, 3)", name="attached"),
        CheckConstraint("(status = 'uploaded') = (due_at IS NOT NULL)", name="due"),
        CheckConstraint("status <> 'ready' OR object_key IS NOT NULL", name="ready"),
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("num_nulls(circle_id, counted) IN (0, 2)", name="counted"),
        Index("ix_media_attached", "attached_to", "position", postgresql_where=text("attached_to IS NOT NULL")),
        Index("ix_media_circle", "circle_id", postgresql_where=text("circle_id IS NOT NULL")),
        Index("ix_media_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_media_turn", text("turn_at NULLS FIRST"), postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_media_turns_of", "owner_id", "turn_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_media_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_media_upload_until", "upload_until", postgresql_where=text("upload_until IS NOT NULL")),
    )

    @property
    def upload_key(self) -> str:
        """Where the client uploads to; nothing is ever served from there."""
        return f"uploads/{self.id}"

    def served_key(self, name: str) -> str:
        return f"media/{self.id}/{name}"


class CircleStorage(Base):
    """What a circle's attachments take, a row of its own so that nobody waits for the circle's; and its quota."""

    __tablename__ = "circle_storage"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    bytes: Mapped[BigInt] = mapped_column(default=0)
    # None: as the setting has it for everybody.
    quota: Mapped[BigInt | None]
    # The same of what it may import in 24 hours.
    import_bytes_a_day: Mapped[BigInt | None]
    import_posts_a_day: Mapped[BigInt | None]

    __table_args__ = (
        CheckConstraint("bytes >= 0", name="bytes"),
        CheckConstraint("quota >= 0", name="quota"),
        CheckConstraint("import_bytes_a_day >= 0", name="import_bytes_a_day"),
        CheckConstraint("import_posts_a_day >= 0", name="import_posts_a_day"),
    )
