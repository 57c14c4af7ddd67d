"""`notify_each`: telling many people of many circles the same kind of thing, a handful of statements in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from circle.accounts.models import Identity, IdentityKind, User
from circle.circles.models import Circle
from circle.config import Settings
from circle.kernel import outbox
from circle.kernel.db import Json
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import NOTICES, Kind
from circle.notifications.models import Notification, NotificationSwitch, QuietHours
from circle.notifications.quiet import next_loud
from circle.notifications.services.sending import EMAIL_TOPIC, Wish


@dataclass(frozen=True, slots=True)
class Telling:
    """What one person is told; key, subject and data as in `notify`."""

    user_id: UUID
    circle_id: UUID
    key: str
    subject: tuple[str, UUID]
    data: Json


class _Circle(NamedTuple):
    id: UUID
    name: str
    timezone: str
    quiet_from: time | None
    quiet_to: time | None


class _Person(NamedTuple):
    id: UUID
    timezone: str
    quiet_from: time | None
    quiet_to: time | None
    has_email: bool


def notify_each(uow: UnitOfWork, kind: Kind, tellings: Sequence[Telling]) -> int:
    """Tell each what concerns them, by the rules of `notify`; return how many notices are new."""
    circles = _circles(uow, {one.circle_id for one in tellings})
    people = _people(uow, {one.user_id for one in tellings})
    wishes = _wishes(uow, kind, tellings)
    mail_leaves = bool(uow.use(Settings).mail_url)
    rows, mails = [], {}
    for one in tellings:
        person, wish = people.get(one.user_id), wishes[one.user_id, one.circle_id]
        mailed = mail_leaves and wish.email and person is not None and person.has_email
        if person is None or not (wish.in_app or mailed):
            continue
        row = _row(uow, kind, one, circles[one.circle_id].name, in_app=wish.in_app)
        rows.append(row)
        if mailed:
            mails[row["id"]] = (one.circle_id, _rings_at(uow.now, circles[one.circle_id], person))
    if not rows:
        return 0
    adding = insert(Notification).on_conflict_do_nothing(index_elements=["user_id", "key"]).returning(Notification.id)
    new = uow.session.scalars(adding, rows).all()
    outbox.put_many(
        uow,
        [
            outbox.Announcement(
                key=f"notice:{notice_id}:email",
                topic=EMAIL_TOPIC,
                payload={"notification_id": str(notice_id)},
                circle_id=mails[notice_id][0],
                due_at=mails[notice_id][1],
            )
            for notice_id in new
            if notice_id in mails
        ],
    )
    return len(new)


def _row(uow: UnitOfWork, kind: Kind, one: Telling, circle: str, *, in_app: bool) -> Json:
    values = {"circle": circle, **one.data}
    missing = NOTICES[kind].names - values.keys()
    if missing:
        raise TypeError(f"{kind} needs {', '.join(sorted(missing))}")
    return {
        "id": new_id(),
        "user_id": one.user_id,
        "circle_id": one.circle_id,
        "kind": kind.value,
        "key": one.key,
        "subject_kind": one.subject[0],
        "subject_id": one.subject[1],
        "data": values,
        "in_app": in_app,
        "created_at": uow.now,
    }


def _circles(uow: UnitOfWork, ids: set[UUID]) -> dict[UUID, _Circle]:
    found = select(Circle.id, Circle.name, Circle.timezone, Circle.quiet_from, Circle.quiet_to).where(
        Circle.id.in_(ids)
    )
    return {row.id: _Circle(*row) for row in uow.session.execute(found)}


def _people(uow: UnitOfWork, ids: set[UUID]) -> dict[UUID, _Person]:
    proven = exists().where(
        Identity.user_id == User.id, Identity.kind == IdentityKind.EMAIL, Identity.verified_at.is_not(None)
    )
    found = (
        select(User.id, User.timezone, QuietHours.quiet_from, QuietHours.quiet_to, proven.label("has_email"))
        .outerjoin(QuietHours, QuietHours.user_id == User.id)
        .where(User.id.in_(ids), User.deleted_at.is_(None))
    )
    return {row.id: _Person(*row) for row in uow.session.execute(found)}


def _rings_at(now: datetime, circle: _Circle, person: _Person) -> datetime:
    """Return when mail may leave: after the circle's and the person's quiet hours."""
    at = next_loud(now, ZoneInfo(circle.timezone), circle.quiet_from, circle.quiet_to)
    return next_loud(at, ZoneInfo(person.timezone), person.quiet_from, person.quiet_to)


def _wishes(uow: UnitOfWork, kind: Kind, tellings: Sequence[Telling]) -> dict[tuple[UUID, UUID], Wish]:
    """Return what each wants in each circle: the switch that names most, else the kind's own habit."""
    notice = NOTICES[kind]
    wishes = {(one.user_id, one.circle_id): Wish(in_app=True, email=notice.email) for one in tellings}
    switch = NotificationSwitch
    switches = uow.session.execute(
        select(switch.user_id, switch.circle_id, switch.in_app, switch.email)
        .where(
            switch.user_id.in_({one.user_id for one in tellings}),
            or_(switch.kind.is_(None), switch.kind == kind),
        )
        .order_by(switch.circle_id.is_not(None), switch.kind.is_not(None))
    ).all()
    for user_id, circle_id, in_app, email in switches:
        for pair in [one for one in wishes if one[0] == user_id and circle_id in {None, one[1]}]:
            wishes[pair] = Wish(in_app=in_app or notice.required, email=email)
    return wishes
