"""Tables of what is written. Where it is filed (tags, columns) stands in `filing.py`."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json, Versioned
from circle.kernel.state import Machine


class Kind(StrEnum):
    TALK = "talk"
    ARTICLE = "article"
    QUESTION = "question"


class PostStatus(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    REVIEW = "review"  # held back by a blocked word until a moderator lets it pass
    UNPAID = "unpaid"  # a paid question before its payment
    PUBLISHED = "published"
    HIDDEN = "hidden"  # by a moderator
    TRASHED = "trashed"


_WRITING = frozenset({PostStatus.SCHEDULED, PostStatus.REVIEW, PostStatus.PUBLISHED, PostStatus.TRASHED})
STATUS = Machine(
    "post",
    {
        PostStatus.DRAFT: _WRITING | {PostStatus.UNPAID},
        PostStatus.SCHEDULED: (_WRITING | {PostStatus.DRAFT}) - {PostStatus.SCHEDULED},
        PostStatus.REVIEW: frozenset({PostStatus.PUBLISHED, PostStatus.HIDDEN, PostStatus.TRASHED}),
        PostStatus.UNPAID: frozenset({PostStatus.PUBLISHED, PostStatus.REVIEW, PostStatus.TRASHED}),
        PostStatus.PUBLISHED: frozenset({PostStatus.HIDDEN, PostStatus.TRASHED, PostStatus.REVIEW}),
        PostStatus.HIDDEN: frozenset({PostStatus.PUBLISHED, PostStatus.TRASHED}),
        # Restored to what it was; the table keeps that in `trashed_from`.
        PostStatus.TRASHED: frozenset(PostStatus) - {PostStatus.TRASHED},
    },
)


class AccessLevel(StrEnum):
    PREVIEW = "preview"
    MEMBERS = "members"
    TIER = "tier"


class Post(Versioned, Base):
    __tablename__ = "posts"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    status: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    body: Mapped[str]
    # What everybody may read of a locked post; empty: nothing.
    excerpt: Mapped[str] = mapped_column(default="")
    access_level: Mapped[str] = mapped_column(default=AccessLevel.MEMBERS)
    access_tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    anonymous: Mapped[bool] = mapped_column(default=False)
    # Cards of the attached media, in order, as answers show them.
    attachments: Mapped[list[Json]] = mapped_column(JSONB, default=list)
    # Likes and such by emoji: {"👍": 3}; the rows are in `reactions`.
    reaction_counts: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)
    comment_count: Mapped[int] = mapped_column(default=0)
    publish_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    edited_at: Mapped[datetime | None]
    digest_at: Mapped[datetime | None]
    digest_by: Mapped[UUID | None]
    trashed_at: Mapped[datetime | None]
    trashed_from: Mapped[str | None]
    trashed_by: Mapped[UUID | None]
    # Its text is gone for good, 30 days after it was trashed; the row stays as a tombstone.
    purged_at: Mapped[datetime | None]
    hidden_at: Mapped[datetime | None]
    # Where an imported post came from: the same source is imported once.
    import_id: Mapped[UUID | None]
    import_key: Mapped[str | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        Index("ix_posts_import", "import_id", "id", postgresql_where=text("import_id IS NOT NULL")),
        Index(
            "ix_posts_feed",
            "circle_id",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("status = 'published'"),
        ),
        Index(
            "ix_posts_feed_author",
            "circle_id",
            "author_id",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("status = 'published'"),
        ),
        Index(
            "ix_posts_feed_kind",
            "circle_id",
            "kind",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("status = 'published'"),
        ),
        Index(
            "ix_posts_feed_digest",
            "circle_id",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("status = 'published' AND digest_at IS NOT NULL"),
        ),
        Index("ix_posts_own", "author_id", "circle_id", "status", "id"),
        Index(
            "ix_posts_held",
            "circle_id",
            "status",
            "id",
            postgresql_where=text("status IN ('review', 'hidden', 'trashed')"),
        ),
        Index("ix_posts_scheduled", "publish_at", postgresql_where=text("status = 'scheduled'")),
        Index("ix_posts_trashed", "trashed_at", postgresql_where=text("status = 'trashed' AND purged_at IS NULL")),
        UniqueConstraint("circle_id", "import_key"),
        CheckConstraint("kind IN ('talk', 'article', 'question')", name="kind"),
        CheckConstraint("(access_level = 'tier') = (access_tier_id IS NOT NULL)", name="access"),
        CheckConstraint("access_level IN ('preview', 'members', 'tier')", name="access_level"),
        CheckConstraint("status <> 'published' OR published_at IS NOT NULL", name="published"),
        CheckConstraint("status <> 'scheduled' OR publish_at IS NOT NULL", name="scheduled"),
        CheckConstraint("(status = 'trashed') = (trashed_at IS NOT NULL)", name="trashed"),
        CheckConstraint("status <> 'trashed' OR trashed_from IS NOT NULL", name="trashed_from"),
    )


class PostRevision(Base):
    """What a post said before an edit; revision 1 is the first text."""

    __tablename__ = "post_revisions"

    id: Mapped[Id]
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"))
    number: Mapped[int]
    editor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("post_id", "number"),)


class QuestionStatus(StrEnum):
    UNPAID = "unpaid"
    OPEN = "open"
    ANSWERED = "answered"
    REFUNDED = "refunded"  # paid, but not answered in time


QUESTION_STATUS = Machine(
    "question",
    {
        # Paid for although it was deleted meanwhile: the money goes back at once.
        QuestionStatus.UNPAID: frozenset({QuestionStatus.OPEN, QuestionStatus.REFUNDED}),
        QuestionStatus.OPEN: frozenset({QuestionStatus.ANSWERED, QuestionStatus.REFUNDED}),
        QuestionStatus.ANSWERED: frozenset(),
        QuestionStatus.REFUNDED: frozenset(),
    },
)


class Question(Base):
    """The asking side of a post of kind question; an answer is a row of its own."""

    __tablename__ = "questions"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    asked_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str]
    # What the asker pays, in minor units; None: a free question.
    amount: Mapped[BigInt | None]
    currency: Mapped[str | None]
    # A paid question that is not answered by then is refunded.
    due_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_questions_due", "due_at", postgresql_where=text("status = 'open' AND due_at IS NOT NULL")),
        Index("ix_questions_circle", "circle_id", "status", "post_id"),
        Index("ix_questions_asked", "asked_id", "status"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="money"),
        CheckConstraint("status IN ('unpaid', 'open', 'answered', 'refunded')", name="status"),
    )


class Answer(Versioned, Base):
    """The answer to a question: one, with revisions."""

    __tablename__ = "answers"

    id: Mapped[Id]
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), unique=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    body: Mapped[str]
    attachments: Mapped[list[Json]] = mapped_column(JSONB, default=list)
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012


class AnswerRevision(Base):
    __tablename__ = "answer_revisions"

    id: Mapped[Id]
    answer_id: Mapped[UUID] = mapped_column(ForeignKey("answers.id"))
    number: Mapped[int]
    editor_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("answer_id", "number"),)


class CommentStatus(StrEnum):
    PUBLISHED = "published"
    REVIEW = "review"
    HIDDEN = "hidden"
    TRASHED = "trashed"


COMMENT_STATUS = Machine(
    "comment",
    {
        CommentStatus.PUBLISHED: frozenset({CommentStatus.REVIEW, CommentStatus.HIDDEN, CommentStatus.TRASHED}),
        CommentStatus.REVIEW: frozenset({CommentStatus.PUBLISHED, CommentStatus.HIDDEN, CommentStatus.TRASHED}),
        CommentStatus.HIDDEN: frozenset({CommentStatus.PUBLISHED, CommentStatus.TRASHED}),
        CommentStatus.TRASHED: frozenset(),
    },
)


class Comment(Versioned, Base):
    """A comment on a post, or (with `parent_id`) a reply below one: two levels, no more."""

    __tablename__ = "comments"

    id: Mapped[Id]
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"))
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("comments.id"))
    body: Mapped[str]
    status: Mapped[str]
    # Published replies: kept by the statements that add and take them, without touching the version.
    reply_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    trashed_at: Mapped[datetime | None]
    import_id: Mapped[UUID | None]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        Index("ix_comments_post", "post_id", "created_at", "id", postgresql_where=text("parent_id IS NULL")),
        Index("ix_comments_replies", "parent_id", "created_at", "id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_comments_repliers", "post_id", "status", "author_id"),
        Index("ix_comments_circle", "circle_id", text("created_at DESC"), text("id DESC")),
        Index("ix_comments_held", "circle_id", "created_at", "id", postgresql_where=text("status = 'review'")),
        Index("ix_comments_trashed", "trashed_at", postgresql_where=text("status = 'trashed' AND body <> ''")),
        CheckConstraint("status IN ('published', 'review', 'hidden', 'trashed')", name="status"),
    )


class Reaction(Base):
    __tablename__ = "reactions"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    emoji: Mapped[str] = mapped_column(primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    created_at: Mapped[datetime]


class Mention(Base):
    """That a post, answer or comment names a member, who is told once."""

    __tablename__ = "mentions"

    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    subject_kind: Mapped[str]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"))
    created_at: Mapped[datetime]


# Percent of a text from which on it counts as read to the end: few scroll past the last line.
FINISHED = 95


class PostRead(Base):
    """That a member has opened a post, and how far: `progress` in percent of a long article."""

    __tablename__ = "post_reads"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    progress: Mapped[int] = mapped_column(default=100)
    # Where they stopped, in characters of the body: it goes back with them.
    position: Mapped[int | None]
    first_read_at: Mapped[datetime]
    last_read_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_post_reads_circle", "user_id", "circle_id", text("last_read_at DESC")),
        Index(
            "ix_post_reads_unfinished",
            "user_id",
            text("last_read_at DESC"),
            text("post_id DESC"),
            postgresql_where=text(f"progress < {FINISHED}"),
        ),
        # For the value of a post.
        Index("ix_post_reads_post", "post_id", "progress"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
    )


class Report(Base):
    """A member's complaint about a post, answer, comment or person, and what became of it."""

    __tablename__ = "reports"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    reporter_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str | None]  # None while open; dismissed, hidden, removed, warned
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    resolved_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_reports_open",
            "reporter_id",
            "subject_id",
            unique=True,
            postgresql_where=text("outcome IS NULL"),
        ),
        Index("ix_reports_queue", "circle_id", "created_at", "id"),
        Index("ix_reports_subject", "subject_id", postgresql_where=text("outcome IS NULL")),
        CheckConstraint("subject_kind IN ('post', 'comment')", name="subject_kind"),
        CheckConstraint("outcome IN ('dismissed', 'hidden', 'removed', 'warned')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (resolved_at IS NULL)", name="resolved"),
    )


class BlockedWord(Base):
    """A word that the creator does not want: `block` refuses the text, `review` holds it back."""

    __tablename__ = "blocked_words"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    word: Mapped[str]
    action: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("circle_id", "word"),
        CheckConstraint("action IN ('block', 'review')", name="action"),
    )
