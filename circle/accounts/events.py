"""What happened to people."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class UserRegistered:
    user_id: UUID


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """The account is being deleted in this transaction; a handler may refuse by raising."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class UserSuspended:
    user_id: UUID


@dataclass(frozen=True, slots=True)
class AccessRenewed:
    """Sessions and tokens of a person have ended; a handler ends what else a thief may have left behind."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class AvatarChosen:
    """A person shows another picture of themselves, or none; the media room may refuse it."""

    user_id: UUID
    media_id: UUID | None
