"""What happened in the archive."""

from dataclasses import dataclass
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
    """Posts came in from outside. They are not announced one by one: this stands for `PostPublished` of each."""

    circle_id: UUID
    import_id: UUID
    post_ids: tuple[UUID, ...]
