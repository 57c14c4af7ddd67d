"""HTTP of notices."""

from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.notifications import queries, schemas
from circle.notifications.services import inbox
from circle.web.answers import language
from circle.web.pagination import page_of
from circle.web.routes import Routes

routes = Routes("notifications", "Notices: the inbox, and who wants what where.")


@routes.get("/me/notifications", query=schemas.InboxArgs, answer=page_of(schemas.NotificationOut), hot=True)
def list_notifications(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """Your notices, newest first."""
    return queries.inbox(uow, caller, language(), **query)


@routes.post("/me/notifications/read", body=schemas.MarkReadIn, answer=schemas.MarkReadOut, errors=(NotFound,))
def mark_notifications_read(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Mark notices as read."""
    return {"marked": inbox.mark_read(uow, caller, **body)}


@routes.get("/me/notification-settings", answer=schemas.NotificationSettingsOut)
def get_notification_settings(uow: UnitOfWork, caller: Caller) -> Json:
    """Your quiet hours and switches, and what each kind does without one."""
    return queries.settings(uow, caller)


@routes.put("/me/notification-settings", body=schemas.NotificationSettingsIn, answer=schemas.NotificationSettingsOut)
def put_notification_settings(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Replace your quiet hours and switches."""
    inbox.put_settings(uow, caller, **body)
    return queries.settings(uow, caller)
