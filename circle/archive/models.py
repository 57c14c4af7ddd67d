"""Tables of imports. Tags and columns are in `posts/filing.py`, digest marks in `posts/models.py`."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json
from circle.kernel.state import Machine


class ImportFormat(StrEnum):
    MARKDOWN = "markdown"  # files of Markdown
    PLANET = "planet"  # what crawlers of Knowledge Planet write
    CIRCLE = "circle"  # a creator's export of this product


class ImportStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"  # some files may have failed: the report names them
    FAILED = "failed"  # it was ended; `refusal` tells why
    UNDOING = "undoing"  # what it made is being taken out again
    UNDONE = "undone"


STATUS = Machine(
    "import",
    {
        ImportStatus.QUEUED: frozenset({ImportStatus.RUNNING, ImportStatus.FAILED}),
        # Running again: its worker was killed and another took it over.
        ImportStatus.RUNNING: frozenset({ImportStatus.RUNNING, ImportStatus.DONE, ImportStatus.FAILED}),
        ImportStatus.DONE: frozenset({ImportStatus.UNDOING}),
        ImportStatus.FAILED: frozenset({ImportStatus.UNDOING}),
        ImportStatus.UNDOING: frozenset({ImportStatus.UNDOING, ImportStatus.UNDONE}),
        ImportStatus.UNDONE: frozenset(),
    },
)
_OPEN = text("status IN ('queued', 'running', 'undoing')")


class Import(Base):
    """One run over one archive. Files are written batch by batch, so what was done before a kill stays done."""

    __tablename__ = "imports"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    format: Mapped[str]
    status: Mapped[str]
    # The uploaded archive; None where the command line reads a file of its own.
    media_id: Mapped[UUID | None] = mapped_column(ForeignKey("media.id"))
    # Bytes of the uploaded archive.
    size: Mapped[BigInt | None]
    # As the request gave them: kind, access, author_id, source, site, dry_run.
    options: Mapped[Json]
    # Files in the archive, known once it has been looked through.
    total: Mapped[int | None]
    # Files so far by result: {"created": 12, "unchanged": 3, "updated": 0, "skipped": 1, "failed": 0}.
    counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)
    # What to look at, in reading order: [{"path", "line", "code", "data"}], the first thousand.
    report: Mapped[list[Json]] = mapped_column(JSONB, default=list)
    # Why the archive as a whole was refused, in both languages: {"zh", "en"}.
    refusal: Mapped[Json | None]
    # Who works on it has to say so again before this instant, or another may take it over.
    leased_until: Mapped[datetime | None]
    # Whether it stands in the line of those that take long.
    is_long: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        # One at a time in a circle: two over the same files would race for every row.
        Index("uq_imports_open", "circle_id", unique=True, postgresql_where=_OPEN),
        Index("ix_imports_circle", "circle_id", "created_at", "id"),
        Index("ix_imports_due", "leased_until", postgresql_where=_OPEN),
        CheckConstraint("format IN ('markdown', 'planet', 'circle')", name="format"),
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'undoing', 'undone')", name="status"),
        CheckConstraint("(finished_at IS NULL) = (status IN ('queued', 'running'))", name="finished"),
    )

    @property
    def is_rehearsal(self) -> bool:
        """Whether it only tells what it would come to."""
        return bool(self.options.get("dry_run"))


class ImportedFile(Base):
    """What a file was when it was last taken over, so that the next import can tell what changed, and where."""

    __tablename__ = "imported_files"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    import_key: Mapped[str] = mapped_column(primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), unique=True)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("imports.id"), index=True)
    # SHA-256 of all that the file said; the same again changes nothing.
    source_hash: Mapped[bytes] = mapped_column(LargeBinary)
    # SHA-256 of title, line feed and body as written: where the post differs, somebody has edited it in the circle.
    text_hash: Mapped[bytes] = mapped_column(LargeBinary)
    imported_at: Mapped[datetime]


class ImportedRecord(Base):
    """A row of somebody's books from another installation, such as an order: kept to be read and exported again.

    Money that moved elsewhere is no money of ours, so these rows never become invoices or entries of the ledger.
    """

    __tablename__ = "imported_records"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("imports.id"), index=True)
    row: Mapped[Json]
