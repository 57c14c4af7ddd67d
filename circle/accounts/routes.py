"""HTTP of accounts."""

from typing import Any
from uuid import UUID

from circle.accounts import errors, queries, schemas
from circle.accounts.models import PersonalToken
from circle.accounts.personal import export_personal_data
from circle.accounts.services import codes, identities, people, sessions
from circle.accounts.wechat import Wechat
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork, Units
from circle.web.answers import language
from circle.web.limits import Limit
from circle.web.pagination import whole
from circle.web.routes import Routes

routes = Routes("accounts", "People: registering, logging in, sessions and personal tokens.")

LOG_IN = (
    Limit("login", "10/minute", "identity"),
    Limit("login", "60/minute", "ip"),
    Limit("login", "3000/minute", "all"),
)
CODES = (Limit("codes", "5/hour", "identity"), Limit("codes", "30/hour", "ip"), Limit("codes", "1000/hour", "all"))
# Where the password is asked for again, whoever has a session may guess it.
ASKED_AGAIN = (Limit("password", "20/minute", "user"),)
EXPORT = (Limit("personal_data", "10/hour", "user"),)
REGISTER = (Limit("register", "20/hour", "ip"), Limit("register", "2000/hour", "all"))


def _answer(uow: UnitOfWork, log_in: sessions.LogIn) -> Json:
    user = queries.me(uow, log_in.user.id)
    return {"user": user, "token": log_in.token, "expires_at": log_in.session.expires_at}


@routes.post(
    "/auth/register",
    public=True,
    body=schemas.RegisterIn,
    answer=schemas.AuthenticatedOut,
    status=201,
    limits=REGISTER,
    errors=(errors.IdentityTaken, errors.WrongCode),
)
def register(uow: UnitOfWork, _caller: Caller | None, body: Json) -> Json:
    """Make an account and log in."""
    return _answer(uow, people.register(uow, language=language(), **body))


@routes.post("/auth/codes", public=True, body=schemas.CodeIn, status=204, limits=CODES)
def request_code(uow: UnitOfWork, _caller: Caller | None, body: Json) -> None:
    """Send a one-time code to an e-mail address or phone."""
    codes.request_code(uow, **body)


@routes.post(
    "/auth/login",
    public=True,
    body=schemas.LoginIn,
    answer=schemas.AuthenticatedOut,
    limits=LOG_IN,
    errors=(errors.BadCredentials, errors.WrongCode, errors.NoAccount),
)
def log_in(uow: UnitOfWork, _caller: Caller | None, body: Json) -> Json:
    """Log in by password or one-time code."""
    return _answer(uow, sessions.log_in(uow, **body))


@routes.post(
    "/auth/password",
    public=True,
    body=schemas.ResetPasswordIn,
    answer=schemas.AuthenticatedOut,
    limits=LOG_IN,
    errors=(errors.WrongCode, errors.NoAccount),
)
def reset_password(uow: UnitOfWork, _caller: Caller | None, body: Json) -> Json:
    """Set a new password by one-time code; every other log-in ends."""
    return _answer(uow, people.reset_password(uow, **body))


@routes.post(
    "/auth/wechat",
    public=True,
    body=schemas.WechatIn,
    answer=schemas.AuthenticatedOut,
    limits=LOG_IN[1:],
    steps=True,
    errors=(errors.WechatRefused, errors.WechatUnavailable),
)
def log_in_by_wechat(units: Units, _caller: Caller | None, body: Json) -> Json:
    """Log in with a mini program's code; the first time makes the account."""
    openid = units.use(Wechat).openid_of(body.pop("code"))
    with units.write() as uow:
        return _answer(uow, people.log_in_by_wechat(uow, openid=openid, language=language(), **body))


@routes.delete("/auth/session", status=204)
def log_out(uow: UnitOfWork, caller: Caller) -> None:
    """Log out: the token of this request ends."""
    sessions.end_session(uow, caller, None)


@routes.get("/me", answer=schemas.MeOut)
def get_me(uow: UnitOfWork, caller: Caller) -> Json:
    """Everything you see about yourself."""
    return queries.me(uow, caller.user_id)


@routes.patch(
    "/me",
    body=schemas.MePatch,
    answer=schemas.MeOut,
    versioned=True,
    limits=ASKED_AGAIN,
    errors=(errors.BadCredentials,),
)
def edit_me(uow: UnitOfWork, caller: Caller, body: Json, version: int | None) -> Json:
    """Change your profile or password; a new password ends all other sessions, tokens and the webhook."""
    people.edit_me(uow, caller, version=version, **body)
    return queries.me(uow, caller.user_id)


@routes.delete("/me", body=schemas.PasswordIn, status=204, limits=ASKED_AGAIN, errors=(errors.BadCredentials,))
def delete_me(uow: UnitOfWork, caller: Caller, body: Json) -> None:
    """Delete your account; accounting rows stay, without your name."""
    people.delete_me(uow, caller, password=body.get("password"))


@routes.post(
    "/me/identities",
    body=schemas.IdentityIn,
    answer=schemas.IdentityOut,
    status=201,
    limits=(*LOG_IN, *ASKED_AGAIN),
    errors=(errors.WrongCode, errors.IdentityTaken, errors.BadCredentials),
)
def add_identity(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Add or prove an address by the code sent to it (purpose `add_identity`); your other addresses are told."""
    identity = identities.claim_identity(uow, caller, **body)
    return {"id": identity.id, "kind": identity.kind, "value": identity.value, "verified": True}


@routes.delete(
    "/me/identities/<uuid:identity_id>",
    body=schemas.PasswordIn,
    status=204,
    limits=ASKED_AGAIN,
    errors=(errors.LastIdentity, errors.BadCredentials),
)
def remove_identity(uow: UnitOfWork, caller: Caller, body: Json, identity_id: UUID) -> None:
    """Drop a way to log in; it and your other addresses are told."""
    identities.remove_identity(uow, caller, identity_id, password=body.get("password"))


@routes.get("/me/export", answer=schemas.PersonalDataOut, limits=EXPORT)
def export_me(uow: UnitOfWork, caller: Caller) -> Json:
    """Everything the installation keeps about you."""
    return export_personal_data(uow, caller.user_id)


@routes.get("/me/sessions", answer=whole(schemas.SessionOut))
def list_sessions(uow: UnitOfWork, caller: Caller) -> Json:
    """Where you are logged in."""
    return {"items": queries.sessions(uow, caller)}


@routes.delete("/me/sessions/<uuid:session_id>", status=204)
def end_session(uow: UnitOfWork, caller: Caller, session_id: UUID) -> None:
    """Log a device out."""
    sessions.end_session(uow, caller, session_id)


@routes.get("/me/tokens", answer=whole(schemas.TokenOut))
def list_tokens(uow: UnitOfWork, caller: Caller) -> Json:
    """Your personal access tokens."""
    return {"items": queries.tokens(uow, caller)}


@routes.post("/me/tokens", body=schemas.TokenIn, answer=schemas.NewTokenOut, status=201, errors=(errors.SessionNeeded,))
def create_token(uow: UnitOfWork, caller: Caller, body: Json) -> dict[str, Any]:
    """Make a personal access token; it is shown this once."""
    token, secret = sessions.create_token(uow, caller, **body)
    return _with_secret(token, secret)


def _with_secret(token: PersonalToken, secret: str) -> dict[str, Any]:
    fields = ("id", "name", "hint", "scopes", "created_at", "last_seen_at", "expires_at")
    return {**{name: getattr(token, name) for name in fields}, "token": secret}


@routes.delete("/me/tokens/<uuid:token_id>", status=204, errors=(errors.SessionNeeded,))
def revoke_token(uow: UnitOfWork, caller: Caller, token_id: UUID) -> None:
    """Revoke a personal access token."""
    sessions.revoke_token(uow, caller, token_id)
