"""Making the row of a post from what its author sent: text, gate, attachments. When it is seen: `publishing`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from circle.circles.models import Tier
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid
from circle.kernel.ids import new_id
from circle.kernel.text import is_blank
from circle.kernel.uow import UnitOfWork
from circle.media.models import Purpose
from circle.media.queries import card_of
from circle.media.services.attachments import attach
from circle.memberships.errors import MissingPermission
from circle.memberships.permissions import TABLE, Permission
from circle.memberships.policy import Standing
from circle.posts.models import AccessLevel, Kind, Post, PostStatus
from circle.posts.services.mentions import plain, settle_mentions


class Gate(NamedTuple):
    """Whom a post is for: everybody, all members, or a tier and those above it."""

    level: str = AccessLevel.MEMBERS
    tier_id: UUID | None = None


def compose(
    uow: UnitOfWork,
    caller: Caller,
    standing: Standing,
    *,
    kind: Kind,
    body: str,
    title: str = "",
    attachments: Sequence[UUID] = (),
    access: Mapping[str, Any] | None = None,
    anonymous: bool = False,
) -> Post:
    """Return a new draft of the caller's, not yet stored: `publishing` does that with its first status.

    Errors: Invalid, MissingPermission for a gate they may not set.
    """
    gate = read_gate(uow, standing, access, Gate())
    post = Post(
        id=new_id(),
        circle_id=standing.circle_id,
        author_id=caller.user_id,
        kind=kind,
        status=PostStatus.DRAFT,
        title=title,
        body=read_body(uow, kind, standing.circle_id, body),
        excerpt=(access or {}).get("excerpt", ""),
        access_level=gate.level,
        access_tier_id=gate.tier_id,
        anonymous=anonymous,
        attachments=[],
        created_at=uow.now,
    )
    show_attachments(uow, caller, post, attachments)
    require_content(post)
    return post


def read_body(uow: UnitOfWork, kind: str, circle_id: UUID, body: str) -> str:
    """Return the text with its mentions settled. Errors: Invalid where it is longer than its kind may be."""
    settings = uow.use(Settings)
    most = settings.article_max_length if kind == Kind.ARTICLE else settings.talk_max_length
    if len(plain(body)) > most:
        raise Invalid.field("body", "too_long", f"长度不能超过 {most}。", f"Longer than maximum length {most}.")
    return settle_mentions(uow, circle_id, body)


def require_content(post: Post) -> None:
    """Refuse a post with neither text nor attachment."""
    if is_blank(post.body) and not post.attachments:
        raise Invalid.field("body", "blank", "不能为空白。", "Must not be blank.")


def show_attachments(uow: UnitOfWork, caller: Caller, post: Post, media_ids: Sequence[UUID]) -> None:
    """Let the post show exactly these uploads, in order. Errors: Invalid at `attachments`."""
    if not media_ids and not post.attachments:
        return
    attached = attach(uow, caller, media_ids, purpose=Purpose.POST, to=post.id, circle_id=post.circle_id)
    post.attachments = [_stored(card_of(media)) for media in attached]


def _stored(card: Json) -> Json:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in card.items()}


def read_gate(uow: UnitOfWork, standing: Standing, access: Mapping[str, Any] | None, present: Gate) -> Gate:
    """Return the gate that was asked for. Errors: Invalid, MissingPermission for another one than the present."""
    if access is None or "level" not in access:
        return present
    gate = Gate(access["level"], access.get("tier_id"))
    if (gate.level == AccessLevel.TIER) != (gate.tier_id is not None):
        zh, en = "仅当 level 为 tier 时填写 tier_id。", "Give a tier where the level is 'tier', and only there."
        raise Invalid.field("access.tier_id", "one_of", zh, en)
    if gate != present and not standing.may(Permission.FILE_ARCHIVE):
        raise MissingPermission(permission=Permission.FILE_ARCHIVE.value).because(TABLE[Permission.FILE_ARCHIVE][1])
    if gate.tier_id is not None and gate != present:
        _require_tier(uow, standing.circle_id, gate.tier_id)
    return gate


def _require_tier(uow: UnitOfWork, circle_id: UUID, tier_id: UUID) -> None:
    tier = uow.session.get(Tier, tier_id)
    if tier is None or tier.circle_id != circle_id or tier.archived_at is not None:
        raise Invalid.field("access.tier_id", "unknown_tier", "没有这个会员等级。", "There is no such tier here.")
