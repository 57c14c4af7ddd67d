"""Tables of the index. All of it can be made anew from what was written: `circle search reindex`."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base


class Found(StrEnum):
    """What a hit stands in."""

    POST = "post"
    ANSWER = "answer"
    COMMENT = "comment"
    FILE = "file"
    SUBMISSION = "submission"


class Owed(StrEnum):
    """What workers do for the index."""

    POST = "post"  # index a post, its answer, and the names of their files
    COMMENT = "comment"  # index a comment
    WORK = "work"  # index the latest version of a homework
    FILE = "file"  # read a text file that is attached
    WORDS = "words"  # find the words of a document, for the ranking


class SearchDocument(Base):
    """One text that can be found, folded (`folding.fold`). Who may see it is asked of the live rows at each search.

    Rows are kept narrow (toast_tuple_target): a common word reads thousands of them, and texts only of the best.
    """

    __tablename__ = "search_documents"

    # The post, answer, comment, attached file or submission.
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    # Where it stands; None for homework.
    post_id: Mapped[UUID | None] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # When it came before readers: what "newest" goes by.
    shown_at: Mapped[datetime]
    title: Mapped[str]
    text: Mapped[str]
    # Of an article, folded: what it says about something stands under its name.
    headings: Mapped[str] = mapped_column(server_default="")
    # How many characters the text gained and lost by folding: where a hit stands in the original lies between.
    gained: Mapped[int]
    lost: Mapped[int]
    # Of a file: what it says, as it says it. All else is shown from its own row.
    content: Mapped[str | None]
    # Keys of the circle, of all pairs of characters, and of those of the title (`folding`).
    terms: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    # The words with their places, the title's with weight A; None until a worker has found them.
    words: Mapped[Any | None] = mapped_column(TSVECTOR)

    __table_args__ = (
        Index(
            "ix_search_documents_terms",
            "terms",
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 1024},
        ),
        Index("ix_search_documents_newest", "circle_id", sql("shown_at DESC"), sql("subject_id DESC")),
        Index("ix_search_documents_post", "post_id", postgresql_where=sql("post_id IS NOT NULL")),
        CheckConstraint("kind IN ('post', 'answer', 'comment', 'file', 'submission')", name="kind"),
        CheckConstraint("(kind = 'submission') = (post_id IS NULL)", name="post"),
    )


class SearchDue(Base):
    """What is still to be done for the index; who has done it deletes the row.

    Texts are indexed while their row is locked: who writes one meanwhile waits, and owes it anew. Files and words take
    longer: a worker takes their rows by moving `due_at` past its lease.
    """

    __tablename__ = "search_due"

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)

    __table_args__ = (
        Index("ix_search_due_due", "kind", "due_at"),
        CheckConstraint("kind IN ('post', 'comment', 'work', 'file', 'words')", name="kind"),
    )


class SearchMiss(Base):
    """How often members looked for something that is not there, by local day; never who."""

    __tablename__ = "search_misses"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    # Folded, its words in their order.
    query: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int]
