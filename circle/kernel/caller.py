"""Who is asking: proven by the web layer, used by every policy."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """A logged-in person, through a session or a personal token with `scopes` (None: everything).

    `known` keeps what the look-up of the credential fetched along, so that a policy need not ask again.
    """

    user_id: UUID
    display_name: str = ""
    avatar_media_id: UUID | None = None
    session_id: UUID | None = None
    token_id: UUID | None = None
    scopes: frozenset[str] | None = None
    is_operator: bool = False
    # Last seen long enough ago to be noted again.
    unseen: bool = False
    # Wrote so lately that a standby may not show it yet.
    wrote_lately: bool = False
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def may(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes
