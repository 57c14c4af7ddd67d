"""Tables of assignments and of what members hand in. What reviewers write stands in `review_models.py`."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id, Versioned


class Audience(StrEnum):
    """Whom an assignment is for. A cohort is whoever joined the circle within a span of time, such as one term."""

    ALL = "all"
    TIER = "tier"
    NAMED = "named"
    COHORT = "cohort"


class LatePolicy(StrEnum):
    """What becomes of late work; a cut-off, where there is one, ends every kind."""

    ACCEPTED = "accepted"
    PENALTY = "penalty"  # some percent of the score per day begun
    REFUSED = "refused"  # after the cut-off; without one, after the due time


class Visibility(StrEnum):
    """When members see each other's work."""

    NEVER = "never"
    AFTER_SUBMISSION = "after_submission"
    AFTER_DUE = "after_due"
    ALWAYS = "always"


class WorkState(StrEnum):
    """How far one member is with one assignment: the verdict on the latest version, once there is one."""

    OWED = "todo"
    SUBMITTED = "submitted"
    REDO = "redo"
    PASSED = "passed"
    EXCELLENT = "excellent"
    SCORED = "scored"


class Assignment(Versioned, Base):
    __tablename__ = "assignments"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    brief: Mapped[str] = mapped_column(default="")
    audience: Mapped[str] = mapped_column(default=Audience.ALL)
    tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    joined_from: Mapped[datetime | None]
    joined_before: Mapped[datetime | None]
    opens_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    cutoff_at: Mapped[datetime | None]
    # The latest due time that anybody has, extensions included: where reminders stop looking.
    last_due_at: Mapped[datetime | None]
    late_policy: Mapped[str] = mapped_column(default=LatePolicy.ACCEPTED)
    # Percent of the score that a day begun costs.
    penalty_percent: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int | None]
    redo_until_passed: Mapped[bool] = mapped_column(default=False)
    min_words: Mapped[int] = mapped_column(default=0)
    visibility: Mapped[str] = mapped_column(default=Visibility.NEVER)
    max_score: Mapped[int] = mapped_column(default=100)
    # Criteria with their levels, such as {"name": "论点", "levels": [{"name": "清楚", "points": 5}]}.
    rubric: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    hold_scores: Mapped[bool] = mapped_column(default=False)
    scores_released_at: Mapped[datetime | None]
    # Peers who review each work; 0: teachers review.
    peer_reviewers: Mapped[int] = mapped_column(default=0)
    # Days that a peer has, from being asked.
    peer_days: Mapped[int] = mapped_column(default=3)
    peer_anonymous: Mapped[bool] = mapped_column(default=True)
    # Those who owe are reminded so many hours before it is due; 0: not before.
    remind_hours: Mapped[int] = mapped_column(default=24)
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        Index("ix_assignments_all", "circle_id", "id"),
        Index("ix_assignments_circle", "circle_id", "opens_at", "id", postgresql_where=text("deleted_at IS NULL")),
        Index("ix_assignments_last_due", "last_due_at", postgresql_where=text("deleted_at IS NULL")),
        CheckConstraint("audience IN ('all', 'tier', 'named', 'cohort')", name="audience"),
        CheckConstraint("(audience = 'tier') = (tier_id IS NOT NULL)", name="tier"),
        CheckConstraint("(audience = 'cohort') = (num_nonnulls(joined_from, joined_before) = 2)", name="cohort"),
        CheckConstraint("due_at > opens_at", name="due"),
        CheckConstraint("cutoff_at >= due_at", name="cutoff"),
        CheckConstraint("late_policy IN ('accepted', 'penalty', 'refused')", name="late_policy"),
        CheckConstraint("penalty_percent BETWEEN 0 AND 100", name="penalty_percent"),
        CheckConstraint("visibility IN ('never', 'after_submission', 'after_due', 'always')", name="visibility"),
        CheckConstraint("max_attempts > 0", name="max_attempts"),
        CheckConstraint("max_score > 0", name="max_score"),
        CheckConstraint("peer_reviewers BETWEEN 0 AND 10", name="peer_reviewers"),
    )

    @property
    def tells_scores(self) -> bool:
        return not self.hold_scores or self.scores_released_at is not None

    def due_of(self, work: "Work | None") -> datetime | None:
        """Return when it is due for a member: by their extension, or with everybody where that is later by now."""
        if self.due_at is None or work is None or work.due_at is None:
            return self.due_at
        return max(self.due_at, work.due_at)

    def closes_for(self, work: "Work | None") -> datetime | None:
        """Return when a member may hand in no longer; an extension moves the cut-off as far as the due time."""
        due_at = self.due_of(work)
        if self.cutoff_at is not None and self.due_at is not None and due_at is not None:
            return self.cutoff_at + (due_at - self.due_at)
        return due_at if self.late_policy == LatePolicy.REFUSED else self.cutoff_at

    def penalty_for(self, late: timedelta) -> int:
        """Return how many percent of the score are lost."""
        if self.late_policy != LatePolicy.PENALTY or late <= timedelta():
            return 0
        days_begun = -(-late // timedelta(days=1))
        return min(100, self.penalty_percent * days_begun)


class AssignmentMember(Base):
    """Somebody named in an assignment's audience."""

    __tablename__ = "assignment_members"

    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)


class Work(Base):
    """One member's homework for one assignment: the row that hand-ins, reviews and claims lock.

    It sums up what immutable rows say (submissions, reviews, extensions), so that queues and grades are one read.
    """

    __tablename__ = "works"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    state: Mapped[str] = mapped_column(default=WorkState.OWED)
    attempts: Mapped[int] = mapped_column(default=0)
    # Their own due time, where an extension gave one.
    due_at: Mapped[datetime | None]
    # The latest version.
    submission_id: Mapped[UUID | None]
    submitted_at: Mapped[datetime | None]
    # In the teachers' queue since then; None while nothing waits there.
    waiting_since: Mapped[datetime | None]
    claimed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    claimed_until: Mapped[datetime | None]
    # What the latest verdict gave, after any penalty.
    score: Mapped[int | None]
    # Peer reviews: asked of this member, asked for this work, and when the work falls to a teacher.
    peer_given: Mapped[int] = mapped_column(default=0)
    peer_received: Mapped[int] = mapped_column(default=0)
    peer_due_at: Mapped[datetime | None]
    # The author lets the circle see it; when a teacher did show it, and which version.
    consented_at: Mapped[datetime | None]
    showcased_at: Mapped[datetime | None]
    showcased_id: Mapped[UUID | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("assignment_id", "user_id"),
        Index("ix_works_circle", "circle_id", "id"),
        Index("ix_works_handed_in", "assignment_id", "id", postgresql_where=text("attempts > 0")),
        Index("ix_works_by_time", "assignment_id", "submitted_at", "id", postgresql_where=text("attempts > 0")),
        Index(
            "ix_works_queue",
            "assignment_id",
            "waiting_since",
            "id",
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
        Index("ix_works_peer_given", "assignment_id", "peer_given", postgresql_where=text("attempts > 0")),
        Index("ix_works_peer_received", "assignment_id", "peer_received", postgresql_where=text("attempts > 0")),
        Index("ix_works_peer_due", "peer_due_at", postgresql_where=text("peer_due_at IS NOT NULL")),
        CheckConstraint("state IN ('todo', 'submitted', 'redo', 'passed', 'excellent', 'scored')", name="state"),
        CheckConstraint("(attempts > 0) = (submission_id IS NOT NULL)", name="submission"),
        CheckConstraint("(attempts > 0) = (submitted_at IS NOT NULL)", name="submitted"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim"),
        CheckConstraint("showcased_at IS NULL OR consented_at IS NOT NULL", name="consent"),
    )


class Submission(Base):
    """One version that was handed in; the database refuses to change it."""

    __tablename__ = "submissions"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    work_id: Mapped[UUID] = mapped_column(ForeignKey("works.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    number: Mapped[int]
    body: Mapped[str]
    words: Mapped[int]
    # Media in their order. Each is attached to the version that brought it; later ones of the same work name it again.
    attachments: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list, server_default=text("'{}'"))
    # When it was due for its author at that time, how late it was, and what that costs.
    due_at: Mapped[datetime | None]
    late_seconds: Mapped[int] = mapped_column(default=0)
    penalty_percent: Mapped[int] = mapped_column(default=0)
    submitted_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("work_id", "number"),
        Index("ix_submissions_circle", "circle_id", "id"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("late_seconds >= 0", name="late_seconds"),
    )


class Draft(Versioned, Base):
    """What a member is writing: kept as they go, dropped when they hand in."""

    __tablename__ = "homework_drafts"

    id: Mapped[Id]
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    body: Mapped[str] = mapped_column(default="")
    # As those of a version.
    attachments: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list, server_default=text("'{}'"))
    updated_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (UniqueConstraint("assignment_id", "user_id"),)


class Extension(Base):
    """That somebody got more time: never changed, the latest holds. The note is forgotten with the account."""

    __tablename__ = "extensions"

    id: Mapped[Id]
    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    due_at: Mapped[datetime]
    # What it was before, for the trace.
    due_before: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
    granted_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    granted_at: Mapped[datetime]

    __table_args__ = (Index("ix_extensions_assignment", "assignment_id", "user_id", "id"),)


class Reminder(Base):
    """That somebody was reminded; `key` makes it once: `due_soon:<due>`, `overdue:<due>`, `by_hand:<day>`."""

    __tablename__ = "homework_reminders"

    assignment_id: Mapped[UUID] = mapped_column(ForeignKey("assignments.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]
