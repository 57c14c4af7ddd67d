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
