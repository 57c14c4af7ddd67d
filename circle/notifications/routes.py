"""HTTP of notices."""

from circle.accounts.errors import SessionNeeded
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.notifications import queries, schemas
from circle.notifications.hook_models import NoticeHook
from circle.notifications.services import hooks, inbox
from circle.web.answers import language
from circle.web.pagination import PageArgs, page_of
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


@routes.get("/me/webhook", answer=schemas.WebhookOut, errors=(NotFound,))
def get_webhook(uow: UnitOfWork, caller: Caller) -> NoticeHook:
    """Where your notices are posted; 404 where they are not."""
    return hooks.find_hook(uow, caller)


@routes.put("/me/webhook", body=schemas.WebhookIn, answer=schemas.NewWebhookOut, errors=(SessionNeeded,))
def put_webhook(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Have your notices posted to an address, signed with a new secret: docs/webhooks.md tells how."""
    hook, secret = hooks.put_hook(uow, caller, **body)
    return queries.new_hook(hook, secret)


@routes.delete("/me/webhook", status=204, errors=(SessionNeeded,))
def delete_webhook(uow: UnitOfWork, caller: Caller) -> None:
    """Have your notices posted nowhere; again changes nothing."""
    hooks.drop_hook(uow, caller)


@routes.get("/me/webhook/deliveries", query=PageArgs, answer=page_of(schemas.WebhookDeliveryOut), errors=(NotFound,))
def list_webhook_deliveries(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """Every try of the last 30 days, the newest first."""
    return queries.hook_deliveries(uow, hooks.find_hook(uow, caller).id, **query)


@routes.get("/me/notification-settings", answer=schemas.NotificationSettingsOut)
def get_notification_settings(uow: UnitOfWork, caller: Caller) -> Json:
    """Your quiet hours and switches, and what each kind does without one."""
    return queries.settings(uow, caller)


@routes.put("/me/notification-settings", body=schemas.NotificationSettingsIn, answer=schemas.NotificationSettingsOut)
def put_notification_settings(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Replace your quiet hours and switches."""
    inbox.put_settings(uow, caller, **body)
    return queries.settings(uow, caller)
