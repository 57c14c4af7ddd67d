"""Giving and taking access: the only writers of grants and seats. Called by joining, billing, gifts, imports."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from circle.circles.models import CircleCounter, Tier
from circle.kernel import changes
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import STATUS, Grant, GrantSource, Membership, Role, Seat, Status

# How long a seat waits for somebody who is paying.
SEAT_HOLD = timedelta(minutes=30)


def give_access(
    uow: UnitOfWork,
    membership: Membership,
    *,
    tier_id: UUID,
    source: GrantSource,
    source_id: UUID,
    starts_at: datetime,
    ends_at: datetime | None,
) -> bool:
    """Grant a tier for a term, once per source; activate the membership if the term runs now.

    Returns whether the grant is new. Errors: SeatsTaken where a capped tier has no seat for them.
    """
    made = uow.session.execute(
        insert(Grant)
        .values(
            id=new_id(),
            circle_id=membership.circle_id,
            user_id=membership.user_id,
            membership_id=membership.id,
            tier_id=tier_id,
            source=source,
            source_id=source_id,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=uow.now,
        )
        .on_conflict_do_nothing()
        .returning(Grant.id)
    ).scalar()
    if made is None:
        return False
    if ends_at is not None:
        _review_by(uow, membership, ends_at)
    take_seat(uow, membership, tier_id)
    if starts_at <= uow.now:
        activate(uow, membership)
    uow.emit(events.AccessGranted(membership.circle_id, membership.user_id, membership.id, tier_id, source, ends_at))
    return True


def extend_access(
    uow: UnitOfWork, membership: Membership, *, source: GrantSource, source_id: UUID, ends_at: datetime
) -> None:
    """Let what one source granted last longer, over a gap where it had run out. Errors: SeatsTaken."""
    tier_id = uow.session.scalar(
        update(Grant)
        .where(
            Grant.membership_id == membership.id,
            Grant.source == source,
            Grant.source_id == source_id,
            Grant.revoked_at.is_(None),
            Grant.ends_at < ends_at,
        )
        .values(ends_at=ends_at)
        .returning(Grant.tier_id)
    )
    if tier_id is not None:
        _review_by(uow, membership, ends_at)
        take_seat(uow, membership, tier_id)
        activate(uow, membership)


def _review_by(uow: UnitOfWork, membership: Membership, ends_at: datetime) -> None:
    uow.session.execute(
        update(Membership)
        .where(Membership.id == membership.id)
        .values(review_at=func.least(Membership.review_at, ends_at))
        .execution_options(synchronize_session=False)
    )


def revoke_access(uow: UnitOfWork, *, source: GrantSource, source_id: UUID, reason: str) -> int:
    """Revoke what one source granted, at once; return how many grants that were."""
    revoked = uow.session.execute(
        update(Grant)
        .where(Grant.source == source, Grant.source_id == source_id, Grant.revoked_at.is_(None))
        .values(revoked_at=uow.now, revoked_for=reason)
        .returning(Grant.membership_id)
    ).all()
    for (membership_id,) in revoked:
        settle_status(uow, uow.session.get_one(Membership, membership_id))
    return len(revoked)


def revoke_all_access(uow: UnitOfWork, membership: Membership, *, reason: str) -> None:
    uow.session.execute(
        update(Grant)
        .where(
            Grant.membership_id == membership.id,
            Grant.revoked_at.is_(None),
            or_(Grant.ends_at.is_(None), Grant.ends_at > uow.now),
        )
        .values(revoked_at=uow.now, revoked_for=reason)
    )
    release_seats(uow, membership)


def activate(uow: UnitOfWork, membership: Membership) -> None:
    """Make somebody an active member, with the circle's next number the first time."""
    if membership.status == Status.ACTIVE:
        return
    membership.status = STATUS.require(Status(membership.status), Status.ACTIVE)
    membership.ended_at = None
    membership.approved_at = membership.approved_at or uow.now
    if membership.number is None:
        membership.number = _next_number(uow, membership.circle_id)
        membership.joined_at = uow.now
    uow.session.flush()
    note_change(uow, membership)
    uow.emit(events.MemberActivated(membership.circle_id, membership.user_id, membership.id))


def note_change(uow: UnitOfWork, membership: Membership) -> None:
    """Let offline clients look at this member again."""
    changes.record(uow, circle_id=membership.circle_id, kind="member", item_id=membership.user_id, operation="updated")


def _next_number(uow: UnitOfWork, circle_id: UUID) -> int:
    return uow.session.execute(
        update(CircleCounter)
        .where(CircleCounter.circle_id == circle_id)
        .values(members_numbered=CircleCounter.members_numbered + 1)
        .returning(CircleCounter.members_numbered)
    ).scalar_one()


def settle_status(uow: UnitOfWork, membership: Membership) -> None:
    """Let the status follow the grants: an active member without a live or coming one is expired."""
    if membership.status != Status.ACTIVE or membership.role != Role.MEMBER:
        return
    uow.session.flush()
    coming = select(func.count()).where(
        Grant.membership_id == membership.id,
        Grant.revoked_at.is_(None),
        or_(Grant.ends_at.is_(None), Grant.ends_at > uow.now),
    )
    if uow.session.scalar(coming):
        return
    membership.status = STATUS.require(Status.ACTIVE, Status.EXPIRED)
    release_seats(uow, membership)
    note_change(uow, membership)
    uow.emit(events.MemberExpired(membership.circle_id, membership.user_id, membership.id))


def hold_seat(uow: UnitOfWork, membership: Membership, tier_id: UUID, *, until: datetime | None = None) -> None:
    """Keep a seat for somebody who is about to pay, or will have it from `until` on. Errors: SeatsTaken."""
    _seat(uow, membership, tier_id, held_until=(until or uow.now) + SEAT_HOLD)


def take_seat(uow: UnitOfWork, membership: Membership, tier_id: UUID) -> None:
    """Give a seat for as long as the membership lasts. Errors: SeatsTaken."""
    _seat(uow, membership, tier_id, held_until=None)


def _seat(uow: UnitOfWork, membership: Membership, tier_id: UUID, *, held_until: datetime | None) -> None:
    seat = uow.session.scalar(
        select(Seat)
        .where(Seat.tier_id == tier_id, Seat.membership_id == membership.id, Seat.released_at.is_(None))
        .with_for_update()  # the worker may be freeing it
        .execution_options(populate_existing=True)
    )
    if seat is not None:
        if seat.held_until is not None:
            seat.held_until = held_until
        return
    taken = uow.session.execute(
        update(Tier)
        .where(Tier.id == tier_id, or_(Tier.seats.is_(None), Tier.seats_taken < Tier.seats))
        .values(seats_taken=Tier.seats_taken + 1)
        .returning(Tier.id)
    ).scalar()
    if taken is None:
        raise SeatsTaken
    uow.session.add(
        Seat(id=new_id(), tier_id=tier_id, membership_id=membership.id, held_until=held_until, created_at=uow.now)
    )


def release_seats(uow: UnitOfWork, membership: Membership, *, tier_id: UUID | None = None) -> None:
    """Free the seats of somebody, or the one of a tier."""
    live = update(Seat).where(Seat.membership_id == membership.id, Seat.released_at.is_(None))
    if tier_id is not None:
        live = live.where(Seat.tier_id == tier_id)
    released = uow.session.execute(live.values(released_at=uow.now).returning(Seat.tier_id)).scalars().all()
    for tier in released:
        uow.session.execute(update(Tier).where(Tier.id == tier).values(seats_taken=Tier.seats_taken - 1))
