"""Reading notices, wishes and the dev mailbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select, tuple_

from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Query, Row
from circle.kernel.text import Language
from circle.kernel.uow import UnitOfWork
from circle.notifications.hook_models import HookDelivery, NoticeHook
from circle.notifications.kinds import NOTICES, Kind
from circle.notifications.models import MailboxMessage, Notification, NotificationSwitch, QuietHours

KEYSET = Keyset("notices", {"created_at": datetime, "id": UUID})
_DELIVERIES = Keyset("hook_deliveries", {"id": UUID})
_NEWEST = {"created_at": datetime(9999, 1, 1, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
MAILBOX_SHOWN = 100


def _inbox() -> Select[*tuple[Any, ...]]:
    position = tuple_(Notification.created_at, Notification.id)
    return (
        select(
            Notification.id,
            Notification.kind,
            Notification.circle_id,
            Notification.subject_kind,
            Notification.subject_id,
            Notification.data,
            Notification.created_at,
            Notification.read_at,
        )
        .where(
            Notification.user_id == bindparam("user_id"),
            Notification.in_app,
            position < tuple_(bindparam("created_at"), bindparam("before_id")),
        )
        .order_by(Notification.created_at.desc(), Notification.id.desc())
        .limit(bindparam("limit"))
    )


_ALL = Query(_inbox)
_UNREAD = Query(lambda: _inbox().where(Notification.read_at.is_(None)))


def inbox(
    uow: UnitOfWork, caller: Caller, language: Language, *, unread: bool, cursor: str | None, limit: int
) -> dict[str, Any]:
    """Return a page of notices, newest first, in the reader's language."""
    before = KEYSET.decode(cursor) if cursor else _NEWEST
    rows = uow.rows(
        _UNREAD if unread else _ALL,
        user_id=caller.user_id,
        created_at=before["created_at"],
        before_id=before["id"],
        limit=limit + 1,
    )
    page, next_cursor = KEYSET.page(rows, limit)
    return {"items": [notice_card(row, language) for row in page], "next_cursor": next_cursor}


def notice_card(row: Row, language: Language) -> dict[str, Any]:
    """Return a notice in the shape of `NotificationOut`."""
    notice = NOTICES[Kind(row["kind"])]
    subject = {"kind": row["subject_kind"], "id": row["subject_id"]} if row["subject_id"] else None
    return {
        "id": row["id"],
        "kind": row["kind"],
        "circle_id": row["circle_id"],
        "subject": subject,
        "title": notice.title.say(language, **row["data"]),
        "body": notice.body.say(language, **row["data"]),
        "data": row["data"],
        "created_at": row["created_at"],
        "read_at": row["read_at"],
    }


def new_hook(hook: NoticeHook, secret: str) -> dict[str, Any]:
    """Return a webhook in the shape of `NewWebhookOut`."""
    shown = ("url", "failing_since", "disabled_at", "created_at")
    return {**{name: getattr(hook, name) for name in shown}, "secret": secret}


def hook_deliveries(uow: UnitOfWork, hook_id: UUID, *, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return a page of tries at a webhook, newest first."""
    before = _DELIVERIES.decode(cursor)["id"] if cursor else UUID(int=2**128 - 1)
    columns = (getattr(HookDelivery, name) for name in ("id", "notification_id", "status", "error", "tried_at"))
    tries = (
        select(*columns)
        .where(HookDelivery.hook_id == hook_id, HookDelivery.id < before)
        .order_by(HookDelivery.id.desc())
        .limit(limit + 1)
    )
    page, next_cursor = _DELIVERIES.page([dict(row) for row in uow.session.execute(tries).mappings()], limit)
    return {"items": page, "next_cursor": next_cursor}


def settings(uow: UnitOfWork, caller: Caller) -> dict[str, Any]:
    """Return one's wishes, and what each kind does without one."""
    hours = uow.session.get(QuietHours, caller.user_id)
    switches = uow.session.scalars(
        select(NotificationSwitch).where(NotificationSwitch.user_id == caller.user_id).order_by(NotificationSwitch.id)
    )
    return {
        "quiet_from": hours.quiet_from if hours else None,
        "quiet_to": hours.quiet_to if hours else None,
        "switches": list(switches),
        "kinds": [
            {"kind": kind, "in_app": True, "email": notice.email, "required": notice.required}
            for kind, notice in NOTICES.items()
        ],
    }


def mailbox(uow: UnitOfWork, *, to: str) -> Sequence[MailboxMessage]:
    """Return the latest messages that the dev mailbox holds, to one address or to all."""
    newest = select(MailboxMessage).order_by(MailboxMessage.created_at.desc(), MailboxMessage.id.desc())
    if to:
        newest = newest.where(MailboxMessage.to == to)
    return uow.session.scalars(newest.limit(MAILBOX_SHOWN)).all()
