"""What happened around a post. Ids and plain values only: what may be shown is decided when a notice is read.

`…_by` and `…_id` of a person are None where they are anonymous.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CommentPosted:
    """`told` are those whom it answers: the post's author, and of a reply the author of the comment above it."""

    circle_id: UUID
    post_id: UUID
    comment_id: UUID
    author_id: UUID | None
    told: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class CommentChanged:
    """A published comment says something else, or members see again one that they had seen."""

    circle_id: UUID
    post_id: UUID
    comment_id: UUID


@dataclass(frozen=True, slots=True)
class CommentTrashed:
    """Its author or a moderator took it back, for good."""

    circle_id: UUID
    post_id: UUID
    comment_id: UUID


@dataclass(frozen=True, slots=True)
class CommentHeld:
    """A word holds a comment back until a moderator decides."""

    circle_id: UUID
    post_id: UUID
    comment_id: UUID


@dataclass(frozen=True, slots=True)
class MemberMentioned:
    circle_id: UUID
    post_id: UUID
    subject_kind: str
    subject_id: UUID
    user_id: UUID
    by_id: UUID | None


@dataclass(frozen=True, slots=True)
class PostReacted:
    circle_id: UUID
    post_id: UUID
    author_id: UUID
    user_id: UUID
    emoji: str


@dataclass(frozen=True, slots=True)
class EngagementChanged:
    """What people do with a post changed: it was read, or a reaction or comment came or went."""

    circle_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """A question is open: asked for nothing, or paid for."""

    circle_id: UUID
    post_id: UUID
    asked_id: UUID
    asker_id: UUID | None


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """`told` is who asked."""

    circle_id: UUID
    post_id: UUID
    answer_id: UUID
    author_id: UUID
    told: UUID


@dataclass(frozen=True, slots=True)
class AnswerEdited:
    circle_id: UUID
    post_id: UUID
    answer_id: UUID
    author_id: UUID


@dataclass(frozen=True, slots=True)
class QuestionRefunded:
    """A paid question was not answered in time; `told` is who asked."""

    circle_id: UUID
    post_id: UUID
    told: UUID


@dataclass(frozen=True, slots=True)
class ContentReported:
    circle_id: UUID
    report_id: UUID
    subject_kind: str
    subject_id: UUID


@dataclass(frozen=True, slots=True)
class ReportResolved:
    circle_id: UUID
    report_id: UUID
    reporter_id: UUID
    outcome: str


@dataclass(frozen=True, slots=True)
class AuthorWarned:
    """A moderator found what somebody wrote to be against the rules, and left it there."""

    circle_id: UUID
    report_id: UUID
    post_id: UUID
    subject_kind: str
    subject_id: UUID
    author_id: UUID
