"""Reactions: one row for each person, post and emoji; the post keeps the counts, changed under its row's lock."""

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_member, require_open_circle
from circle.posts.discussion_errors import TooManyReactions
from circle.posts.discussion_events import EngagementChanged, PostReacted
from circle.posts.emoji import read_emoji
from circle.posts.errors import NotPublished
from circle.posts.models import Post, Reaction
from circle.posts.policy import require_post

MAX_EACH = 10
MAX_ON_A_POST = 50


def react(uow: UnitOfWork, caller: Caller, post_id: UUID, emoji: str) -> Json:
    """Add a reaction, once; return the post's counts and one's own. Errors: Invalid, TooManyReactions."""
    post = require_post(uow, caller, post_id)
    require_open_circle(require_member(uow, caller, post.circle_id))
    if not post.is_published:
        raise NotPublished
    emoji = _require_emoji(emoji)
    counts, mine = _lock(uow, caller, post_id)
    if emoji in mine:
        return _shown(counts, mine)
    if len(mine) >= MAX_EACH:
        raise TooManyReactions(most=MAX_EACH)
    if emoji not in counts and len(counts) >= MAX_ON_A_POST:
        raise TooManyReactions(most=MAX_ON_A_POST)
    uow.session.execute(
        insert(Reaction).values(
            post_id=post_id, user_id=caller.user_id, emoji=emoji, circle_id=post.circle_id, created_at=uow.now
        )
    )
    counts = {**counts, emoji: counts.get(emoji, 0) + 1}
    _keep(uow, post.circle_id, post_id, counts)
    uow.emit(PostReacted(post.circle_id, post_id, post.author_id, caller.user_id, emoji))
    return _shown(counts, [*mine, emoji])


def unreact(uow: UnitOfWork, caller: Caller, post_id: UUID, emoji: str) -> Json:
    """Take a reaction back; return the post's counts and one's own. Errors: Invalid."""
    post = require_post(uow, caller, post_id)
    emoji = _require_emoji(emoji)
    counts, mine = _lock(uow, caller, post_id)
    if emoji not in mine:
        return _shown(counts, mine)
    uow.session.execute(
        delete(Reaction).where(Reaction.post_id == post_id, Reaction.user_id == caller.user_id, Reaction.emoji == emoji)
    )
    left = counts[emoji] - 1
    counts = {one: left if one == emoji else n for one, n in counts.items() if one != emoji or left > 0}
    _keep(uow, post.circle_id, post_id, counts)
    return _shown(counts, [one for one in mine if one != emoji])


def _require_emoji(text: str) -> str:
    emoji = read_emoji(text)
    if emoji is None:
        raise Invalid.field("emoji", "not_an_emoji", "须为一个表情符号。", "Must be one emoji.")
    return emoji


def _lock(uow: UnitOfWork, caller: Caller, post_id: UUID) -> tuple[dict[str, int], list[str]]:
    """Lock the post's row; return its counts and the caller's own reactions, as they are behind the lock.

    Errors: NotFound, where it was taken out for good meanwhile.
    """
    here = select(Post.reaction_counts).where(Post.id == post_id, Post.purged_at.is_(None))
    counts = uow.session.scalar(here.with_for_update(key_share=True))
    if counts is None:
        raise NotFound
    own = (
        select(Reaction.emoji)
        .where(Reaction.post_id == post_id, Reaction.user_id == caller.user_id)
        .order_by(Reaction.created_at, Reaction.emoji)
    )
    return counts, list(uow.session.scalars(own))


def _keep(uow: UnitOfWork, circle_id: UUID, post_id: UUID, counts: dict[str, int]) -> None:
    # By a plain UPDATE: a reaction is no edit, so the version stays.
    keeping = update(Post).where(Post.id == post_id).values(reaction_counts=counts)
    uow.session.execute(keeping.execution_options(synchronize_session=False))
    uow.emit(EngagementChanged(circle_id, post_id))


def _shown(counts: dict[str, int], mine: list[str]) -> Json:
    return {"reaction_counts": counts, "my_reactions": sorted(mine)}
