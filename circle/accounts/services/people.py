"""Registering, editing and deleting accounts; their passwords."""

from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import delete, select, tuple_

from circle.accounts import events
from circle.accounts.addresses import Address, read_address
from circle.accounts.errors import BadCredentials, IdentityTaken, NoAccount
from circle.accounts.models import (
    CodePurpose,
    Identity,
    IdentityKind,
    LoginSession,
    OneTimeCode,
    PersonalToken,
    User,
)
from circle.accounts.passwords import hash_password, is_guessed_first
from circle.accounts.queries import find_identity
from circle.accounts.services.codes import redeem_code
from circle.accounts.services.identities import add_identity, require_user
from circle.accounts.services.letters import What, tell
from circle.accounts.services.sessions import (
    LogIn,
    identity_of_holder,
    open_session,
    prove_identity,
    renew_access,
    require_password,
    require_session,
)
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, StaleVersion
from circle.kernel.ids import new_id
from circle.kernel.text import DEFAULT_LANGUAGE, Text
from circle.kernel.uow import UnitOfWork

DELETED_NAME = Text("已注销用户", "Deleted user")


def register(
    uow: UnitOfWork,
    *,
    display_name: str,
    email: str | None = None,
    phone: str | None = None,
    password: str | None = None,
    code: str | None = None,
    device_name: str = "",
    language: str = DEFAULT_LANGUAGE,
) -> LogIn:
    """Make an account with a password, a proven address, or both. Errors: IdentityTaken, WrongCode."""
    address = read_address(email, phone)
    if password is None and code is None:
        raise Invalid.field("password", "one_of", "须填写密码或验证码。", "Give a password or a code.")
    if password is not None:
        check_password(uow, password, display_name, address.value)
    if code is not None:
        redeem_code(uow, address, CodePurpose.REGISTER, code)
    if (identity_of_holder if code is not None else find_identity)(uow, address) is not None:
        raise IdentityTaken
    user = new_user(uow, display_name, language=language, password=password)
    add_identity(uow, user, address, proven=code is not None)
    return open_session(uow, user, device_name)


def new_user(
    uow: UnitOfWork, display_name: str, *, language: str = DEFAULT_LANGUAGE, password: str | None = None
) -> User:
    user = User(
        id=new_id(),
        display_name=display_name,
        language=language,
        password_hash=None if password is None else hash_password(password),
        created_at=uow.now,
    )
    uow.session.add(user)
    uow.session.flush()
    uow.emit(events.UserRegistered(user.id))
    return user


def check_password(uow: UnitOfWork, password: str, *about: str) -> None:
    """Refuse a password that is guessed first; `about` is what is known of its owner. Errors: Invalid."""
    if not uow.use(Settings).takes_common_passwords and is_guessed_first(password, about):
        zh, en = (
            "这个密码太常见，容易被猜到，请换一个。",
            "This password is among the first to be guessed; choose another.",
        )
        raise Invalid.field("password", "too_common", zh, en)


def edit_me(
    uow: UnitOfWork,
    caller: Caller,
    *,
    version: int | None,
    password: str | None = None,
    current_password: str | None = None,
    timezone: str | None = None,
    **changes: object,
) -> User:
    """Change one's profile; a new password ends every other session. Errors: StaleVersion, BadCredentials."""
    user = require_user(uow, caller)
    if version is not None and version != user.version:
        raise StaleVersion
    if timezone is not None:
        if timezone not in available_timezones():
            raise Invalid.field("timezone", "unknown_timezone", "未知的时区。", "Not a known time zone.")
        user.timezone = timezone
    if password is not None:
        keep = require_session(caller)
        require_password(user, current_password)
        _change_password(uow, user, password, keep=keep)
    for name, value in changes.items():
        setattr(user, name, value)
    uow.session.flush()
    if "avatar_media_id" in changes:
        uow.emit(events.AvatarChosen(user.id, user.avatar_media_id))
    return user


def _change_password(uow: UnitOfWork, user: User, password: str, *, keep: UUID | None = None) -> None:
    """Set a password; all that was opened with the one before ends, and the account's addresses are told."""
    addresses = uow.session.scalars(select(Identity.value).where(Identity.user_id == user.id))
    check_password(uow, password, user.display_name, *addresses)
    user.password_hash = hash_password(password)
    renew_access(uow, user.id, keep=keep)
    tell(uow, user, What.PASSWORD_CHANGED)


def reset_password(
    uow: UnitOfWork, *, code: str, password: str, email: str | None = None, phone: str | None = None
) -> LogIn:
    """Set a password by proof of the address; everything that was logged in is logged out."""
    address = read_address(email, phone)
    redeem_code(uow, address, CodePurpose.RESET_PASSWORD, code)
    identity = identity_of_holder(uow, address)
    if identity is None:
        raise NoAccount
    user = uow.session.get_one(User, identity.user_id)
    if not user.may_log_in:
        raise BadCredentials
    prove_identity(uow, identity, user)
    _change_password(uow, user, password)
    return open_session(uow, user, "")


def delete_me(uow: UnitOfWork, caller: Caller, *, password: str | None) -> None:
    """Delete the account: ways to log in go, the name goes, accounting rows stay under the bare id."""
    require_session(caller)
    user = require_user(uow, caller, lock=True)
    require_password(user, password)
    uow.emit(events.UserDeleted(user.id))
    _forget_credentials(uow, user.id)
    user.display_name = DELETED_NAME.zh
    user.bio = ""
    user.avatar_media_id = None
    user.password_hash = None
    user.deleted_at = uow.now


def _forget_credentials(uow: UnitOfWork, user_id: UUID) -> None:
    """Delete addresses and the codes sent there, and sessions and tokens with what devices were called."""
    addresses = select(Identity.kind, Identity.value).where(Identity.user_id == user_id)
    uow.session.execute(
        delete(OneTimeCode)
        .where(tuple_(OneTimeCode.kind, OneTimeCode.value).in_(addresses))
        .execution_options(synchronize_session=False)
    )
    for table in (Identity, LoginSession, PersonalToken):
        uow.session.execute(delete(table).where(table.user_id == user_id))


def log_in_by_wechat(uow: UnitOfWork, *, openid: str, display_name: str, device_name: str, language: str) -> LogIn:
    """Log in whom WeChat vouched for; the first time makes the account."""
    address = Address(IdentityKind.WECHAT, openid)
    identity = find_identity(uow, address)
    if identity is None:
        name = display_name or Text("微信用户", "WeChat user").say("en" if language == "en" else "zh-CN")
        user = new_user(uow, name, language=language)
        add_identity(uow, user, address, proven=True)
    else:
        user = uow.session.get_one(User, identity.user_id)
        if not user.may_log_in:
            raise BadCredentials
    return open_session(uow, user, device_name)
