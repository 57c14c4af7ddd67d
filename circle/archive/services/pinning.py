"""What stands at the top of a circle: its pins, and what a new member reads first.

Both are short lists that are written as a whole, by one editor at a time.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select

from circle.archive.errors import TooManyPins
from circle.archive.policy import require_filed_post
from circle.archive.shelf_models import MAX_PINS, PostPin, StartHere
from circle.kernel import audit, changes
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import FieldError, Invalid
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.posts.errors import NotPublished
from circle.posts.models import Post, PostStatus

MAX_START_HERE = 50

# First key of the advisory lock on what stands at a circle's top; the second is the circle.
_ARRANGING = 7102

_UNKNOWN_POST = Text("星球中没有这篇内容。", "There is no such post in this circle.")
_TWICE = Text("同一篇内容出现了两次。", "The same post stands here twice.")


def pin_post(
    uow: UnitOfWork, caller: Caller, post_id: UUID, *, position: int | None = None, ends_at: datetime | None = None
) -> None:
    """Pin a published post at a position, counted from 1, until `ends_at` (None: for good).

    Without a position a new pin comes first, and one that is there stays in its place. Pins whose time is over, and
    those of posts that are gone, make room. Errors: NotPublished, TooManyPins, Invalid (an end in the past).
    """
    post = require_filed_post(uow, caller, post_id)
    if not post.is_published:
        raise NotPublished
    if ends_at is not None and ends_at <= uow.now:
        raise Invalid.field("ends_at", "in_the_past", "结束时间须在将来。", "Must lie in the future.")
    _arrange_alone(uow, post.circle_id)
    before = _live_pins(uow, post.circle_id)
    places = {pin["post_id"]: place for place, pin in enumerate(before)}
    others = [pin for pin in before if pin["post_id"] != post_id]
    if len(others) >= MAX_PINS:
        raise TooManyPins
    known = before[places[post_id]] if post_id in places else {"pinned_by": caller.user_id, "pinned_at": uow.now}
    pin = {**known, "post_id": post_id, "ends_at": ends_at}
    place = places.get(post_id, 0) if position is None else position - 1
    after = [*others[:place], pin, *others[place:]]
    if after != before:
        _write_pins(uow, post.circle_id, after)
        _note(uow, caller, "post.pin", post.circle_id, post_id)


def unpin_post(uow: UnitOfWork, caller: Caller, post_id: UUID) -> None:
    """Take a post from the top; one that is not pinned stays where it is."""
    post = require_filed_post(uow, caller, post_id)
    _arrange_alone(uow, post.circle_id)
    before = _live_pins(uow, post.circle_id)
    after = [pin for pin in before if pin["post_id"] != post_id]
    if after != before:
        _write_pins(uow, post.circle_id, after)
        _note(uow, caller, "post.unpin", post.circle_id, post_id)


def lay_out_start(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, post_ids: Sequence[UUID]) -> None:
    """Let new members begin with these posts in this order; none: with the top of the archive.

    Errors: MissingPermission, Invalid (posts that are not published here, or named twice).
    """
    require_permission(uow, caller, circle_id, Permission.FILE_ARCHIVE)
    _require_posts(uow, circle_id, post_ids)
    _arrange_alone(uow, circle_id)
    before = list(
        uow.session.scalars(
            select(StartHere.post_id).where(StartHere.circle_id == circle_id).order_by(StartHere.position)
        )
    )
    if before == list(post_ids):
        return
    uow.session.execute(delete(StartHere).where(StartHere.circle_id == circle_id))
    if post_ids:
        rows = [{"circle_id": circle_id, "post_id": one, "position": at} for at, one in enumerate(post_ids)]
        uow.session.execute(insert(StartHere).values(rows))
    audit.record(
        uow,
        caller,
        "circle.start_here",
        circle_id=circle_id,
        subject_kind="circle",
        subject_id=circle_id,
        posts=len(post_ids),
    )
    changes.record(uow, circle_id=circle_id, kind="start_here", item_id=circle_id, operation="updated")


def _arrange_alone(uow: UnitOfWork, circle_id: UUID) -> None:
    uow.session.execute(select(func.pg_advisory_xact_lock(_ARRANGING, func.hashtext(str(circle_id)))))


def _live_pins(uow: UnitOfWork, circle_id: UUID) -> list[Json]:
    """Return the pins that are shown, in order, as they are behind the lock."""
    live = (
        select(PostPin.post_id, PostPin.pinned_by, PostPin.pinned_at, PostPin.ends_at)
        .join(Post, Post.id == PostPin.post_id)
        .where(
            PostPin.circle_id == circle_id,
            or_(PostPin.ends_at.is_(None), PostPin.ends_at > uow.now),
            Post.status == PostStatus.PUBLISHED,
        )
        .order_by(PostPin.slot)
    )
    return [dict(row) for row in uow.session.execute(live).mappings()]


def _write_pins(uow: UnitOfWork, circle_id: UUID, pins: Sequence[Json]) -> None:
    uow.session.execute(delete(PostPin).where(PostPin.circle_id == circle_id))
    if pins:
        rows = [{**pin, "circle_id": circle_id, "slot": slot} for slot, pin in enumerate(pins, 1)]
        uow.session.execute(insert(PostPin).values(rows))


def _require_posts(uow: UnitOfWork, circle_id: UUID, post_ids: Sequence[UUID]) -> None:
    here = select(Post.id).where(
        Post.id.in_(post_ids), Post.circle_id == circle_id, Post.status == PostStatus.PUBLISHED
    )
    known: Collection[UUID] = set(uow.session.scalars(here))
    errors = []
    for at, one in enumerate(post_ids):
        if one not in known:
            errors.append(FieldError(f"post_ids.{at}", "unknown_post", _UNKNOWN_POST))
        elif one in post_ids[:at]:
            errors.append(FieldError(f"post_ids.{at}", "doubled", _TWICE))
    if errors:
        raise Invalid(*errors)


def _note(uow: UnitOfWork, caller: Caller, action: str, circle_id: UUID, post_id: UUID) -> None:
    audit.record(uow, caller, action, circle_id=circle_id, subject_kind="post", subject_id=post_id)
    changes.record(uow, circle_id=circle_id, kind="pins", item_id=circle_id, operation="updated")
