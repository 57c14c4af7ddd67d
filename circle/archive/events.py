"""What happened in the archive."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PostMarkedDigest:
    """A post is worth keeping, says `marked_by`; told once per mark."""

    circle_id: UUID
    post_id: UUID
    author_id: UUID
    marked_by: UUID


@dataclass(frozen=True, slots=True)
class PostUnmarkedDigest:
    circle_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True)
class PostsImported:
    """Posts, or more that was said below them, came in from outside.

    They are not announced one by one: this stands for `PostPublished` of each.
    """

    circle_id: UUID
    import_id: UUID
    post_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class PostKept:
    """A member bookmarked a post; who, is theirs."""

    circle_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True)
class PostDropped:
    """A member took a bookmark away."""

    circle_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True)
class MemberMissed:
    """What one member has not opened: how many posts of the week (100 stands for more), how many gems of the archive.

    `post_ids` are the best of both; the member may open them now.
    """

    user_id: UUID
    missed: int
    gems: int
    post_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class WeekMissed:
    """A circle's week has ended, and these members have missed something; `week_of` is its last day."""

    circle_id: UUID
    week_of: date
    members: tuple[MemberMissed, ...]
