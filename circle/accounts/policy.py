"""Whose credential it is: the gate of every request, and loaders of one's own things."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, literal, null, select

from circle.accounts.models import LoginSession, PersonalToken, User
from circle.kernel.caller import Caller
from circle.kernel.db import Query
from circle.kernel.errors import NotFound
from circle.kernel.ids import digest
from circle.kernel.uow import UnitOfWork

SESSION_PREFIX = "cs_"
TOKEN_PREFIX = "cp_"  # noqa: S105 - marks a token, is none
# Of a token that stands in the address of a feed, where others may see it: it opens nothing else.
FEED_SCOPE = "feed"
# A session's last-seen is good to this long; finer would mean a write per read.
SEEN_EVERY = timedelta(minutes=10)
# Who wrote reads from the primary for so long. A standby is a second behind at most; the rest is for requests that take
# their time before they commit, and for web hosts whose clocks differ.
OWN_WRITES = timedelta(seconds=10)

_ALIVE = (User.suspended_at.is_(None), User.deleted_at.is_(None))


def select_by_session() -> Select[*tuple[Any, ...]]:
    """Select the live session with `:hash` at `:now` and its person; gates join on what their policy will ask."""
    return (
        select(
            User.id.label("user_id"),
            User.display_name,
            User.avatar_media_id,
            User.is_operator,
            LoginSession.id.label("session_id"),
            null().label("token_id"),
            null().label("scopes"),
            LoginSession.last_seen_at,
            LoginSession.wrote_at,
        )
        .select_from(LoginSession)
        .join(User, User.id == LoginSession.user_id)
        .where(
            LoginSession.token_hash == bindparam("hash"),
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > bindparam("now"),
            *_ALIVE,
        )
    )


def select_by_token() -> Select[*tuple[Any, ...]]:
    """Select the live personal token with `:hash` at `:now`, in the same columns; it never makes an operator."""
    return (
        select(
            User.id.label("user_id"),
            User.display_name,
            User.avatar_media_id,
            literal(False).label("is_operator"),
            null().label("session_id"),
            PersonalToken.id.label("token_id"),
            PersonalToken.scopes,
            PersonalToken.last_seen_at,
            PersonalToken.wrote_at,
        )
        .select_from(PersonalToken)
        .join(User, User.id == PersonalToken.user_id)
        .where(
            PersonalToken.token_hash == bindparam("hash"),
            PersonalToken.revoked_at.is_(None),
            (PersonalToken.expires_at.is_(None)) | (PersonalToken.expires_at > bindparam("now")),
            *_ALIVE,
        )
    )


_BY_SESSION = Query(select_by_session)
_BY_TOKEN = Query(select_by_token)


def find_caller(uow: UnitOfWork, credential: str, _view_args: Mapping[str, Any]) -> Caller | None:
    """Return whose live session or personal token this is, in one statement; None for anything else."""
    query = _BY_TOKEN if credential.startswith(TOKEN_PREFIX) else _BY_SESSION
    row = uow.row(query, hash=digest(credential), now=uow.now)
    return caller_from(row, uow.now) if row else None


def caller_from(row: Mapping[str, Any], now: datetime) -> Caller:
    seen, wrote = row["last_seen_at"], row["wrote_at"]
    return Caller(
        user_id=row["user_id"],
        display_name=row["display_name"],
        avatar_media_id=row["avatar_media_id"],
        session_id=row["session_id"],
        token_id=row["token_id"],
        scopes=None if row["scopes"] is None else frozenset(row["scopes"]),
        is_operator=row["is_operator"],
        unseen=seen is None or seen < now - SEEN_EVERY,
        wrote_lately=wrote is not None and wrote > now - OWN_WRITES,
    )


def require_own_session(uow: UnitOfWork, caller: Caller, session_id: UUID) -> LoginSession:
    session = uow.session.get(LoginSession, session_id)
    if session is None or session.user_id != caller.user_id or session.ended_at is not None:
        raise NotFound
    return session


def require_own_token(uow: UnitOfWork, caller: Caller, token_id: UUID) -> PersonalToken:
    token = uow.session.get(PersonalToken, token_id)
    if token is None or token.user_id != caller.user_id or token.revoked_at is not None:
        raise NotFound
    return token
