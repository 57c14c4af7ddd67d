"""Access to camps: what somebody may see, open, and teach; and the desk where a check-in is taken.

A camp stands in its circle's list for whoever may look at the circle. Opening it needs what `access` asks for, or to
have joined in paid time. Strangers get 404, members of a lower tier 403.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, ColumnElement, Select, Uuid, and_, bindparam, or_, select
from sqlalchemy.orm import aliased

from circle.checkins.entry_models import CheckIn
from circle.checkins.errors import CampLocked, NotInCamp
from circle.checkins.models import AccessLevel, Camp, CampMember, Standing
from circle.checkins.windows import Hours, read_windows
from circle.circles.models import Tier
from circle.kernel.caller import Caller
from circle.kernel.db import Query, Row
from circle.kernel.errors import Forbidden, NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media
from circle.memberships.errors import MembershipExpired, NotAMember
from circle.memberships.gates import standing_gate
from circle.memberships.permissions import Permission
from circle.memberships.policy import NO_RANK, gated_standing, require_look, require_permission
from circle.memberships.policy import Standing as CircleStanding

# The least tier of a camp; join it with `.outerjoin(Required, Required.id == Camp.access_tier_id)`.
Required = aliased(Tier, name="required")


def _key() -> Any:
    return bindparam("key", type_=Uuid())


def _circle_of_camp() -> Any:
    return select(Camp.circle_id).where(Camp.id == _key()).scalar_subquery()


def _circle_of_entry() -> Any:
    found = select(Camp.circle_id).join(CheckIn, CheckIn.camp_id == Camp.id)
    return found.where(CheckIn.id == _key()).scalar_subquery()


circle_gate = standing_gate("circle_id")
camp_gate = standing_gate("camp_id", _circle_of_camp())
entry_gate = standing_gate("check_in_id", _circle_of_entry())


@dataclass(frozen=True, slots=True)
class SeenCamp:
    """A camp that exists for the reader, with their own part in it; `row` has all columns of `select_seen`."""

    circle: CircleStanding
    row: Row
    unlocked: bool

    @property
    def id(self) -> UUID:
        found: UUID = self.row["id"]
        return found

    @property
    def circle_id(self) -> UUID:
        return self.circle.circle_id

    @property
    def title(self) -> str:
        return str(self.row["title"])

    @property
    def hours(self) -> Hours:
        return Hours(ZoneInfo(self.row["timezone"]), read_windows(self.row["windows"]))

    @property
    def joined(self) -> bool:
        return self.row["joined_at"] is not None and self.row["left_at"] is None

    @property
    def teaches(self) -> bool:
        return self.circle.may(Permission.TEACH)

    def today(self, now: datetime) -> date:
        return self.hours.today(now)


# What a camp asks for, and somebody's own term in it.
TERM = (
    Required.name.label("required_name"),
    Required.rank.label("required_rank"),
    CampMember.starts_on.label("term_starts_on"),
    CampMember.ends_on.label("term_ends_on"),
    CampMember.completion_days.label("term_completion_days"),
    CampMember.joined_at,
    CampMember.left_at,
)


def select_seen() -> Select[*tuple[Any, ...]]:
    """Select camps with what their access asks for, and the part that `:reader_id` has in them."""
    return (
        select(
            *Camp.__table__.columns,
            *TERM,
            *(column for column in Standing.__table__.columns if column.key not in {"camp_id", "user_id"}),
        )
        .outerjoin(Required, Required.id == Camp.access_tier_id)
        .outerjoin(CampMember, and_(CampMember.camp_id == Camp.id, CampMember.user_id == _reader()))
        .outerjoin(Standing, and_(Standing.camp_id == Camp.id, Standing.user_id == _reader()))
    )


def _reader() -> Any:
    return bindparam("reader_id", type_=Uuid())


_SEEN = Query(lambda: select_seen().where(Camp.id == bindparam("camp_id", type_=Uuid())))
_CIRCLE = Query(lambda: select(Camp.circle_id).where(Camp.id == bindparam("camp_id", type_=Uuid())))


def seen_from(circle: CircleStanding, row: Row) -> SeenCamp:
    return SeenCamp(circle, row, unlocked=_is_unlocked(circle, row))


def _is_unlocked(circle: CircleStanding, row: Row) -> bool:
    if row["access_level"] == AccessLevel.PREVIEW or circle.reads_everything:
        return True
    if circle.is_inside:
        return (circle.rank if circle.rank is not None else NO_RANK) >= (row["required_rank"] or 0)
    return circle.keeps_paid_term and row["joined_at"] is not None


def find_camp(uow: UnitOfWork, caller: Caller | None, camp_id: UUID) -> SeenCamp:
    """Return a camp that exists for the caller, locked or not. Errors: NotFound, Banned."""
    circle = gated_standing(uow, caller, camp_id)
    if circle is None:
        found = uow.row(_CIRCLE, camp_id=camp_id)
        if found is None:
            raise NotFound
        circle = require_look(uow, caller, found["circle_id"])
    else:
        require_look(uow, caller, circle.circle_id)
    row = uow.row(_SEEN, camp_id=camp_id, reader_id=caller.user_id if caller else None)
    if row is None:
        raise NotFound
    return seen_from(circle, row)


def require_camp(uow: UnitOfWork, caller: Caller | None, camp_id: UUID) -> SeenCamp:
    """Return a camp that the caller may open. Errors: NotFound, Banned, NotAMember, MembershipExpired, CampLocked."""
    camp = find_camp(uow, caller, camp_id)
    require_unlocked(camp)
    return camp


def require_unlocked(camp: SeenCamp) -> None:
    if camp.unlocked:
        return
    if camp.circle.is_inside:
        raise CampLocked(required_tier=camp.row["required_name"])
    raise NotAMember if camp.circle.joined_at is None else MembershipExpired


def require_own_part(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> SeenCamp:
    """Return a camp that the caller joined. Errors: those of `require_camp`, NotInCamp."""
    camp = require_camp(uow, caller, camp_id)
    if camp.row["joined_at"] is None:
        raise NotInCamp
    return camp


def require_taught_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> SeenCamp:
    """Return a camp for a teacher of its circle. Errors: NotFound, Banned, MissingPermission and the like."""
    camp = find_camp(uow, caller, camp_id)
    require_permission(uow, caller, camp.circle_id, Permission.TEACH)
    return camp


def lock_taught_camp(uow: UnitOfWork, caller: Caller, camp_id: UUID) -> Camp:
    """Return a camp for a teacher to change, locked until the commit. Errors: those of `require_taught_camp`."""
    require_taught_camp(uow, caller, camp_id)
    return uow.session.get_one(Camp, camp_id, with_for_update=True, populate_existing=True)


def shown_to_reader() -> ColumnElement[bool]:
    """Tell in SQL whether an entry is shown to `:reader_id`, who `:teaches` or not; the camp is open to them."""
    return and_(
        CheckIn.removed_at.is_(None),
        or_(CheckIn.on_feed, CheckIn.user_id == _reader(), bindparam("teaches", type_=Boolean())),
    )


def reading(camp: SeenCamp) -> dict[str, Any]:
    """Return the parameters of `shown_to_reader`."""
    return {"reader_id": camp.circle.user_id, "teaches": camp.teaches}


_ENTRY = Query(
    lambda: select(CheckIn.camp_id).where(CheckIn.id == bindparam("check_in_id", type_=Uuid()), shown_to_reader())
)
_CAMP_OF_ENTRY = Query(lambda: select(CheckIn.camp_id).where(CheckIn.id == bindparam("check_in_id", type_=Uuid())))


def require_entry(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> SeenCamp:
    """Return the camp of an entry that is shown to the caller. Errors: NotFound and those of `require_camp`."""
    found = uow.row(_CAMP_OF_ENTRY, check_in_id=check_in_id)
    if found is None:
        raise NotFound
    camp = require_camp(uow, caller, found["camp_id"])
    if uow.row(_ENTRY, check_in_id=check_in_id, **reading(camp)) is None:
        raise NotFound
    return camp


def may_read_attachment(uow: UnitOfWork, caller: Caller, media: Media) -> bool:
    """Tell whether the caller may fetch what is attached to an entry."""
    if media.attached_to is None:
        return False
    found = uow.row(_CAMP_OF_ENTRY, check_in_id=media.attached_to)
    if found is None:
        return False
    try:
        require_entry(uow, caller, media.attached_to)
    except (NotFound, Forbidden):
        return False
    return True
