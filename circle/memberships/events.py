"""What happened to members."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _MemberEvent:
    circle_id: UUID
    user_id: UUID
    membership_id: UUID


@dataclass(frozen=True, slots=True)
class MemberActivated(_MemberEvent):
    """Somebody is a member now, for the first time or again."""


@dataclass(frozen=True, slots=True)
class MemberExpired(_MemberEvent):
    """The last grant has ended or was revoked."""


@dataclass(frozen=True, slots=True)
class AccessGranted(_MemberEvent):
    tier_id: UUID
    source: str
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class MemberApplied(_MemberEvent):
    """Somebody asks to be let in."""


@dataclass(frozen=True, slots=True)
class MemberApproved(_MemberEvent):
    """May join now; where the price is not zero, by paying."""


@dataclass(frozen=True, slots=True)
class MemberRejected(_MemberEvent):
    """Was not let in."""


@dataclass(frozen=True, slots=True)
class MemberLeft(_MemberEvent):
    """Went by themselves: nothing is charged any more, what is paid stays readable."""


@dataclass(frozen=True, slots=True)
class MemberRemoved(_MemberEvent):
    """Was removed or banned; `refund` is the remover's explicit choice."""

    banned: bool
    refund: bool
    removed_by: UUID


@dataclass(frozen=True, slots=True)
class RoleChanged(_MemberEvent):
    role: str


@dataclass(frozen=True, slots=True)
class TransferOffered:
    """The owner wants this member to take the circle over; the member has yet to accept."""

    circle_id: UUID
    from_user_id: UUID
    to_user_id: UUID


@dataclass(frozen=True, slots=True)
class CircleTransferred:
    circle_id: UUID
    from_user_id: UUID
    to_user_id: UUID
