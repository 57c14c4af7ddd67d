"""Shapes of notices in requests and answers."""

from circle.circles.schemas import TimeOfDay
from circle.kernel.cursor import MAX_LIMIT
from circle.notifications.kinds import Kind
from circle.web.fields import (
    EXAMPLE_ID,
    Bool,
    Choice,
    Dict,
    Flag,
    Id,
    Instant,
    List,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
)
from circle.web.pagination import PageArgs

_FROM = {"example": "22:00", "description": "By the clock of your own time zone."}
_TO = {"example": "08:00"}
_MAX_SWITCHES = 500
_URL = {"example": "https://bot.example.org/circle"}


class InboxArgs(PageArgs):
    unread = Flag(load_default=False, metadata={"description": "Only what was not read yet."})


class NotificationSubjectOut(Schema):
    kind = OutStr(required=True, metadata={"example": "post"})
    id = Id(required=True)


class NotificationOut(Schema):
    id = Id(required=True)
    kind = OutStr(required=True, metadata={"example": "question_answered"})
    circle_id = Id(required=True, allow_none=True)
    subject = Nested(NotificationSubjectOut, required=True, allow_none=True, metadata={"description": "What to open."})
    title = OutStr(required=True, metadata={"example": "王老师回答了你的问题"})
    body = OutStr(required=True, metadata={"example": "去“写作训练营”看看回答。"})
    data = Dict(required=True, metadata={"example": {"circle": "写作训练营", "actor": "王老师"}})
    created_at = Instant(required=True)
    read_at = Instant(required=True, allow_none=True)


class MarkReadIn(Schema):
    ids = List(Id(), validate=lambda ids: len(ids) <= MAX_LIMIT, metadata={"example": [EXAMPLE_ID]})
    up_to = Id(metadata={"description": "This notice and all before it."})


class MarkReadOut(Schema):
    marked = OutInt(required=True, metadata={"example": 3})


class NotificationSwitchIn(Schema):
    circle_id = Id(load_default=None, allow_none=True, metadata={"description": "Null: every circle."})
    kind = Choice(Kind, load_default=None, allow_none=True, metadata={"description": "Null: every kind."})
    in_app = Bool(required=True)
    email = Bool(required=True)
    webhook = Bool(load_default=True, metadata={"description": "To your webhook, where you have one."})


class NotificationSwitchOut(Schema):
    circle_id = Id(required=True, allow_none=True)
    kind = OutStr(required=True, allow_none=True, metadata={"example": "comment_received"})
    in_app = OutBool(required=True)
    email = OutBool(required=True)
    webhook = OutBool(required=True)


class NotificationKindOut(Schema):
    kind = OutStr(required=True, metadata={"example": "comment_received"})
    in_app = OutBool(required=True)
    email = OutBool(required=True)
    required = OutBool(required=True, metadata={"description": "Always in the inbox."})


class WebhookIn(Schema):
    url = Str(most=500, required=True, metadata=_URL)


class WebhookOut(Schema):
    url = OutStr(required=True, metadata=_URL)
    failing_since = Instant(required=True, allow_none=True, metadata={"example": None})
    disabled_at = Instant(
        required=True,
        allow_none=True,
        metadata={"example": None, "description": "It failed for a day: set it anew to begin again."},
    )
    created_at = Instant(required=True)


class NewWebhookOut(WebhookOut):
    secret = OutStr(
        required=True, metadata={"example": "whs_" + "0" * 64, "description": "Signs every post; shown this once."}
    )


class WebhookDeliveryOut(Schema):
    id = Id(required=True)
    notification_id = Id(required=True)
    status = OutInt(required=True, allow_none=True, metadata={"example": 200, "description": "What it answered."})
    error = OutStr(required=True, allow_none=True, metadata={"example": None})
    tried_at = Instant(required=True)


class NotificationSettingsIn(Schema):
    quiet_from = TimeOfDay(load_default=None, allow_none=True, metadata=_FROM)
    quiet_to = TimeOfDay(load_default=None, allow_none=True, metadata=_TO)
    switches = List(Nested(NotificationSwitchIn), load_default=list, validate=lambda some: len(some) <= _MAX_SWITCHES)


class NotificationSettingsOut(Schema):
    quiet_from = TimeOfDay(required=True, allow_none=True, metadata=_FROM)
    quiet_to = TimeOfDay(required=True, allow_none=True, metadata=_TO)
    switches = List(Nested(NotificationSwitchOut), required=True)
    kinds = List(Nested(NotificationKindOut), required=True, metadata={"description": "What holds without a switch."})
