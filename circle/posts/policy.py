"""Access to posts: what somebody may see at all, and what they may open.

`seen()` tells which posts exist for a reader (others are 404), `unlocked()` which of those they may read. Both are SQL,
run with `reading(standing)`, and stand alike in feed, page, search, comments, sync, export and downloads.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, func, or_, select, true
from sqlalchemy.orm import aliased

from circle.circles.models import Tier
from circle.kernel.caller import Caller
from circle.kernel.db import Query, constant
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.gates import standing_gate
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import (
    NO_RANK,
    Standing,
    find_standing_of,
    gated_standing,
    readable,
    require_look,
    require_permission,
    require_voice,
)
from circle.posts.errors import NotPublished, NotTheAuthor, PostLocked
from circle.posts.models import AccessLevel, Post, PostStatus

# The least tier of a post; join it with `.outerjoin(Required, Required.id == Post.access_tier_id)`.
Required = aliased(Tier, name="required")

# What moderators see of others' posts besides what is published. Drafts are their author's alone.
_MODERATED = (PostStatus.REVIEW, PostStatus.HIDDEN, PostStatus.TRASHED)
IS_PUBLISHED = Post.status == constant(PostStatus.PUBLISHED)


@dataclass(frozen=True, slots=True)
class SeenPost:
    """A post that exists for the reader, and whether they may open it (`unlocked`)."""

    standing: Standing
    id: UUID
    circle_id: UUID
    author_id: UUID
    kind: str
    status: str
    anonymous: bool
    published_at: datetime | None
    required_tier_id: UUID | None
    required_tier_name: str | None
    unlocked: bool

    @property
    def is_own(self) -> bool:
        return self.author_id == self.standing.user_id

    @property
    def is_published(self) -> bool:
        return self.status == PostStatus.PUBLISHED


def circle_of_post() -> Any:
    """Return the circle of the post `:key`, for gates."""
    return select(Post.circle_id).where(Post.id == bindparam("key", type_=Uuid())).scalar_subquery()


circle_gate = standing_gate("circle_id")
post_gate = standing_gate("post_id", circle_of_post())


def required_rank() -> ColumnElement[int]:
    return func.coalesce(Required.rank, 0)


def unlocked(rank: ColumnElement[int] | None = None) -> ColumnElement[bool]:
    """Tell in SQL whether the reader may open a post; needs the join with `Required`, or its `rank` from elsewhere."""
    return readable(
        is_preview=Post.access_level == constant(AccessLevel.PREVIEW),
        required_rank=required_rank() if rank is None else rank,
        published_at=Post.published_at,
        author_id=Post.author_id,
    )


def seen() -> ColumnElement[bool]:
    """Tell in SQL whether a post exists for the reader, whatever its status."""
    return or_(
        IS_PUBLISHED,
        is_own(),
        and_(bindparam("moderates", type_=true().type), Post.status.in_([constant(one) for one in _MODERATED])),
    )


def is_own() -> ColumnElement[bool]:
    return Post.author_id == bindparam("reader_id", type_=Uuid())


# The same for somebody who is not logged in, whatever the circle.
STRANGER: dict[str, Any] = {
    "reader_id": None,
    "reader_membership_id": None,
    "reader_rank": NO_RANK,
    "reads_everything": False,
    "reads_since": None,
    "keeps_paid_term": False,
    "moderates": False,
}


def reading(standing: Standing) -> dict[str, Any]:
    """Return the parameters of `seen()` and `unlocked()`."""
    return {**standing.reading(), "moderates": standing.may(Permission.MODERATE)}


def _select_seen() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Post.id,
            Post.circle_id,
            Post.author_id,
            Post.kind,
            Post.status,
            Post.anonymous,
            Post.published_at,
            Post.access_tier_id.label("required_tier_id"),
            Required.name.label("required_tier_name"),
            unlocked().label("unlocked"),
        )
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(Post.id == bindparam("post_id", type_=Uuid()), seen())
    )


_SEEN = Query(_select_seen)
_CIRCLE = Query(lambda: select(Post.circle_id).where(Post.id == bindparam("post_id", type_=Uuid())))


def find_post(uow: UnitOfWork, caller: Caller | None, post_id: UUID) -> SeenPost:
    """Return a post that exists for the caller, locked or not. Errors: NotFound, Banned."""
    standing = require_look_at_post(uow, caller, post_id)
    row = uow.row(_SEEN, post_id=post_id, **reading(standing))
    if row is None:
        raise NotFound
    return SeenPost(standing=standing, **row)


def require_look_at_post(uow: UnitOfWork, caller: Caller | None, post_id: UUID) -> Standing:
    """Return the standing in the post's circle of whoever may see its teasers. Errors: NotFound, Banned."""
    known = gated_standing(uow, caller, post_id)
    if known is not None:
        return require_look(uow, caller, known.circle_id)
    row = uow.row(_CIRCLE, post_id=post_id)
    if row is None:
        raise NotFound
    return require_look(uow, caller, row["circle_id"])


def require_post(uow: UnitOfWork, caller: Caller | None, post_id: UUID) -> SeenPost:
    """Return a post that the caller may read. Errors: NotFound, Banned, PostLocked."""
    post = find_post(uow, caller, post_id)
    if not post.unlocked:
        raise PostLocked(required_tier=post.required_tier_name)
    return post


def may_read(uow: UnitOfWork, user_id: UUID, circle_id: UUID, post_id: UUID) -> bool:
    """Tell whether somebody, who need not be the caller, may open a post of a circle."""
    row = uow.row(_SEEN, post_id=post_id, **reading(find_standing_of(uow, user_id, circle_id)))
    return row is not None and row["unlocked"]


def hides_asker(standing: Standing, asker_id: UUID, *, anonymous: bool) -> bool:
    """Tell whether the reader may not know who asked: all but the asker and, to moderate, the owner."""
    return anonymous and standing.user_id != asker_id and standing.role != Role.OWNER


def require_discussion(uow: UnitOfWork, caller: Caller, post_id: UUID) -> SeenPost:
    """Return a published post that the caller may read and speak on: comment, react, answer.

    Errors: those of `require_post` and of `require_voice`, NotPublished.
    """
    post = require_post(uow, caller, post_id)
    require_voice(uow, caller, post.circle_id)
    if not post.is_published:
        raise NotPublished
    return post


def lock_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> tuple[Post, Standing]:
    """Return a post that exists for the caller, its row locked, and their standing. Errors: NotFound, Banned."""
    seen_post = find_post(uow, caller, post_id)
    post = uow.session.get_one(Post, post_id, with_for_update={"key_share": True}, populate_existing=True)
    return post, seen_post.standing


def require_own_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Post:
    """Return the caller's own post, locked. Errors: NotFound, NotTheAuthor, those of `require_voice`."""
    post, _standing = lock_post(uow, caller, post_id)
    if post.author_id != caller.user_id:
        raise NotTheAuthor
    require_voice(uow, caller, post.circle_id)
    return post


def require_moderated_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Post:
    """Return a post, locked, for a moderator of its circle. Errors: NotFound, Banned, MissingPermission."""
    post, _standing = lock_post(uow, caller, post_id)
    require_permission(uow, caller, post.circle_id, Permission.MODERATE)
    return post
