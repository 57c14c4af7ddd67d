"""Forgetting old notices and old kept mail."""

from datetime import timedelta

from sqlalchemy import delete

from circle.kernel.uow import UnitOfWork
from circle.notifications.models import MailboxMessage, Notification

KEEP_NOTICES = timedelta(days=365)
KEEP_MAIL = timedelta(days=30)


def forget_old_notices(uow: UnitOfWork) -> int:
    old = delete(Notification).where(Notification.created_at < uow.now - KEEP_NOTICES)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]


def forget_old_mail(uow: UnitOfWork) -> int:
    old = delete(MailboxMessage).where(MailboxMessage.created_at < uow.now - KEEP_MAIL)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
