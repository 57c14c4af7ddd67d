"""A standing in a circle, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from circle.memberships.policy import Standing

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
CIRCLE, PERSON, MEMBERSHIP = UUID(int=1), UUID(int=2), UUID(int=3)


def standing(**what: Any) -> Standing:
    """A member of the lowest tier since nine days, except for what is said."""
    usual = {
        "circle_id": CIRCLE,
        "now": NOW,
        "timezone": "Asia/Shanghai",
        "preview_policy": "none",
        "after_expiry": "paid_term",
        "lookback_days": None,
        "silence_hours": 0,
        "blocked_words": 0,
        "closed_at": None,
        "user_id": PERSON,
        "membership_id": MEMBERSHIP,
        "role": "member",
        "status": "active",
        "number": 7,
        "alias": None,
        "joined_at": NOW - timedelta(days=9),
        "muted_until": None,
        "ended_at": None,
        "rank": 0,
        "tier_id": None,
        "tier_name": None,
    }
    return Standing(**{**usual, **what})
