"""`notify` and `notify_each`: how every other room tells people something."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Select, Text, Uuid, and_, any_, bindparam, exists, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from circle.accounts.models import Identity, IdentityKind, User
from circle.circles.models import Circle
from circle.config import Settings
from circle.kernel import outbox
from circle.kernel.db import Json, Query
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.notifications.hook_models import NoticeHook
from circle.notifications.kinds import NOTICES, Kind
from circle.notifications.models import NotificationSwitch, QuietHours
from circle.notifications.quiet import next_loud

EMAIL_TOPIC = "notifications.email"
HOOK_TOPIC = "hooks.notice"
# Delivers webhooks, in a queue where a slow address holds up no mail.
RELAY_HOOKS = "hooks.relay"
_AT_ONCE = 500


class Wish(NamedTuple):
    """Where somebody wants one kind of notice."""

    in_app: bool
    email: bool
    webhook: bool = True


@dataclass(frozen=True, slots=True)
class Telling:
    """What one person is told; key, circle, subject and data as in `notify`."""

    user_id: UUID
    key: str
    circle_id: UUID | None = None
    subject: tuple[str, UUID] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


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
    hook_id: UUID | None


def _select_people() -> Select[*tuple[Any, ...]]:
    proven = and_(
        # What is told to somebody suspended waits in their inbox.
        User.suspended_at.is_(None),
        exists().where(
            Identity.user_id == User.id, Identity.kind == IdentityKind.EMAIL, Identity.verified_at.is_not(None)
        ),
    )
    return (
        select(
            User.id,
            User.timezone,
            QuietHours.quiet_from,
            QuietHours.quiet_to,
            proven.label("has_email"),
            NoticeHook.id.label("hook_id"),
        )
        .outerjoin(QuietHours, QuietHours.user_id == User.id)
        .outerjoin(
            NoticeHook,
            and_(NoticeHook.user_id == User.id, NoticeHook.disabled_at.is_(None), User.suspended_at.is_(None)),
        )
        .where(User.id == any_(_IDS), User.deleted_at.is_(None))
    )


def _select_switches() -> Select[*tuple[Any, ...]]:
    switch = NotificationSwitch
    return (
        select(switch.user_id, switch.circle_id, switch.in_app, switch.email, switch.webhook)
        .where(switch.user_id == any_(_IDS), or_(switch.kind.is_(None), switch.kind == bindparam("kind", type_=Text())))
        .order_by(switch.circle_id.is_not(None), switch.kind.is_not(None))
    )


_IDS = bindparam("ids", type_=ARRAY(Uuid()))
_CIRCLES = Query(
    lambda: select(Circle.id, Circle.name, Circle.timezone, Circle.quiet_from, Circle.quiet_to).where(
        Circle.id == any_(_IDS)
    )
)
_PEOPLE = Query(_select_people)
_SWITCHES = Query(_select_switches)
_TELL = Query(
    # All in one document: the driver would spell out arrays, letter by letter.
    lambda: text("""
        INSERT INTO notifications (
            id, kind, created_at, user_id, circle_id, key, subject_kind, subject_id, data, in_app
        )
        SELECT id, :kind, :now, user_id, circle_id, key, subject_kind, subject_id, data, in_app
        FROM jsonb_to_recordset(CAST(:notices AS jsonb)) AS notice (
            id uuid, user_id uuid, circle_id uuid, key text, subject_kind text, subject_id uuid, data jsonb,
            in_app boolean
        )
        ON CONFLICT (user_id, key) DO NOTHING
        RETURNING id
    """)
)


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
    return notify_each(uow, kind, (Telling(one, key, circle_id, subject, data) for one in people))


def notify_each(uow: UnitOfWork, kind: Kind, tellings: Iterable[Telling]) -> int:
    """Tell many people, of many circles, each what concerns them, as `notify` does: some statements for 500 of them."""
    waiting = iter(tellings)
    told = 0
    while some := list(islice(waiting, _AT_ONCE)):
        told += _notify_some(uow, kind, some)
    return told


def _notify_some(uow: UnitOfWork, kind: Kind, tellings: Sequence[Telling]) -> int:
    circles = _circles(uow, {one.circle_id for one in tellings if one.circle_id})
    people = _people(uow, {one.user_id for one in tellings})
    habit, wishes = Wish(in_app=True, email=NOTICES[kind].email), _wishes(uow, kind, tellings)
    mail_leaves = bool(uow.use(Settings).mail_url)
    rows, leaving = list[Json](), dict[UUID, list[outbox.Announcement]]()
    for one in tellings:
        person, wish = people.get(one.user_id), wishes.get((one.user_id, one.circle_id), habit) if wishes else habit
        if person is None:
            continue
        mailed = mail_leaves and wish.email and person.has_email
        hook_id = person.hook_id if wish.webhook else None
        if not (wish.in_app or mailed or hook_id):
            continue
        circle = circles[one.circle_id] if one.circle_id else None
        row = _row(kind, one, circle, in_app=wish.in_app)
        rows.append(row)
        if mailed or hook_id:
            due_at = _rings_at(uow.now, circle, person)
            leaving[row["id"]] = _announcements(row, due_at, mailed=mailed, hook_id=hook_id)
    if not rows:
        return 0
    new = [row["id"] for row in uow.rows(_TELL, kind=kind.value, now=uow.now, notices=orjson.dumps(rows).decode())]
    announced = [one for notice_id in new if notice_id in leaving for one in leaving[notice_id]] if leaving else []
    outbox.put_many(uow, announced)
    if any(one.topic == HOOK_TOPIC for one in announced):
        uow.ring(RELAY_HOOKS)
    return len(new)


def _announcements(
    row: Mapping[str, Any], due_at: datetime, *, mailed: bool, hook_id: UUID | None
) -> list[outbox.Announcement]:
    """Return what leaves the house for a notice."""
    notice_id, circle_id = row["id"], row["circle_id"]
    payload = {"notification_id": str(notice_id)}
    leaving = []
    if mailed:
        leaving.append(outbox.Announcement(f"notice:{notice_id}:email", EMAIL_TOPIC, payload, circle_id, due_at))
    if hook_id:
        hooked = {**payload, "hook_id": str(hook_id)}
        leaving.append(outbox.Announcement(f"notice:{notice_id}:webhook", HOOK_TOPIC, hooked, circle_id, due_at))
    return leaving


def _row(kind: Kind, one: Telling, circle: _Circle | None, *, in_app: bool) -> Json:
    values = {**({"circle": circle.name} if circle else {}), **one.data}
    missing = NOTICES[kind].names - values.keys()
    if missing:
        raise TypeError(f"{kind} needs {', '.join(sorted(missing))}")
    subject_kind, subject_id = one.subject or (None, None)
    return {
        "id": new_id(),
        "user_id": one.user_id,
        "circle_id": one.circle_id,
        "key": one.key,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "data": values,
        "in_app": in_app,
    }


def _circles(uow: UnitOfWork, ids: set[UUID]) -> dict[UUID, _Circle]:
    return {row["id"]: _Circle(**row) for row in uow.rows(_CIRCLES, ids=list(ids))} if ids else {}


def _people(uow: UnitOfWork, ids: set[UUID]) -> dict[UUID, _Person]:
    return {row["id"]: _Person(**row) for row in uow.rows(_PEOPLE, ids=list(ids))}


def _rings_at(now: datetime, circle: _Circle | None, person: _Person) -> datetime:
    """Return when mail may leave: after the quiet hours of circle and person, where either may end in the other."""
    at = now
    for one in (circle, person, circle) if circle else (person,):
        at = next_loud(at, ZoneInfo(one.timezone), one.quiet_from, one.quiet_to)
    return at


def _wishes(uow: UnitOfWork, kind: Kind, tellings: Sequence[Telling]) -> dict[tuple[UUID, UUID | None], Wish]:
    """Return what those who said so want in each circle: the switch that names most counts."""
    switches = uow.rows(_SWITCHES, ids=list({one.user_id for one in tellings}), kind=kind.value)
    if not switches:
        return {}
    rooms = defaultdict[UUID, set[UUID | None]](set)
    for one in tellings:
        rooms[one.user_id].add(one.circle_id)
    wishes = dict[tuple[UUID, UUID | None], Wish]()
    for row in switches:
        wish = Wish(row["in_app"] or NOTICES[kind].required, row["email"], row["webhook"])
        for circle_id in rooms[row["user_id"]]:
            if row["circle_id"] in {None, circle_id}:
                wishes[row["user_id"], circle_id] = wish
    return wishes
