"""Deliverers of the outbox: what a message's topic becomes, and through which channel it leaves."""

from collections.abc import Mapping
from uuid import UUID

import orjson
from sqlalchemy import select

from circle.accounts.models import Identity, IdentityKind, OneTimeCode, User
from circle.accounts.services.letters import What
from circle.config import Settings
from circle.kernel.outbox import DeliveryFailed, Message
from circle.kernel.text import Language, Text
from circle.kernel.uow import Units
from circle.notifications.channels import Letter, Mailer, Texter
from circle.notifications.hook_models import NoticeHook
from circle.notifications.hooks import Hooks
from circle.notifications.kinds import NOTICES, Kind
from circle.notifications.models import Notification
from circle.notifications.queries import notice_card
from circle.notifications.services import hooks
from circle.notifications.services.archive import titles

# Whose address it is may not be known, nor their language: codes are said in both.
_CODE_SUBJECT = Text("验证码 {code}", "Your code is {code}")
_CODE_BODY = Text(
    "你的验证码是 {code}，10 分钟内有效。不要告诉任何人。如非本人操作，请忽略。",
    "Your code is {code}. It is good for 10 minutes. Tell it to nobody; ignore this if you did not ask for it.",
)
# To the addresses of an account, of what was done to it: subject and what follows.
_ACCOUNT: Mapping[What, tuple[Text, Text]] = {
    What.ADDRESS_ADDED: (
        Text("你的账号新增了登录方式", "A way to log in was added to your account"),
        Text("{at}，{about} 被添加为你账号的登录方式。", "On {at}, {about} was added to your account."),
    ),
    What.ADDRESS_REMOVED: (
        Text("你的账号移除了登录方式", "A way to log in was removed from your account"),
        Text("{at}，{about} 不再是你账号的登录方式。", "On {at}, {about} was removed from your account."),
    ),
    What.PASSWORD_CHANGED: (
        Text("你的密码已更改", "Your password was changed"),
        Text(
            "{at}，你账号的密码已更改，其他设备已下线。", "On {at}, it was changed, and other devices were logged out."
        ),
    ),
}
_NOT_YOU = Text(
    "如果是你本人操作，请忽略。如果不是，请立即用验证码重设密码：所有设备会下线，令牌会失效；然后删除陌生的登录方式。已无法登录时"
    "请联系管理员：{site}",
    "If that was you, there is nothing to do. If not, set a new password by one-time code at once: it logs every device"
    " out and ends every token. Then remove the addresses that are not yours. If you can't log in any more, tell the"
    " operator: {site}",
)
_FOOTER = Text("在通知设置中可以关闭这类邮件：{site}", "Your notification settings can stop such mail: {site}")


def deliver_code(units: Units, message: Message) -> None:
    """Send a one-time code, unless it was used, replaced or overtaken by time."""
    code_id = UUID(message.key.removeprefix("code:"))
    with units.read() as uow:
        live = uow.session.scalar(
            select(OneTimeCode.id).where(
                OneTimeCode.id == code_id, OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > uow.now
            )
        )
    if live is None:
        return
    code = message.payload["code"]
    subject, body = (
        f"{text.say('zh-CN', code=code)} / {text.say('en', code=code)}" for text in (_CODE_SUBJECT, _CODE_BODY)
    )
    letter = Letter(message.key, message.payload["to"], subject, body)
    sender = units.use(Mailer) if message.payload["kind"] == IdentityKind.EMAIL else units.use(Texter)
    sender.send(units, letter)


def deliver_account_letter(units: Units, message: Message) -> None:
    """Tell an address of an account what was done to it."""
    told = message.payload
    language: Language = "en" if told["language"] == "en" else "zh-CN"
    subject, body = _ACCOUNT[What(told["what"])]
    not_you = _NOT_YOU.say(language, site=f"{units.use(Settings).site_url}/account")
    said = f"{body.say(language, at=told['at'], about=told['about'])}\n\n{not_you}\n"
    letter = Letter(message.key, told["to"], subject.say(language), said)
    sender = units.use(Mailer) if told["kind"] == IdentityKind.EMAIL else units.use(Texter)
    sender.send(units, letter)


def deliver_email(units: Units, message: Message) -> None:
    """Send a notice by e-mail in its reader's language; nothing if notice, account or address are gone by now."""
    letter = _compose(units, message)
    if letter is not None:
        units.use(Mailer).send(units, letter)


def deliver_hook(units: Units, message: Message) -> None:
    """Post a notice to its reader's webhook; nothing if notice, account or webhook are gone by now, or switched off.

    An address that failed a moment ago is not called again: it holds up no other.
    """
    hook_id, notification_id = UUID(message.payload["hook_id"]), UUID(message.payload["notification_id"])
    with units.read() as uow:
        shown = ("id", "kind", "circle_id", "subject_kind", "subject_id", "data", "created_at", "read_at")
        found = uow.session.execute(
            select(
                NoticeHook.url, NoticeHook.paused_until, User.language, *(getattr(Notification, one) for one in shown)
            )
            .join(User, User.id == NoticeHook.user_id)
            .join(Notification, Notification.user_id == User.id)
            .where(
                NoticeHook.id == hook_id,
                NoticeHook.disabled_at.is_(None),
                Notification.id == notification_id,
                User.suspended_at.is_(None),
            )
        )
        row = found.mappings().one_or_none()
        if row is None:
            return
        if row["paused_until"] is not None and row["paused_until"] > uow.now:
            raise DeliveryFailed("it failed a moment ago")
        card = notice_card(dict(row), "en" if row["language"] == "en" else "zh-CN")
    body = orjson.dumps(card, option=orjson.OPT_UTC_Z)
    secret = hooks.secret_of(units.use(Settings), hook_id)
    answer = units.use(Hooks).post(row["url"], body, key=message.key, secret=secret)
    with units.write() as uow:
        hooks.note_try(uow, hook_id, notification_id, answer)
    if not answer.is_taken:
        raise DeliveryFailed(f"the webhook answered {answer.status or answer.error}")


def _compose(units: Units, message: Message) -> Letter | None:
    with units.read() as uow:
        found = uow.session.execute(
            select(
                Notification.kind,
                Notification.data,
                Notification.user_id,
                Notification.circle_id,
                User.language,
                Identity.value,
            )
            .join(User, User.id == Notification.user_id)
            .join(Identity, Identity.user_id == User.id)
            .where(
                Notification.id == UUID(message.payload["notification_id"]),
                Identity.kind == IdentityKind.EMAIL,
                Identity.verified_at.is_not(None),
                User.suspended_at.is_(None),
            )
            .order_by(Identity.created_at)
            .limit(1)
        ).one_or_none()
        if found is None:
            return None
        named = titles(uow, found.user_id, found.circle_id, found.data) if found.data.get("post_ids") else []
    notice = NOTICES[Kind(found.kind)]
    language: Language = "en" if found.language == "en" else "zh-CN"
    footer = _FOOTER.say(language, site=units.use(Settings).site_url)
    said = "\n".join([notice.body.say(language, **found.data), *(["", *named] if named else [])])
    body = f"{said}\n\n—\n{footer}\n"
    return Letter(message.key, found.value, notice.title.say(language, **found.data), body)
