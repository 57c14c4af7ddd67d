"""A person's webhook: setting it, and keeping what came of every try."""

import hmac
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, select

from circle.accounts.events import AccessRenewed
from circle.accounts.services.identities import require_user
from circle.accounts.services.sessions import require_session
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.notifications.hook_models import HookDelivery, NoticeHook
from circle.notifications.hooks import HookAnswer, is_address, is_public
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify

# Failing so often and for so long, it is switched off.
MOST_FAILURES = 10
MOST_TIME = timedelta(days=1)
KEEP_DELIVERIES = timedelta(days=30)
_GONE = 410
# Between tries at an address that fails: doubled from the one to the other.
_FIRST_PAUSE, _LAST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


def put_hook(uow: UnitOfWork, caller: Caller, *, url: str) -> tuple[NoticeHook, str]:
    """Have one's notices posted to an address from now on; return the hook and its secret, which is shown this once.

    Errors: SessionNeeded for personal tokens, Invalid.
    """
    require_session(caller)
    check_address(url, private=uow.use(Settings).webhooks_private)
    require_user(uow, caller, lock=True)
    _forget(uow, caller.user_id)
    hook = NoticeHook(id=new_id(), user_id=caller.user_id, url=url, created_at=uow.now)
    uow.session.add(hook)
    uow.session.flush()
    return hook, secret_of(uow.use(Settings), hook.id)


def drop_hook(uow: UnitOfWork, caller: Caller) -> None:
    """Have nothing posted any more. Errors: SessionNeeded."""
    require_session(caller)
    _forget(uow, caller.user_id)


def find_hook(uow: UnitOfWork, caller: Caller) -> NoticeHook:
    """Errors: NotFound."""
    hook = uow.session.scalar(select(NoticeHook).where(NoticeHook.user_id == caller.user_id))
    if hook is None:
        raise NotFound
    return hook


def secret_of(settings: Settings, hook_id: UUID) -> str:
    """Return what signs a hook's posts: it follows from SECRET_KEY and the hook, and is stored nowhere."""
    return f"whs_{hmac.digest(settings.secret_key.encode(), b'hook:' + hook_id.bytes, 'sha256').hex()}"


def note_try(uow: UnitOfWork, hook_id: UUID, notification_id: UUID, answer: HookAnswer) -> None:
    """Keep what came of a try; an address that fails is left alone for a while, and at last for good."""
    hook = uow.session.get(NoticeHook, hook_id, with_for_update=True, populate_existing=True)
    if hook is None:
        return
    tried = {"status": answer.status, "error": answer.error, "tried_at": uow.now}
    at = {"hook_id": hook.id, "user_id": hook.user_id, "notification_id": notification_id}
    uow.session.add(HookDelivery(id=new_id(), **at, **tried))
    if answer.is_taken:
        hook.failures, hook.failing_since, hook.paused_until = 0, None, None
        return
    hook.failures += 1
    hook.failing_since = hook.failing_since or uow.now
    hook.paused_until = uow.now + min(_FIRST_PAUSE * 2 ** min(hook.failures - 1, 10), _LAST_PAUSE)
    is_hopeless = hook.failures >= MOST_FAILURES and uow.now - hook.failing_since >= MOST_TIME
    if hook.disabled_at is None and (is_hopeless or answer.status == _GONE):
        hook.disabled_at = uow.now
        host = urlsplit(hook.url).hostname or ""
        notify(uow, hook.user_id, Kind.WEBHOOK_DISABLED, key=f"hook:{hook.id}", host=host)


def forget_old_deliveries(uow: UnitOfWork) -> int:
    old = delete(HookDelivery).where(HookDelivery.tried_at < uow.now - KEEP_DELIVERIES)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]


def on_access_renewed(uow: UnitOfWork, renewed: AccessRenewed) -> None:
    """A thief may have had the notices sent to themselves."""
    _forget(uow, renewed.user_id)


def _forget(uow: UnitOfWork, user_id: UUID) -> None:
    uow.session.execute(delete(NoticeHook).where(NoticeHook.user_id == user_id))


def check_address(url: str, *, private: bool) -> None:
    """Refuse what is no address of a web server that a stranger may name; a name is looked up when it is called."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.username is not None or parts.fragment or not url.isascii():
        raise Invalid.field("url", "not_an_address", "须为完整的网址。", "Must be a full address.")
    if private:
        return
    if parts.scheme != "https":
        raise Invalid.field("url", "not_https", "须以 https:// 开头。", "Must begin with https://.")
    if is_address(host) and not is_public(host):
        raise Invalid.field("url", "not_public", "须为公网地址。", "Must be a public address.")
