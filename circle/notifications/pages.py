"""The dev mailbox: mail and text messages of an installation that keeps instead of sending them."""

from flask import Blueprint, Response, abort, request

from circle.config import Settings
from circle.kernel.text import Text
from circle.notifications import queries
from circle.notifications.channels import MAILBOX
from circle.web.answers import JSON, dumps
from circle.web.pages import on_loopback, page
from circle.web.system import system

_SAYS = {
    "title": Text("开发邮箱", "Dev mailbox"),
    "intro": Text(
        "这里保存最近 100 条邮件和短信，不会真正发出。",
        "The last 100 e-mails and text messages, kept here and not sent.",
    ),
    "search": Text("收件地址", "Address"),
    "find": Text("查找", "Find"),
    "all": Text("全部", "Show all"),
    "none": Text("还没有消息。", "No messages yet."),
    "email": Text("邮件", "e-mail"),
    "sms": Text("短信", "text message"),
}


def has_mailbox(settings: Settings) -> bool:
    return settings.test_mode or MAILBOX in {settings.mail_url, settings.sms_url}


def mailbox_blueprint() -> Blueprint:
    """Serve `/dev/mailbox`, which shows one-time codes: in test mode to all, else to this machine alone."""
    blueprint = Blueprint("mailbox", __name__, url_prefix="/dev", template_folder="templates")

    @blueprint.before_request
    def guard() -> None:
        if not system().settings.test_mode and not on_loopback():
            abort(404)

    @blueprint.get("/mailbox")
    def show() -> Response:
        to = request.args.get("to", "").strip()
        with system().units.read() as uow:
            return page("mailbox.html", _SAYS, messages=queries.mailbox(uow, to=to), to=to)

    @blueprint.get("/mailbox.json")
    def as_json() -> Response:
        with system().units.read() as uow:
            messages = queries.mailbox(uow, to=request.args.get("to", "").strip())
        names = ("id", "channel", "to", "subject", "body", "created_at")
        items = [{name: getattr(message, name) for name in names} for message in messages]
        return Response(dumps({"items": items}), mimetype=JSON, headers={"Cache-Control": "no-store"})

    return blueprint
