"""Giving and taking access: the only writers of grants and seats. Called by joining, billing, gifts, imports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, text, update

from circle.circles.models import CircleCounter, Tier
from circle.kernel import changes
from circle.kernel.db import Query
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships import events
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import STATUS, Grant, GrantSource, Membership, Role, Seat, Status

# How long a seat waits for somebody who is paying.
SEAT_HOLD = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Term:
    """A tier for a time: `source` and `source_id` say what for, `ends_at` None is for good."""

    membership: Membership
    tier_id: UUID
    source: GrantSource
    source_id: UUID
    starts_at: datetime
    ends_at: datetime | None


# A membership is looked at when the first of its grants ends.
_GRANT = Query(
    lambda: text("""
        WITH made AS (
            INSERT INTO grants (id, circle_id, user_id, membership_id, tier_id, source, source_id,
                starts_at, ends_at, created_at)
            SELECT uuid_v7(), term.*, CAST(:now AS timestamptz) FROM unnest(
                CAST(:circle_ids AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:membership_ids AS uuid[]),
                CAST(:tier_ids AS uuid[]), CAST(:sources AS text[]), CAST(:source_ids AS uuid[]),
                CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])
            ) AS term
            ON CONFLICT DO NOTHING
            RETURNING membership_id, source, source_id, ends_at
        ), reviewed AS (
            UPDATE memberships AS m SET review_at = first.ends_at
            FROM (SELECT membership_id, min(ends_at) AS ends_at FROM made GROUP BY membership_id) AS first
            WHERE m.id = first.membership_id AND (m.review_at IS NULL OR m.review_at > first.ends_at)
        )
        SELECT membership_id, source, source_id FROM made
    """)
)
_EXTEND = Query(
    lambda: text("""
        WITH extended AS (
            UPDATE grants AS g SET ends_at = term.ends_at
            FROM unnest(
                CAST(:sources AS text[]), CAST(:source_ids AS uuid[]), CAST(:membership_ids AS uuid[]),
                CAST(:ends AS timestamptz[])
            ) AS term (source, source_id, membership_id, ends_at)
            WHERE (g.source, g.source_id, g.membership_id) = (term.source, term.source_id, term.membership_id)
              AND g.revoked_at IS NULL AND g.ends_at < term.ends_at
            RETURNING g.source_id, g.membership_id, g.ends_at
        ), reviewed AS (
            UPDATE memberships AS m SET review_at = extended.ends_at FROM extended
            WHERE m.id = extended.membership_id AND (m.review_at IS NULL OR m.review_at > extended.ends_at)
        )
        SELECT source_id, membership_id FROM extended
    """)
)
_SEATED = Query(
    lambda: text("""
        SELECT seats.membership_id, seats.tier_id
        FROM unnest(CAST(:membership_ids AS uuid[]), CAST(:tier_ids AS uuid[])) AS one (membership_id, tier_id)
        JOIN seats ON seats.membership_id = one.membership_id AND seats.tier_id = one.tier_id
        WHERE seats.released_at IS NULL AND seats.held_until IS NULL
    """)
)
_REVOKE = Query(
    lambda: text("""
        UPDATE grants SET revoked_at = :now, revoked_for = :reason
        WHERE source = :source AND source_id = ANY (CAST(:source_ids AS uuid[])) AND revoked_at IS NULL
        RETURNING membership_id
    """)
)
_COVERED = Query(
    lambda: text("""
        SELECT DISTINCT membership_id FROM grants
        WHERE membership_id = ANY (CAST(:membership_ids AS uuid[])) AND revoked_at IS NULL
          AND (ends_at IS NULL OR ends_at > :now)
    """)
)


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
    return bool(give_each(uow, [Term(membership, tier_id, source, source_id, starts_at, ends_at)]))


def give_each(uow: UnitOfWork, terms: Sequence[Term]) -> list[Term]:
    """Grant terms as `give_access` does, in two statements where nobody needs a seat; return those that are new."""
    if not terms:
        return []
    made = uow.rows(
        _GRANT,
        now=uow.now,
        circle_ids=[one.membership.circle_id for one in terms],
        user_ids=[one.membership.user_id for one in terms],
        membership_ids=[one.membership.id for one in terms],
        tier_ids=[one.tier_id for one in terms],
        sources=[one.source.value for one in terms],
        source_ids=[one.source_id for one in terms],
        starts=[one.starts_at for one in terms],
        ends=[one.ends_at for one in terms],
    )
    keys = {(row["membership_id"], row["source"], row["source_id"]) for row in made}
    new = [one for one in terms if (one.membership.id, one.source.value, one.source_id) in keys]
    sitting = seated(uow, {(one.membership.id, one.tier_id) for one in new})
    for one in new:
        if (one.membership.id, one.tier_id) not in sitting:
            take_seat(uow, one.membership, one.tier_id)
        if one.starts_at <= uow.now:
            activate(uow, one.membership)
        about = (one.membership.circle_id, one.membership.user_id, one.membership.id)
        uow.emit(events.AccessGranted(*about, one.tier_id, one.source, one.ends_at))
    return new


def seated(uow: UnitOfWork, pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return those of `(membership, tier)` that have a seat which is not just held."""
    if not pairs:
        return set()
    memberships, tiers = zip(*pairs, strict=True)
    rows = uow.rows(_SEATED, membership_ids=list(memberships), tier_ids=list(tiers))
    return {(row["membership_id"], row["tier_id"]) for row in rows}


def keep_access(uow: UnitOfWork, terms: Sequence[Term]) -> None:
    """Grant terms, or let what their sources granted last longer, over a gap as well. Errors: SeatsTaken."""
    known = {(one.source_id, one.membership.id): one for one in terms}
    for one in give_each(uow, terms):
        del known[one.source_id, one.membership.id]
    if not known:
        return
    rows = uow.rows(
        _EXTEND,
        sources=[one.source.value for one in known.values()],
        source_ids=[one.source_id for one in known.values()],
        membership_ids=[one.membership.id for one in known.values()],
        ends=[one.ends_at for one in known.values()],
    )
    longer = [known[row["source_id"], row["membership_id"]] for row in rows]
    sitting = seated(uow, {(one.membership.id, one.tier_id) for one in longer})
    for one in longer:
        if (one.membership.id, one.tier_id) not in sitting:
            take_seat(uow, one.membership, one.tier_id)
        activate(uow, one.membership)


def revoke_access(uow: UnitOfWork, *, source: GrantSource, source_id: UUID, reason: str) -> int:
    """Revoke what one source granted, at once; return how many grants that were."""
    return revoke_each(uow, source=source, source_ids=[source_id], reason=reason)


def revoke_each(uow: UnitOfWork, *, source: GrantSource, source_ids: Sequence[UUID], reason: str) -> int:
    """Revoke what sources of a kind granted, at once; return how many grants that were."""
    if not source_ids:
        return 0
    rows = uow.rows(_REVOKE, now=uow.now, reason=reason, source=source.value, source_ids=list(source_ids))
    settle_each(uow, [uow.session.get_one(Membership, row["membership_id"]) for row in rows])
    return len(rows)


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
    settle_each(uow, [membership])


def settle_each(uow: UnitOfWork, memberships: Sequence[Membership]) -> None:
    """Let the statuses of many follow their grants."""
    dependent = {one.id: one for one in memberships if one.status == Status.ACTIVE and one.role == Role.MEMBER}
    if not dependent:
        return
    covered = {row["membership_id"] for row in uow.rows(_COVERED, membership_ids=list(dependent), now=uow.now)}
    for membership in [one for one in dependent.values() if one.id not in covered]:
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
