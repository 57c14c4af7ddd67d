"""What happens by the passing of time: access that has ended, seats that were held for nothing."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from circle.circles.models import Tier
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.models import Grant, Membership, Role, Seat, Status
from circle.memberships.services.access import note_change

BATCH = 500


def settle_due(uow: UnitOfWork) -> int:
    """Look at one batch of memberships of which a grant has ended; return how many.

    Members with no live or coming grant are expired; seats in tiers that nothing covers any more are free. The
    same as `settle_status`, for a set: three statements a batch.
    """
    due = (
        select(Membership.id)
        .where(Membership.review_at <= uow.now)
        .order_by(Membership.review_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    picked = uow.session.scalars(due).all()
    if not picked:
        return 0
    lapsed = and_(
        Membership.status == Status.ACTIVE,
        Membership.role == Role.MEMBER,
        ~exists().where(Grant.membership_id == Membership.id, *_unrevoked_after(uow)),
    )
    next_end = (
        select(func.min(Grant.ends_at))
        .where(Grant.membership_id == Membership.id, Grant.revoked_at.is_(None), Grant.ends_at > uow.now)
        .scalar_subquery()
    )
    before = aliased(Membership)
    settled = uow.session.execute(
        update(Membership)
        .where(Membership.id == before.id, Membership.id.in_(picked))
        .values(
            review_at=next_end,
            status=case((lapsed, Status.EXPIRED.value), else_=Membership.status),
            version=Membership.version + case((lapsed, 1), else_=0),
        )
        .returning(Membership.id, before.status.label("before"), Membership.status)
        .execution_options(synchronize_session=False)
    ).all()
    _free_uncovered_seats(uow, list(picked))
    _announce(uow, [one.id for one in settled if one.before != one.status])
    return len(picked)


def _unrevoked_after(uow: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return Grant.revoked_at.is_(None), or_(Grant.ends_at.is_(None), Grant.ends_at > uow.now)


def _free_uncovered_seats(uow: UnitOfWork, memberships: list[UUID]) -> None:
    covered = exists().where(
        Grant.membership_id == Seat.membership_id, Grant.tier_id == Seat.tier_id, *_unrevoked_after(uow)
    )
    _free_seats(uow, and_(Seat.membership_id.in_(memberships), Seat.held_until.is_(None), ~covered))


def release_held_seats(uow: UnitOfWork) -> int:
    """Free one batch of seats that were held for somebody who did not pay in time; return how many."""
    late = (
        select(Seat.id)
        .where(Seat.released_at.is_(None), Seat.held_until <= uow.now)
        .order_by(Seat.held_until)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    picked = uow.session.scalars(late).all()
    return _free_seats(uow, Seat.id.in_(picked)) if picked else 0


def _free_seats(uow: UnitOfWork, which: ColumnElement[bool]) -> int:
    freed = (
        update(Seat)
        .where(which, Seat.released_at.is_(None))
        .values(released_at=uow.now)
        .returning(Seat.tier_id)
        .cte("freed")
    )
    by_tier = select(freed.c.tier_id, func.count().label("seats")).group_by(freed.c.tier_id).cte("by_tier")
    counted = uow.session.execute(
        update(Tier)
        .where(Tier.id == by_tier.c.tier_id)
        .values(seats_taken=Tier.seats_taken - by_tier.c.seats)
        .returning(by_tier.c.seats)
        .execution_options(synchronize_session=False)
    ).scalars()
    return sum(counted)


def _announce(uow: UnitOfWork, expired: list[UUID]) -> None:
    if not expired:
        return
    for membership in uow.session.scalars(select(Membership).where(Membership.id.in_(expired))):
        note_change(uow, membership)
        uow.emit(events.MemberExpired(membership.circle_id, membership.user_id, membership.id))
