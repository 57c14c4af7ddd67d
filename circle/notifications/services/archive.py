"""What members are told about the archive: the weekly digest. Notices hold ids and counts, titles are read anew."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import find_standing_of
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import Telling, notify_each
from circle.posts.queries import cards

# The archive counts up to so many, which stand for more.
_MOST_COUNTED = 100


class MemberMissed(Protocol):
    """What one member has not opened; a room beside this one tells it."""

    @property
    def user_id(self) -> UUID: ...

    @property
    def missed(self) -> int: ...

    @property
    def gems(self) -> int: ...

    @property
    def post_ids(self) -> Sequence[UUID]: ...


class WeekMissed(Protocol):
    """The end of a circle's week."""

    @property
    def circle_id(self) -> UUID: ...

    @property
    def week_of(self) -> date: ...

    @property
    def members(self) -> Sequence[MemberMissed]: ...


def on_week_missed(uow: UnitOfWork, week: WeekMissed) -> None:
    """Tell each member of what they missed themselves, once a week and circle."""
    key, subject = f"weekly:{week.circle_id}:{week.week_of}", ("circle", week.circle_id)
    notify_each(
        uow,
        Kind.WEEKLY_DIGEST,
        (Telling(one.user_id, key, week.circle_id, subject, _data(one)) for one in week.members),
    )


def titles(uow: UnitOfWork, user_id: UUID, circle_id: UUID, data: Mapping[str, Any]) -> list[str]:
    """Return the titles of those posts of a notice that its reader may still open."""
    ids = [UUID(one) for one in data.get("post_ids", ())]
    shown = cards(uow, find_standing_of(uow, user_id, circle_id), ids)
    return [shown[one]["title"] for one in ids if one in shown and not shown[one]["locked"] and shown[one]["title"]]


def _data(one: MemberMissed) -> dict[str, Any]:
    missed = f"{_MOST_COUNTED - 1}+" if one.missed >= _MOST_COUNTED else str(one.missed)
    return {"missed": missed, "gems": one.gems, "post_ids": [str(post_id) for post_id in one.post_ids]}
