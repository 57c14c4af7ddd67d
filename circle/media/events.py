"""What happened to media."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class MediaReady:
    """An object can be fetched now; `attached_to` is what shows it, if anything does yet."""

    media_id: UUID
    purpose: str
    attached_to: UUID | None


@dataclass(frozen=True, slots=True)
class MediaRejected:
    """An object turned out not to be what it said; `reason` is an error code."""

    media_id: UUID
    purpose: str
    attached_to: UUID | None
    reason: str
