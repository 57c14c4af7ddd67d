"""What happened in camps. `camp_title` is what a notice may say to whoever takes part."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _CampEvent:
    camp_id: UUID
    circle_id: UUID
    camp_title: str


@dataclass(frozen=True, slots=True)
class CampJoined(_CampEvent):
    user_id: UUID


@dataclass(frozen=True, slots=True)
class CheckedIn(_CampEvent):
    """A day was done, made up or uploaded late; an edit is none of these."""

    user_id: UUID
    check_in_id: UUID
    day: date
    on_feed: bool


@dataclass(frozen=True, slots=True)
class CampCompleted(_CampEvent):
    user_id: UUID
    days_done: int
    certificate_id: UUID


@dataclass(frozen=True, slots=True)
class WindowClosing(_CampEvent):
    """The day ends soon, and these members have not done it yet; `closes_at` is a local clock time."""

    day: date
    closes_at: str
    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class MembersAtRisk(_CampEvent):
    """These members missed two of the last three days; `since` is the last day they did, the same for all of them."""

    since: date | None
    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class MembersNudged(_CampEvent):
    """A teacher asks these members to come back; once a day."""

    day: date
    by: UUID
    by_name: str
    user_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class CheckInCommented(_CampEvent):
    check_in_id: UUID
    comment_id: UUID
    author_id: UUID
    by: UUID
    by_name: str


@dataclass(frozen=True, slots=True)
class CheckInNoted(_CampEvent):
    """A teacher wrote a note on an entry."""

    check_in_id: UUID
    author_id: UUID
    by: UUID
    by_name: str


@dataclass(frozen=True, slots=True)
class CertificateWithdrawn(_CampEvent):
    certificate_id: UUID
    user_id: UUID
