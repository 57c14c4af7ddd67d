"""What happened to posts. Comments, reactions and the like announce themselves in `discussion_events.py`."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _PostEvent:
    circle_id: UUID
    post_id: UUID
    author_id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class PostPublished(_PostEvent):
    """Members see it from now on, for the first time. The author of an anonymous question is not to be told on."""

    was_scheduled: bool = False


@dataclass(frozen=True, slots=True)
class PostEdited(_PostEvent):
    """The text, attachments, tags or gate of a published post changed; not only tags and gate if it was `rewritten`."""

    rewritten: bool = True


@dataclass(frozen=True, slots=True)
class PostHeld(_PostEvent):
    """A blocked word holds it back until a moderator lets it pass."""


@dataclass(frozen=True, slots=True)
class PostHidden(_PostEvent):
    """A moderator took it out of sight."""


@dataclass(frozen=True, slots=True)
class PostReturned(_PostEvent):
    """Members see again what they had seen: unhidden, restored, or let pass after an edit. Not to be announced anew."""


@dataclass(frozen=True, slots=True)
class PostTrashed(_PostEvent):
    """It can be restored for 30 days. `was_published`: members had seen it."""

    trashed_by: UUID
    was_published: bool


@dataclass(frozen=True, slots=True)
class PostRestored(_PostEvent):
    """Came back from the trash; where members see it again, `PostReturned` tells so."""


@dataclass(frozen=True, slots=True)
class PostPurged(_PostEvent):
    """Its text and attachments are gone for good; the row stays as a tombstone."""
