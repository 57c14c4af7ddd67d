"""Tables of what the archive makes of reading: a post's value, how far a member has caught up, the weekly digest."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Date, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base


class PostScore(Base):
    """What a post has been worth to others than its author: people counted, and the value made of them.

    A post without a row has not been looked at by anybody; docs/archive.md has the formula.
    """

    __tablename__ = "post_scores"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    readers: Mapped[int]
    finishers: Mapped[int]
    likers: Mapped[int]
    keepers: Mapped[int]
    repliers: Mapped[int]
    score: Mapped[int]
    scored_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_post_scores_best", "circle_id", text("score DESC"), text("post_id DESC")),
        Index("ix_post_scores_read", "circle_id", text("readers DESC"), text("post_id DESC")),
        Index("ix_post_scores_oldest", "scored_at"),
    )


class PostScoreDue(Base):
    """A mark that a post's value has to be made anew: one for each thing that was done with it.

    Whoever takes a mark sees what it stands for, because both were committed at once. One row for each post would be
    where all its readers meet. No foreign key: marking must not lock the post's row.
    """

    __tablename__ = "post_scores_due"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    post_id: Mapped[UUID]


class CircleRead(Base):
    """Until when a member has read all of a circle, as they said with "mark all as read"."""

    __tablename__ = "circle_reads"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    read_until: Mapped[datetime]


class WeeklyDigest(Base):
    """One circle's digest of one week, begun once; `after_id` is the last membership that was told."""

    __tablename__ = "weekly_digests"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    # The local day it is sent on.
    week_of: Mapped[date] = mapped_column(Date, primary_key=True)
    # The instant that its week ends with.
    due_at: Mapped[datetime]
    after_id: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_weekly_digests_open", "due_at", postgresql_where=text("finished_at IS NULL")),)
