"""Tables of where posts are filed: nested tags, and columns with sections. The archive room fills them.

They stand beside the posts because every list of posts filters on them.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id, Versioned
from circle.posts.models import AccessLevel

# A tag's path is its names joined by this, such as 写作/选题.
PATH_SEPARATOR = "/"


class Tag(Versioned, Base):
    """A tag of a circle; `path` is kept in step with its ancestors' names."""

    __tablename__ = "tags"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("tags.id"), index=True)
    name: Mapped[str]
    path: Mapped[str]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (UniqueConstraint("circle_id", "path"),)


class PostTag(Base):
    __tablename__ = "post_tags"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_post_tags_tag", "tag_id", "post_id"),)


class Column(Versioned, Base):
    """An ordered collection of posts, with a gate of its own; a reading path keeps each member's progress."""

    __tablename__ = "columns"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    name: Mapped[str]
    intro: Mapped[str] = mapped_column(default="")
    cover_media_id: Mapped[UUID | None]
    access_level: Mapped[str] = mapped_column(default=AccessLevel.MEMBERS)
    access_tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    is_path: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    import_key: Mapped[str | None]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        UniqueConstraint("circle_id", "import_key"),
        Index("ix_columns_circle", "circle_id", "position", "id"),
        CheckConstraint("(access_level = 'tier') = (access_tier_id IS NOT NULL)", name="access"),
    )


class ColumnSection(Base):
    __tablename__ = "column_sections"

    id: Mapped[Id]
    column_id: Mapped[UUID] = mapped_column(ForeignKey("columns.id"), index=True)
    name: Mapped[str]
    position: Mapped[int]


class ColumnItem(Base):
    """A post in a column: `position` counts through all sections."""

    __tablename__ = "column_items"

    column_id: Mapped[UUID] = mapped_column(ForeignKey("columns.id"), primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    section_id: Mapped[UUID | None] = mapped_column(ForeignKey("column_sections.id"))
    position: Mapped[int]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_column_items_order", "column_id", "position", "post_id"),
        Index("ix_column_items_post", "post_id"),
        Index("ix_column_items_section", "section_id", postgresql_where=text("section_id IS NOT NULL")),
    )
