"""Opening, listing and ending log-ins; personal tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, select, update

from circle.accounts import events, policy
from circle.accounts.addresses import Address, read_address
from circle.accounts.errors import BadCredentials, NoAccount, SessionNeeded
from circle.accounts.models import CodePurpose, Identity, LoginSession, PersonalToken, User
from circle.accounts.passwords import password_matches
from circle.accounts.queries import find_identity
from circle.accounts.services.codes import redeem_code
from circle.kernel.caller import Caller
from circle.kernel.db import Query
from circle.kernel.errors import Invalid
from circle.kernel.ids import digest, new_id, new_secret
from circle.kernel.uow import UnitOfWork

LIFE = timedelta(days=90)


def _wrote(table: type[LoginSession | PersonalToken]) -> Query:
    writing = update(table).where(table.id == bindparam("id", type_=Uuid()))
    return Query(lambda: writing.values(wrote_at=bindparam("now", type_=DateTime(timezone=True))), joins=True)


_SESSION_WROTE, _TOKEN_WROTE = _wrote(LoginSession), _wrote(PersonalToken)


@dataclass(frozen=True, slots=True)
class LogIn:
    """A fresh log-in: the token is known here and to its holder only."""

    user: User
    token: str
    session: LoginSession


def log_in(
    uow: UnitOfWork,
    *,
    email: str | None = None,
    phone: str | None = None,
    password: str | None = None,
    code: str | None = None,
    device_name: str = "",
) -> LogIn:
    """Open a session by password or one-time code. Errors: BadCredentials, WrongCode, NoAccount."""
    address = read_address(email, phone)
    if (password is None) == (code is None):
        raise Invalid.field("password", "one_of", "密码和验证码须填且只填一个。", "Give either a password or a code.")
    if code is not None:
        redeem_code(uow, address, CodePurpose.LOGIN, code)
        identity = identity_of_holder(uow, address)
        if identity is None:
            raise NoAccount
        user = _user_of(uow, identity)
        prove_identity(uow, identity, user)
    else:
        identity = find_identity(uow, address)
        user_or_none = uow.session.get(User, identity.user_id) if identity else None
        if not password_matches(user_or_none.password_hash if user_or_none else None, password or ""):
            raise BadCredentials
        user = _user_of(uow, identity)
    return open_session(uow, user, device_name)


def _user_of(uow: UnitOfWork, identity: Identity | None) -> User:
    user = uow.session.get(User, identity.user_id) if identity else None
    if user is None or not user.may_log_in:
        raise BadCredentials
    return user


def identity_of_holder(uow: UnitOfWork, address: Address) -> Identity | None:
    """Return the identity of whoever has just shown that the address is theirs.

    Somebody may have registered it without proof and then proven another: the account is theirs by that one, and
    the holder of this one neither gets into it nor shares it with them. The address is let go.
    """
    identity = find_identity(uow, address)
    if identity is None or identity.verified_at is not None:
        return identity
    proven = select(Identity.id).where(Identity.user_id == identity.user_id, Identity.verified_at.is_not(None))
    if uow.session.scalar(proven.limit(1)) is None:
        return identity
    uow.session.delete(identity)
    uow.session.flush()
    return None


def prove_identity(uow: UnitOfWork, identity: Identity, user: User) -> None:
    """Note that the holder of the address was here.

    Whoever registered the address without proof may have been somebody else: their password ends, and
    all that opens the account without it.
    """
    if identity.verified_at is None:
        identity.verified_at = uow.now
        user.password_hash = None
        renew_access(uow, user.id)


def open_session(uow: UnitOfWork, user: User, device_name: str) -> LogIn:
    token = new_secret(policy.SESSION_PREFIX)
    session = LoginSession(
        id=new_id(),
        user_id=user.id,
        token_hash=digest(token),
        device_name=device_name,
        created_at=uow.now,
        last_seen_at=uow.now,
        expires_at=uow.now + LIFE,
    )
    uow.session.add(session)
    uow.session.flush()
    return LogIn(user, token, session)


def end_session(uow: UnitOfWork, caller: Caller, session_id: UUID | None) -> None:
    """End one of the caller's sessions, or the present one."""
    session = policy.require_own_session(uow, caller, require_session(caller) if session_id is None else session_id)
    session.ended_at = uow.now


def end_sessions(uow: UnitOfWork, user_id: UUID, *, keep: UUID | None = None) -> None:
    """End every session of a person at once, except `keep`."""
    ending = update(LoginSession).where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
    if keep is not None:
        ending = ending.where(LoginSession.id != keep)
    uow.session.execute(ending.values(ended_at=uow.now))


def renew_access(uow: UnitOfWork, user_id: UUID, *, keep: UUID | None = None) -> None:
    """End whatever somebody may have left behind in an account that lets them in, or tells them of it."""
    end_sessions(uow, user_id, keep=keep)
    revoke_tokens(uow, user_id)
    uow.emit(events.AccessRenewed(user_id))


def revoke_tokens(uow: UnitOfWork, user_id: UUID) -> None:
    uow.session.execute(
        update(PersonalToken)
        .where(PersonalToken.user_id == user_id, PersonalToken.revoked_at.is_(None))
        .values(revoked_at=uow.now)
    )


def require_session(caller: Caller) -> UUID:
    """Return the caller's session. Errors: SessionNeeded for a personal token, which can't make or end others."""
    if caller.session_id is None:
        raise SessionNeeded
    return caller.session_id


def require_password(user: User, password: str | None) -> None:
    """Ask again whose account it is, where a password can tell. Errors: BadCredentials."""
    if user.password_hash and not password_matches(user.password_hash, password or ""):
        raise BadCredentials


def create_token(
    uow: UnitOfWork, caller: Caller, *, name: str, scopes: list[str], expires_at: datetime | None
) -> tuple[PersonalToken, str]:
    """Return a personal token and its secret, which is shown this once."""
    require_session(caller)
    if not scopes:
        raise Invalid.field("scopes", "too_short", "至少选择一种权限。", "Choose one scope at least.")
    if policy.FEED_SCOPE in scopes and len(set(scopes)) > 1:
        zh, en = "用于订阅的令牌不能有其他权限。", "A token for feeds has no other scope."
        raise Invalid.field("scopes", "one_of", zh, en)
    if expires_at is not None and expires_at <= uow.now:
        raise Invalid.field("expires_at", "in_the_past", "到期时间须在将来。", "Must lie in the future.")
    secret = new_secret(policy.TOKEN_PREFIX)
    token = PersonalToken(
        id=new_id(),
        user_id=caller.user_id,
        name=name,
        hint=f"{policy.TOKEN_PREFIX}…{secret[-4:]}",
        token_hash=digest(secret),
        scopes=sorted(set(scopes)),
        created_at=uow.now,
        expires_at=expires_at,
    )
    uow.session.add(token)
    return token, secret


def revoke_token(uow: UnitOfWork, caller: Caller, token_id: UUID) -> None:
    require_session(caller)
    policy.require_own_token(uow, caller, token_id).revoked_at = uow.now


def note_wrote(uow: UnitOfWork, caller: Caller) -> None:
    """Keep when a credential last wrote, in the transaction of what it wrote: until then a standby may lack it."""
    if caller.session_id:
        uow.execute(_SESSION_WROTE, id=caller.session_id, now=uow.now)
    else:
        uow.execute(_TOKEN_WROTE, id=caller.token_id, now=uow.now)


def note_seen(uow: UnitOfWork, caller: Caller) -> None:
    """Keep when a credential was last used, coarsely."""
    table, row_id = (LoginSession, caller.session_id) if caller.session_id else (PersonalToken, caller.token_id)
    uow.session.execute(update(table).where(table.id == row_id).values(last_seen_at=uow.now))
