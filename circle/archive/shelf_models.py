"""Tables of what somebody has laid out by hand: pins and the start of a circle, a member's own bookmarks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id

MAX_PINS = 5


class PostPin(Base):
    """A post at the top of its circle. The slots are counted from 1, so that the primary key lets five stand there."""

    __tablename__ = "post_pins"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), unique=True)
    pinned_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    pinned_at: Mapped[datetime]
    # From then on it is no pin any more, and its place is free.
    ends_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint(f"slot BETWEEN 1 AND {MAX_PINS}", name="slot"),)


class StartHere(Base):
    """What a new member reads first, in order, as the creator has laid it out."""

    __tablename__ = "start_here"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    position: Mapped[int]

    __table_args__ = (Index("ix_start_here_order", "circle_id", "position"),)


class BookmarkFolder(Base):
    """A member's folder, which goes through all their circles."""

    __tablename__ = "bookmark_folders"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("user_id", "name"),)


class Bookmark(Base):
    """That a member keeps a post, where, and what they noted about it for themselves."""

    __tablename__ = "bookmarks"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookmark_folders.id"), index=True)
    own_note: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_bookmarks_newest", "user_id", text("created_at DESC"), text("post_id DESC")),
        # For the value of a post.
        Index("ix_bookmarks_post_id", "post_id"),
    )
