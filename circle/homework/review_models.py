"""Tables of what teachers and peers say about homework."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from circle.homework.models import WorkState
from circle.kernel.db import Base, Id, Json, Versioned


class Verdict(StrEnum):
    PASSED = WorkState.PASSED
    REDO = WorkState.REDO
    EXCELLENT = WorkState.EXCELLENT
    SCORED = WorkState.SCORED


class Review(Versioned, Base):
    """A response to one version of a member's work; `peer` ones come from fellow members."""

    __tablename__ = "reviews"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    work_id: Mapped[UUID] = mapped_column(ForeignKey("works.id"), index=True)
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submissions.id"), index=True)
    reviewer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    peer: Mapped[bool] = mapped_column(default=False)
    verdict: Mapped[str]
    # As given, and after the penalty for being late.
    score: Mapped[int | None]
    final_score: Mapped[int | None]
    # Level by criterion.
    rubric: Mapped[Json] = mapped_column(default=dict)
    body: Mapped[str] = mapped_column(default="")
    # [{"start": 0, "end": 4, "text": "…"}], in characters of the version that was judged.
    remarks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        # Two assistants never judge the same version.
        Index("uq_reviews_teacher", "submission_id", unique=True, postgresql_where=text("NOT peer")),
        Index("uq_reviews_peer", "work_id", "reviewer_id", unique=True, postgresql_where=text("peer")),
        Index("ix_reviews_circle", "circle_id", "id"),
        CheckConstraint("verdict IN ('passed', 'redo', 'excellent', 'scored')", name="verdict"),
        CheckConstraint("(score IS NULL) = (final_score IS NULL)", name="score"),
        CheckConstraint("verdict <> 'scored' OR score IS NOT NULL", name="scored"),
    )


class ReviewRevision(Base):
    """What a review said before it was changed."""

    __tablename__ = "review_revisions"

    review_id: Mapped[UUID] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str]
    score: Mapped[int | None]
    final_score: Mapped[int | None]
    rubric: Mapped[Json]
    body: Mapped[str]
    changed_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime]


class PeerTask(Base):
    """That a member is asked to review a fellow member's work: done, lapsed, or open until `due_at`.

    One that nobody has begun may move to another work, so that counts stay even as more is handed in.
    """

    __tablename__ = "peer_tasks"

    id: Mapped[Id]
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    work_id: Mapped[UUID] = mapped_column(ForeignKey("works.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    reviewer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    assigned_at: Mapped[datetime]
    due_at: Mapped[datetime]
    begun_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    lapsed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("work_id", "reviewer_id"),
        CheckConstraint("author_id <> reviewer_id", name="not_ones_own"),
        CheckConstraint("num_nonnulls(done_at, lapsed_at) < 2", name="ended"),
        Index("ix_peer_tasks_reviewer", "reviewer_id", "assignment_id"),
        Index(
            "ix_peer_tasks_movable",
            "assignment_id",
            "assigned_at",
            postgresql_where=text("begun_at IS NULL AND done_at IS NULL AND lapsed_at IS NULL"),
        ),
        Index("ix_peer_tasks_due", "due_at", postgresql_where=text("done_at IS NULL AND lapsed_at IS NULL")),
    )
