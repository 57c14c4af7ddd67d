"""What happened to homework."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _HomeworkEvent:
    circle_id: UUID
    assignment_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class HomeworkDueSoon(_HomeworkEvent):
    """These members still owe it, and it is due soon."""

    user_ids: Sequence[UUID]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class HomeworkOverdue(_HomeworkEvent):
    """These members owed it when the due time was over, and still do."""

    user_ids: Sequence[UUID]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class HomeworkNudged(_HomeworkEvent):
    """A teacher reminds these members, who still owe it; `day` is the circle's, one reminder a day."""

    user_ids: Sequence[UUID]
    day: str
    # Theirs; None where it is never due.
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkHandedIn(_HomeworkEvent):
    """A member handed in a version of their work."""

    work_id: UUID
    submission_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class WorkReviewed(_HomeworkEvent):
    """Somebody's work was judged by a teacher, and they may know."""

    user_id: UUID
    review_id: UUID
    reviewer_id: UUID


@dataclass(frozen=True, slots=True)
class ScoresReleased(_HomeworkEvent):
    """Scores that were held back are out: these members have one."""

    user_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class ExtensionGranted(_HomeworkEvent):
    user_id: UUID
    extension_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PeerReviewsAsked(_HomeworkEvent):
    """Members are asked to review works of others: who, and by which task."""

    asked: Sequence[tuple[UUID, UUID]]
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PeerReviewDueSoon(_HomeworkEvent):
    reviewer_id: UUID
    task_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class PeerReviewsMissed(_HomeworkEvent):
    """Works whose peers did not all review them in time wait for a teacher now."""

    teacher_id: UUID
    work_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class WorkShowcased(_HomeworkEvent):
    """A work is to be shown in the circle, with its author's consent, and filed in a column if one is named."""

    submission_id: UUID
    author_id: UUID
    shown_by: UUID
    body: str
    attachments: Sequence[UUID]
    # Whoever could not read the assignment can't read what was made of it.
    tier_id: UUID | None
    column_id: UUID | None
