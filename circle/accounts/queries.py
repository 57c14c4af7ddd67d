"""Reading people."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from circle.accounts.addresses import Address
from circle.accounts.models import Identity, LoginSession, PersonalToken, User
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork


def find_identity(uow: UnitOfWork, address: Address) -> Identity | None:
    return uow.session.scalar(select(Identity).where(Identity.kind == address.kind, Identity.value == address.value))


def avatar_url(media_id: UUID | None) -> str | None:
    """Return where an avatar is fetched; the media route redirects to a short-lived link."""
    return f"/v1/media/{media_id}" if media_id else None


def user_card(user_id: UUID, display_name: str, avatar_media_id: UUID | None) -> dict[str, Any]:
    """Return a user as shown inside any object."""
    return {"id": str(user_id), "display_name": display_name, "avatar_url": avatar_url(avatar_media_id)}


def me(uow: UnitOfWork, user_id: UUID) -> dict[str, Any]:
    """Return everything one sees about oneself."""
    user = uow.session.get_one(User, user_id)
    identities = uow.session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.created_at))
    owned = [
        {"id": one.id, "kind": one.kind, "value": one.value, "verified": one.verified_at is not None}
        for one in identities
    ]
    return {
        "id": user.id,
        "display_name": user.display_name,
        "avatar_url": avatar_url(user.avatar_media_id),
        "bio": user.bio,
        "language": user.language,
        "timezone": user.timezone,
        "email": next((i["value"] for i in owned if i["kind"] == "email"), None),
        "phone": next((i["value"] for i in owned if i["kind"] == "phone"), None),
        "has_password": user.password_hash is not None,
        "identities": owned,
        "created_at": user.created_at,
        "version": user.version,
    }


def sessions(uow: UnitOfWork, caller: Caller) -> list[dict[str, Any]]:
    """Return one's live log-ins, latest first; at most the hundred last used."""
    live = (
        select(LoginSession)
        .where(
            LoginSession.user_id == caller.user_id,
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > uow.now,
        )
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id)
        .limit(100)
    )
    return [
        {
            "id": one.id,
            "device_name": one.device_name,
            "created_at": one.created_at,
            "last_seen_at": one.last_seen_at,
            "expires_at": one.expires_at,
            "current": one.id == caller.session_id,
        }
        for one in uow.session.scalars(live)
    ]


def tokens(uow: UnitOfWork, caller: Caller) -> list[PersonalToken]:
    live = select(PersonalToken).where(PersonalToken.user_id == caller.user_id, PersonalToken.revoked_at.is_(None))
    return list(uow.session.scalars(live.order_by(PersonalToken.created_at.desc()).limit(100)))
