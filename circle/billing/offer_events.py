"""What happened to gifts and prices."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GiftClaimed:
    """Somebody took a gift; its buyer wants to know."""

    gift_id: UUID
    circle_id: UUID
    buyer_id: UUID
    claimed_by: UUID


@dataclass(frozen=True, slots=True)
class PriceChangeAnnounced:
    """Subscribers of a price will pay another from `effective_at` on; where it rises, only if they agree."""

    campaign_id: UUID
    circle_id: UUID
    user_ids: tuple[UUID, ...]
    before: int
    after: int
    currency: str
    rises: bool
    effective_at: datetime
