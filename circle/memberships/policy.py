"""Access to a circle: one standing per caller, loaders that require it, and the filter of what may be read.

Strangers get 404 where the circle hides itself, else 403. Access comes from live grants and from the role, from
nothing else. The same `readable(...)` stands in lists, single pages, search, export and downloads.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from circle.circles.models import AfterExpiry, Circle, PreviewPolicy, Tier
from circle.kernel.caller import Caller
from circle.kernel.db import Query, Row, constant
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import (
    Banned,
    CircleClosed,
    MembershipExpired,
    MissingPermission,
    Muted,
    NotAMember,
    OutOfReach,
    TooNew,
)
from circle.memberships.models import Grant, Membership, Status
from circle.memberships.permissions import TABLE, Permission, allows, outranks

NO_RANK = -1
_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
_KEEP_READING = frozenset({Status.ACTIVE, Status.EXPIRED, Status.LEFT})


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody (or nobody: `user_id` None) is in one circle at one instant."""

    circle_id: UUID
    now: datetime
    timezone: str
    preview_policy: str
    after_expiry: str
    lookback_days: int | None
    silence_hours: int
    # How many words the circle's moderators listed.
    blocked_words: int
    closed_at: datetime | None
    user_id: UUID | None
    membership_id: UUID | None
    role: str | None
    status: str | None
    number: int | None
    # What the member is called here, where they chose a name.
    alias: str | None
    joined_at: datetime | None
    muted_until: datetime | None
    ended_at: datetime | None
    # The best live grant.
    rank: int | None
    tier_id: UUID | None
    tier_name: str | None

    @property
    def reads_everything(self) -> bool:
        return self.may(Permission.READ_EVERYTHING)

    @property
    def is_inside(self) -> bool:
        """Whether this is a member with live access, or one whose role gives it."""
        return self.status == Status.ACTIVE and (self.rank is not None or self.reads_everything)

    @property
    def keeps_paid_term(self) -> bool:
        # Somebody who left and asks to be let in again goes on reading; somebody who was removed does not.
        asks_again = self.status == Status.PENDING and self.joined_at is not None and self.ended_at is None
        return self.after_expiry == AfterExpiry.PAID_TERM and (self.status in _KEEP_READING or asks_again)

    @property
    def may_look(self) -> bool:
        """Whether the circle's page and its teasers may be shown at all."""
        return (
            self.is_inside
            or self.keeps_paid_term
            or (self.preview_policy == PreviewPolicy.PUBLIC and self.status != Status.BANNED)
        )

    def may(self, permission: Permission) -> bool:
        return self.status == Status.ACTIVE and self.role is not None and allows(self.role, permission)

    def reading(self) -> dict[str, Any]:
        """The parameters of `readable(...)`."""
        since = _ALWAYS
        if self.lookback_days is not None and self.joined_at is not None:
            since = self.joined_at - timedelta(days=self.lookback_days)
        return {
            "reader_id": self.user_id,
            "reader_membership_id": self.membership_id,
            "reader_rank": self.rank if self.is_inside and self.rank is not None else NO_RANK,
            "reads_everything": self.reads_everything,
            "reads_since": since,
            "keeps_paid_term": self.keeps_paid_term,
        }


_IN_ROW = tuple(name for name in Standing.__dataclass_fields__ if name not in {"now", "user_id"})


def readable(
    *,
    is_preview: ColumnElement[bool],
    required_rank: ColumnElement[int],
    published_at: Any,
    author_id: Any,
) -> ColumnElement[bool]:
    """Tell in SQL whether the reader may open a thing; run with `**standing.reading()`.

    `required_rank` is 0 for all members, else the rank of the least tier.
    """
    paid_then = exists(
        select(literal(1))
        .select_from(Grant)
        .join(Tier, Tier.id == Grant.tier_id)
        .where(
            Grant.membership_id == bindparam("reader_membership_id", type_=Uuid()),
            Grant.revoked_at.is_(None),
            Grant.starts_at <= published_at,
            or_(Grant.ends_at.is_(None), Grant.ends_at > published_at),
            Tier.rank >= required_rank,
        )
        .correlate_except(Grant, Tier)
    )
    return or_(
        bindparam("reads_everything", type_=true().type),
        is_preview,
        author_id == bindparam("reader_id", type_=Uuid()),
        and_(
            required_rank <= bindparam("reader_rank", type_=Integer()),
            published_at >= bindparam("reads_since", type_=DateTime(timezone=True)),
        ),
        and_(bindparam("keeps_paid_term", type_=true().type), paid_then),
    )


def best_grant() -> LateralFromClause:
    """Select rank, tier_id and tier_name of the highest tier that a membership has at `:now`."""
    now = bindparam("now", type_=DateTime(timezone=True))
    return (
        select(Tier.rank, Tier.id.label("tier_id"), Tier.name.label("tier_name"))
        .join(Grant, Grant.tier_id == Tier.id)
        .where(
            Grant.membership_id == Membership.id,
            Grant.revoked_at.is_(None),
            Grant.starts_at <= now,
            or_(Grant.ends_at.is_(None), Grant.ends_at > now),
        )
        .order_by(Tier.rank.desc())
        .limit(1)
        .lateral("best_grant")
    )


def with_standing(statement: Select[*tuple[Any, ...]], circle_id: Any, user_id: Any) -> Select[*tuple[Any, ...]]:
    """Have each row of a statement bring along what somebody is in a circle, for `standing_from`; run with `now`."""
    grant = best_grant()
    return (
        statement.add_columns(
            Circle.id.label("circle_id"),
            Circle.timezone,
            Circle.preview_policy,
            Circle.after_expiry,
            Circle.lookback_days,
            Circle.silence_hours,
            Circle.blocked_words,
            Circle.closed_at,
            Membership.id.label("membership_id"),
            Membership.role,
            Membership.status,
            Membership.number,
            Membership.alias,
            Membership.joined_at,
            Membership.muted_until,
            Membership.ended_at,
            grant.c.rank,
            grant.c.tier_id,
            grant.c.tier_name,
        )
        .outerjoin(Circle, Circle.id == circle_id)
        .outerjoin(Membership, and_(Membership.circle_id == Circle.id, Membership.user_id == user_id))
        .outerjoin(grant, true())
    )


def reading_columns(of: FromClause) -> dict[str, ColumnElement[Any]]:
    """Return in SQL what `Standing.reading()` says of a row of `with_standing`; whoever uses it compares the two."""
    row = of.c
    active = row.status == Status.ACTIVE
    everything = func.coalesce(and_(active, _role_allows(row.role, Permission.READ_EVERYTHING)), false())
    inside = and_(active, or_(row.rank.is_not(None), everything))
    asks_again = and_(row.status == Status.PENDING, row.joined_at.is_not(None), row.ended_at.is_(None))
    keeps = and_(row.after_expiry == AfterExpiry.PAID_TERM, or_(_one_of(row.status, _KEEP_READING), asks_again))
    looked_back = row.joined_at - func.make_interval(0, 0, 0, row.lookback_days)
    return {
        "reader_id": row.user_id,
        "reader_membership_id": row.membership_id,
        "reader_rank": case((inside, func.coalesce(row.rank, NO_RANK)), else_=NO_RANK),
        "reads_everything": everything,
        "reads_since": func.coalesce(looked_back, literal(_ALWAYS, DateTime(timezone=True))),
        "keeps_paid_term": func.coalesce(keeps, false()),
        "moderates": func.coalesce(and_(active, _role_allows(row.role, Permission.MODERATE)), false()),
    }


def _role_allows(role: ColumnElement[str], permission: Permission) -> ColumnElement[bool]:
    return _one_of(role, TABLE[permission][0])


def _one_of(column: ColumnElement[str], words: Collection[StrEnum]) -> ColumnElement[bool]:
    return column.in_([constant(word) for word in sorted(words)])


def _select_standing() -> Select[*tuple[Any, ...]]:
    one = select(literal(1).label("one")).subquery("one")
    circle_id = bindparam("circle_id", type_=Uuid())
    return with_standing(select(one.c.one).select_from(one), circle_id, bindparam("user_id", type_=Uuid()))


_STANDING = Query(_select_standing)


def standings_of(caller: Caller) -> list[Standing]:
    """Return what a caller whom `circles_gate` let in is, in each circle that they have joined or asked to."""
    return [known for known in caller.known.values() if isinstance(known, Standing)]


def standing_from(row: Row, now: datetime, user_id: UUID | None) -> Standing:
    """Return the standing that a row of `with_standing` holds."""
    return Standing(now=now, user_id=user_id, **{name: row[name] for name in _IN_ROW})


def gated_standing(uow: UnitOfWork, caller: Caller | None, key: UUID) -> Standing | None:
    """Return what a gate fetched for its argument, such as a post's id; for reading only."""
    return caller.known.get(key) if caller is not None and uow.read_only else None


def find_standing(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, as_admitted: bool = False) -> Standing:
    """Return the caller's standing; what the gate fetched serves reading, and writing only `as_admitted`.

    Errors: NotFound (no circle).
    """
    if caller is not None and (uow.read_only or as_admitted) and circle_id in caller.known:
        return cast("Standing", caller.known[circle_id])
    return find_standing_of(uow, caller.user_id if caller else None, circle_id)


def find_standing_of(uow: UnitOfWork, user_id: UUID | None, circle_id: UUID) -> Standing:
    """Return what somebody is in a circle. Errors: NotFound (no circle)."""
    row = uow.row(_STANDING, circle_id=circle_id, user_id=user_id, now=uow.now)
    if row is None or row["circle_id"] is None:
        raise NotFound
    return standing_from(row, uow.now, user_id)


def require_look(uow: UnitOfWork, caller: Caller | None, circle_id: UUID, *, as_admitted: bool = False) -> Standing:
    """Return the standing of whoever may see the circle's page and teasers. Errors: NotFound, Banned."""
    standing = find_standing(uow, caller, circle_id, as_admitted=as_admitted)
    if not standing.may_look:
        raise _refusal_to_look(standing)
    return standing


def require_member(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, as_admitted: bool = False) -> Standing:
    """Return the standing of a member with live access. Errors: NotFound, NotAMember, MembershipExpired, Banned."""
    standing = require_look(uow, caller, circle_id, as_admitted=as_admitted)
    if standing.is_inside:
        return standing
    if standing.status in {Status.ACTIVE, Status.EXPIRED}:
        raise MembershipExpired
    raise NotAMember


def require_permission(uow: UnitOfWork, caller: Caller, circle_id: UUID, permission: Permission) -> Standing:
    """Return the standing of a member whose role has the permission. Errors: those above, MissingPermission."""
    standing = require_member(uow, caller, circle_id)
    if not standing.may(permission):
        raise MissingPermission(permission=permission.value).because(TABLE[permission][1])
    return standing


def require_voice(uow: UnitOfWork, caller: Caller, circle_id: UUID) -> Standing:
    """Return the standing of a member who may speak now. Errors: those above, Muted, TooNew, CircleClosed.

    The gate's answer of a moment ago is good enough for a word: nothing is given or taken by it.
    """
    standing = require_member(uow, caller, circle_id, as_admitted=True)
    require_open_circle(standing)
    if standing.muted_until is not None and standing.muted_until > uow.now:
        raise Muted(until=_instant(standing.muted_until))
    if standing.joined_at is not None and not standing.reads_everything:
        from_then = standing.joined_at + timedelta(hours=standing.silence_hours)
        if from_then > uow.now:
            raise TooNew(until=_instant(from_then))
    return standing


def require_reach(standing: Standing, *roles: str) -> None:
    """Nobody changes somebody of their own role or above, nor lifts anybody that high. Errors: OutOfReach."""
    if any(not outranks(standing.role, role) for role in roles):
        raise OutOfReach


def lock_member(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> Membership:
    """Return somebody's membership, locked until the commit. Errors: NotFound."""
    membership = uow.session.scalar(
        select(Membership)
        .where(Membership.circle_id == circle_id, Membership.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if membership is None:
        raise NotFound
    return membership


def require_open_circle(standing: Standing) -> None:
    if standing.closed_at is not None:
        raise CircleClosed


def _refusal_to_look(standing: Standing) -> Exception:
    return Banned() if standing.status == Status.BANNED else NotFound()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
