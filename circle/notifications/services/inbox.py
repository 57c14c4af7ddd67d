"""Reading one's notices, and saying what one wants to hear."""

from collections.abc import Sequence
from datetime import time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from circle.accounts.events import UserDeleted
from circle.circles.settings import check_quiet_hours
from circle.kernel.caller import Caller
from circle.kernel.errors import FieldError, Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.notifications.hook_models import NoticeHook
from circle.notifications.models import Notification, NotificationSwitch, QuietHours


def mark_read(uow: UnitOfWork, caller: Caller, *, ids: Sequence[UUID] | None = None, up_to: UUID | None = None) -> int:
    """Mark notices as read: the named ones, or one and all before it; return how many were unread."""
    if (ids is None) == (up_to is None):
        raise Invalid.field("ids", "one_of", "ids 和 up_to 须填且只填一个。", "Give either ids or up_to.")
    named: ColumnElement[bool]
    if up_to is None:
        named = Notification.id.in_(ids or ())
    else:
        last = uow.session.get(Notification, up_to)
        if last is None or last.user_id != caller.user_id or not last.in_app:
            raise NotFound
        named = tuple_(Notification.created_at, Notification.id) <= (last.created_at, last.id)
    reading = update(Notification).where(
        Notification.user_id == caller.user_id, Notification.in_app, Notification.read_at.is_(None), named
    )
    return int(uow.session.execute(reading.values(read_at=uow.now)).rowcount)  # type: ignore[attr-defined]


def put_settings(
    uow: UnitOfWork,
    caller: Caller,
    *,
    quiet_from: time | None,
    quiet_to: time | None,
    switches: Sequence[dict[str, Any]],
) -> None:
    """Replace all of one's wishes about notices."""
    check_quiet_hours(quiet_from, quiet_to)
    _check_switches(uow, caller, switches)
    for table in (QuietHours, NotificationSwitch):
        uow.session.execute(delete(table).where(table.user_id == caller.user_id))
    if quiet_from is not None and quiet_to is not None:
        hours = insert(QuietHours).values(user_id=caller.user_id, quiet_from=quiet_from, quiet_to=quiet_to)
        uow.session.execute(hours.on_conflict_do_nothing())
    if switches:
        rows = [{"id": new_id(), "user_id": caller.user_id, **switch} for switch in switches]
        uow.session.execute(insert(NotificationSwitch).values(rows))


def _check_switches(uow: UnitOfWork, caller: Caller, switches: Sequence[dict[str, Any]]) -> None:
    """Refuse two switches for one thing, and circles that one never was in."""
    named = {switch["circle_id"] for switch in switches} - {None}
    known = uow.session.scalars(
        select(Membership.circle_id).where(Membership.user_id == caller.user_id, Membership.circle_id.in_(named))
    )
    unknown = named - set(known)
    seen: set[tuple[object, object]] = set()
    for number, switch in enumerate(switches):
        if switch["circle_id"] in unknown:
            text = Text("没有这个星球。", "There is no such circle among yours.")
            raise Invalid(FieldError(f"switches.{number}.circle_id", "unknown_circle", text))
        thing = (switch["circle_id"], switch["kind"])
        if thing in seen:
            text = Text("同一项只能设置一次。", "One thing has one switch.")
            raise Invalid(FieldError(f"switches.{number}", "duplicate", text))
        seen.add(thing)


def forget_person(uow: UnitOfWork, deleted: UserDeleted) -> None:
    """Delete the notices and wishes of an account that is being deleted."""
    for table in (Notification, QuietHours, NotificationSwitch, NoticeHook):
        uow.session.execute(delete(table).where(table.user_id == deleted.user_id))
