"""Who may look into a column: it has a gate of its own, beside those of its posts."""

from typing import Any

from sqlalchemy import ColumnElement, DateTime, Integer, Uuid, and_, bindparam, exists, func, literal, or_, select, true
from sqlalchemy.orm import aliased

from circle.circles.models import Tier
from circle.memberships.models import Grant
from circle.memberships.policy import Standing
from circle.posts.filing import Column
from circle.posts.models import AccessLevel

# The least tier of a column; join it with `.outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)`.
ColumnTier = aliased(Tier, name="column_tier")


def opened() -> ColumnElement[bool]:
    """Tell in SQL whether the reader may look into a column; run with `column_reading(standing)`.

    A column has no date: whoever keeps reading what their paid term covered looks into every column of their tiers,
    and finds those posts open in it.
    """
    rank = func.coalesce(ColumnTier.rank, 0)
    paid_once = exists(
        select(literal(1))
        .select_from(Grant)
        .join(Tier, Tier.id == Grant.tier_id)
        .where(
            Grant.membership_id == bindparam("reader_membership_id", type_=Uuid()),
            Grant.revoked_at.is_(None),
            Grant.starts_at <= bindparam("now", type_=DateTime(timezone=True)),
            Tier.rank >= rank,
        )
        .correlate_except(Grant, Tier)
    )
    return or_(
        bindparam("reads_everything", type_=true().type),
        Column.access_level == AccessLevel.PREVIEW,
        rank <= bindparam("reader_rank", type_=Integer()),
        and_(bindparam("keeps_paid_term", type_=true().type), paid_once),
    )


def column_reading(standing: Standing) -> dict[str, Any]:
    """Return the parameters of `opened()`."""
    names = ("reader_membership_id", "reader_rank", "reads_everything", "keeps_paid_term")
    reading = standing.reading()
    return {**{name: reading[name] for name in names}, "now": standing.now}
