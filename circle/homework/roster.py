"""Whom an assignment is asked of, and who still owes it: one select for the missing list, reminders and grades."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from circle.circles.models import Circle, Tier
from circle.homework.models import Assignment, Work, WorkState
from circle.homework.policy import Required, addressed
from circle.memberships.models import Grant, Membership, Role, Status

_Granted = aliased(Tier, name="granted")


def due_of_member() -> ColumnElement[datetime | None]:
    """Return in SQL what `Assignment.due_of` does; the greatest of a time and a null is the time."""
    return case((Assignment.due_at.is_not(None), func.greatest(Work.due_at, Assignment.due_at)))


def owes() -> ColumnElement[bool]:
    """Tell in SQL whether a member has handed in nothing, or was asked to do it again."""
    again = and_(Assignment.redo_until_passed, Work.state == WorkState.REDO)
    return or_(func.coalesce(Work.attempts, 0) == 0, again)


def is_active(circle_id: Any, user_id: Any) -> ColumnElement[bool]:
    """Tell in SQL whether somebody is a member of a circle now: who has left, or let it lapse, reviews nothing."""
    return exists().where(
        Membership.circle_id == circle_id, Membership.user_id == user_id, Membership.status == Status.ACTIVE
    )


def select_addressees(now: datetime, *columns: Any) -> Select[*tuple[Any, ...]]:
    """Select assignments × the members that each is asked of, with their `Work` if there is one.

    Asked are members with live access to its tier who were there before it was due; staff are asked nothing. Whoever
    may not look back as far as the day it opened does not see it and so does not owe it.
    """
    due_at = due_of_member()
    live = exists(
        select(literal(1))
        .select_from(Grant)
        .join(_Granted, _Granted.id == Grant.tier_id)
        .where(
            Grant.membership_id == Membership.id,
            Grant.revoked_at.is_(None),
            Grant.starts_at <= now,
            or_(Grant.ends_at.is_(None), Grant.ends_at > now),
            _Granted.rank >= func.coalesce(Required.rank, 0),
        )
        .correlate_except(Grant, _Granted)
    )
    lookback = Circle.lookback_days * literal(timedelta(days=1))
    return (
        select(*columns)
        .select_from(Assignment)
        .join(Circle, Circle.id == Assignment.circle_id)
        .join(Membership, Membership.circle_id == Assignment.circle_id)
        .outerjoin(Work, and_(Work.assignment_id == Assignment.id, Work.user_id == Membership.user_id))
        .outerjoin(Required, Required.id == Assignment.tier_id)
        .where(
            Assignment.deleted_at.is_(None),
            Circle.closed_at.is_(None),
            Membership.status == Status.ACTIVE,
            Membership.role == Role.MEMBER,
            live,
            addressed(Membership.user_id, Membership.joined_at),
            or_(due_at.is_(None), Membership.joined_at < due_at),
            or_(Circle.lookback_days.is_(None), Assignment.opens_at >= Membership.joined_at - lookback),
        )
    )
