"""`notify`: how every other room tells people something."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert

from circle.accounts.models import Identity, IdentityKind, User
from circle.circles.models import Circle
from circle.config import Settings
from circle.kernel import outbox
from circle.kernel.db import Json
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import NOTICES, Kind, Notice
from circle.notifications.models import Notification, NotificationSwitch, QuietHours
from circle.notifications.quiet import next_loud

EMAIL_TOPIC = "notifications.email"
_AT_ONCE = 500
_CIRCLE = select(Circle.name, Circle.timezone, Circle.quiet_from, Circle.quiet_to).where(
    Circle.id == bindparam("circle_id")
)


class Wish(NamedTuple):
    """Where somebody wants one kind of notice."""

    in_app: bool
    email: bool


class _Recipient(NamedTuple):
    id: UUID
    rings_at: datetime
    has_email: bool


def notify(
    uow: UnitOfWork,
    to: UUID | Iterable[UUID],
    kind: Kind,
    *,
    key: str,
    circle_id: UUID | None = None,
    subject: tuple[str, UUID] | None = None,
    **data: str | int,
) -> int:
    """Tell one person, or many, in the transaction of what is told; return how many notices are new.

    `key` names what happened, such as `f"comment:{comment_id}"`: a second call tells nobody twice. `subject` is
    what a client opens, such as `("post", post_id)`. `data` fills the sentences in kinds.py, which says what they
    need beside `circle`. Whoever switched the kind or the circle off is left out, mail waits for the end of the
    circle's and their own quiet hours, and an account that is gone is skipped. Tell nobody of what they did themselves.
    """
    people = {to} if isinstance(to, UUID) else to
    return notify_each(uow, ((one, data) for one in people), kind, key=key, circle_id=circle_id, subject=subject)


def notify_each(
    uow: UnitOfWork,
    to: Iterable[tuple[UUID, Mapping[str, Any]]],
    kind: Kind,
    *,
    key: str,
    circle_id: UUID | None = None,
    subject: tuple[str, UUID] | None = None,
) -> int:
    """Tell many people, each with data of their own, as `notify` does; nobody stands in `to` twice with other data."""
    notice = NOTICES[kind]
    circle = uow.session.execute(_CIRCLE, {"circle_id": circle_id}).one() if circle_id else None
    common = {"circle": circle.name} if circle else {}
    people = iter(dict(to).items())
    rings_at = next_loud(uow.now, ZoneInfo(circle.timezone), circle.quiet_from, circle.quiet_to) if circle else uow.now
    row: Json = {
        "kind": kind.value,
        "key": key,
        "circle_id": circle_id,
        "subject_kind": subject[0] if subject else None,
        "subject_id": subject[1] if subject else None,
        "created_at": uow.now,
    }
    told = 0
    while some := dict(islice(people, _AT_ONCE)):
        values = {one: {**common, **data} for one, data in some.items()}
        told += _notify_some(uow, values, notice, row, rings_at)
    return told


def _notify_some(uow: UnitOfWork, values: Mapping[UUID, Json], notice: Notice, row: Json, rings_at: datetime) -> int:
    missing = {name for data in values.values() for name in notice.names - data.keys()}
    if missing:
        raise TypeError(f"{row['kind']} needs {', '.join(sorted(missing))}")
    recipients = _recipients(uow, values, rings_at)
    wishes = _wishes(uow, recipients.keys(), notice, row["kind"], row["circle_id"])
    mail_leaves = bool(uow.use(Settings).mail_url)
    mailed = {one.id for one in recipients.values() if mail_leaves and one.has_email and wishes[one.id].email}
    rows = [
        {**row, "id": new_id(), "user_id": one, "data": values[one], "in_app": wishes[one].in_app}
        for one in recipients
        if wishes[one].in_app or one in mailed
    ]
    if not rows:
        return 0
    adding = (
        insert(Notification)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["user_id", "key"])
        .returning(Notification.id, Notification.user_id)
    )
    new = uow.session.execute(adding).all()
    outbox.put_many(
        uow,
        [
            outbox.Announcement(
                key=f"notice:{notice_id}:email",
                topic=EMAIL_TOPIC,
                payload={"notification_id": str(notice_id)},
                circle_id=row["circle_id"],
                due_at=recipients[user_id].rings_at,
            )
            for notice_id, user_id in new
            if user_id in mailed
        ],
    )
    return len(new)


def _recipients(uow: UnitOfWork, user_ids: Iterable[UUID], rings_at: datetime) -> dict[UUID, _Recipient]:
    """Return who has an account still, and when mail to them may leave: after the circle's and their quiet hours."""
    proven = exists().where(
        Identity.user_id == User.id, Identity.kind == IdentityKind.EMAIL, Identity.verified_at.is_not(None)
    )
    found = uow.session.execute(
        select(User.id, User.timezone, QuietHours.quiet_from, QuietHours.quiet_to, proven)
        .outerjoin(QuietHours, QuietHours.user_id == User.id)
        .where(User.id.in_(list(user_ids)), User.deleted_at.is_(None))
    )
    return {
        user_id: _Recipient(user_id, next_loud(rings_at, ZoneInfo(zone), starts, ends), has_email)
        for user_id, zone, starts, ends, has_email in found
    }


def _wishes(
    uow: UnitOfWork, user_ids: Collection[UUID], notice: Notice, kind: str, circle_id: UUID | None
) -> dict[UUID, Wish]:
    """Return what each person wants: the switch that names most, else the kind's own habit."""
    wishes = dict.fromkeys(user_ids, Wish(in_app=True, email=notice.email))
    switches = uow.session.execute(
        select(NotificationSwitch.user_id, NotificationSwitch.in_app, NotificationSwitch.email)
        .where(
            NotificationSwitch.user_id.in_(user_ids),
            NotificationSwitch.kind.is_(None) | (NotificationSwitch.kind == kind),
            NotificationSwitch.circle_id.is_(None) | (NotificationSwitch.circle_id == circle_id),
        )
        .order_by(NotificationSwitch.circle_id.is_not(None), NotificationSwitch.kind.is_not(None))
    )
    for user_id, in_app, email in switches:
        wishes[user_id] = Wish(in_app=in_app or notice.required, email=email)
    return wishes
