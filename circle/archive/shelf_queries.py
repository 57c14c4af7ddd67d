"""Reading what was laid out by hand: pins, the start of a circle, a member's bookmarks."""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from circle.archive.reading_models import PostScore
from circle.archive.services.bookmarking import MAX_FOLDERS
from circle.archive.shelf_models import Bookmark, BookmarkFolder, PostPin, StartHere
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, require_look, standing_from, with_standing
from circle.posts.models import Post, PostRead
from circle.posts.policy import IS_PUBLISHED, Required, reading, unlocked
from circle.posts.queries import cards
from circle.posts.readers import cards_across

# Where nobody has laid anything out, a new member begins with so many posts from the top of the archive.
_TOP = 20
_BOOKMARKS = Keyset("bookmarks", {"kept_at": datetime, "post_id": UUID})
_NEWEST: Row = {"kept_at": datetime(9999, 12, 31, tzinfo=UTC), "post_id": UUID(int=2**128 - 1)}


def _select_pins() -> Select[*tuple[Any, ...]]:
    """Select the live pins of circles, in order."""
    return (
        select(PostPin.circle_id, PostPin.post_id, PostPin.pinned_at, PostPin.ends_at)
        .join(Post, Post.id == PostPin.post_id)
        .where(
            PostPin.circle_id == any_(bindparam("ids", type_=ARRAY(Uuid()))),
            or_(PostPin.ends_at.is_(None), PostPin.ends_at > bindparam("now", type_=DateTime(timezone=True))),
            IS_PUBLISHED,
        )
        .order_by(PostPin.circle_id, PostPin.slot)
    )


def _select_start() -> Select[*tuple[Any, ...]]:
    """Select what the creator laid out, else the best that the reader may open, in order."""
    here = bindparam("circle_id", type_=Uuid())
    laid_out = (
        select(StartHere.post_id, StartHere.position.label("place"), literal(1, Integer()).label("chosen"))
        .join(Post, Post.id == StartHere.post_id)
        .where(StartHere.circle_id == here, IS_PUBLISHED)
    )
    best = (
        select(
            PostScore.post_id,
            func.row_number().over(order_by=(PostScore.score.desc(), PostScore.post_id.desc())).label("place"),
            literal(0, Integer()).label("chosen"),
        )
        .join(Post, Post.id == PostScore.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
        .where(
            PostScore.circle_id == here,
            PostScore.score > 0,
            IS_PUBLISHED,
            unlocked(),
            ~exists().where(StartHere.circle_id == here),
        )
        .order_by(PostScore.score.desc(), PostScore.post_id.desc())
        .limit(_TOP)
    )
    page = laid_out.union_all(best).subquery("page")
    read = exists(
        select(PostRead.post_id).where(
            PostRead.post_id == page.c.post_id, PostRead.user_id == bindparam("reader_id", type_=Uuid())
        )
    )
    return select(page, read.label("read")).order_by(page.c.place)


def _select_folders() -> Select[*tuple[Any, ...]]:
    kept = select(func.count()).where(Bookmark.folder_id == BookmarkFolder.id).scalar_subquery()
    return (
        select(BookmarkFolder.id, BookmarkFolder.name, kept.label("bookmark_count"))
        .where(BookmarkFolder.user_id == bindparam("user_id", type_=Uuid()))
        .order_by(BookmarkFolder.name)
        .limit(MAX_FOLDERS)
    )


_PINS, _START = Query(_select_pins, may_lag=True), Query(_select_start, may_lag=True)
_FOLDERS = Query(_select_folders)


@cache
def _bookmarks(*, folder: bool, circle: bool) -> Query:
    """Return the statement of one combination of filters."""
    return Query(lambda: _select_bookmarks(folder=folder, circle=circle))


def _select_bookmarks(*, folder: bool, circle: bool) -> Select[*tuple[Any, ...]]:
    """Select a page of somebody's bookmarks, each with what they are in its circle."""
    before = tuple_(bindparam("kept_at", type_=DateTime(timezone=True)), bindparam("post_id", type_=Uuid()))
    page = (
        select(
            Bookmark.post_id,
            Bookmark.circle_id.label("of_circle"),
            Bookmark.user_id.label("of_user"),
            Bookmark.own_note,
            Bookmark.created_at.label("kept_at"),
            Bookmark.folder_id,
            BookmarkFolder.name.label("folder"),
        )
        .outerjoin(BookmarkFolder, BookmarkFolder.id == Bookmark.folder_id)
        .where(
            Bookmark.user_id == bindparam("user_id", type_=Uuid()),
            tuple_(Bookmark.created_at, Bookmark.post_id) < before,
        )
        .order_by(Bookmark.created_at.desc(), Bookmark.post_id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )
    if folder:
        page = page.where(BookmarkFolder.name == bindparam("folder", type_=Text()))
    if circle:
        page = page.where(Bookmark.circle_id == bindparam("circle_id", type_=Uuid()))
    rows = page.subquery("page")
    return with_standing(select(rows), rows.c.of_circle, rows.c.of_user).order_by(
        rows.c.kept_at.desc(), rows.c.post_id.desc()
    )


def pins(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """Return the circle's pins in their order; locked ones as teasers. Errors: NotFound, Banned."""
    standing = require_look(uow, caller, circle_id)
    rows = uow.rows(_PINS, ids=[circle_id], now=uow.now)
    shown = cards(uow, standing, [row["post_id"] for row in rows])
    items = [
        {"position": at, "pinned_at": row["pinned_at"], "ends_at": row["ends_at"], "post": shown[row["post_id"]]}
        for at, row in enumerate(rows, 1)
        if row["post_id"] in shown
    ]
    return {"items": items, "next_cursor": None}


def pin_lists(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return the order of the pins of the standing's circle, for clients that mirror it."""
    rows = uow.rows(_PINS, ids=[standing.circle_id], now=uow.now)
    order = [{"post_id": str(row["post_id"]), "ends_at": row["ends_at"]} for row in rows]
    return {one: {"circle_id": str(one), "pins": order} for one in ids if one == standing.circle_id}


def start(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """Return what to read first; what was laid out comes with its locked posts as teasers. Errors: NotFound, Banned."""
    standing = require_look(uow, caller, circle_id)
    rows = uow.rows(_START, circle_id=circle_id, **reading(standing))
    shown = cards(uow, standing, [row["post_id"] for row in rows])
    items = [{"read": row["read"], "post": shown[row["post_id"]]} for row in rows if row["post_id"] in shown]
    return {"chosen": any(row["chosen"] for row in rows), "items": items, "next_cursor": None}


def start_lists(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return what the creator laid out in the standing's circle, for clients that mirror it."""
    rows = uow.rows(_START, circle_id=standing.circle_id, **reading(standing))
    order = [str(row["post_id"]) for row in rows if row["chosen"]]
    return {one: {"circle_id": str(one), "post_ids": order} for one in ids if one == standing.circle_id}


def bookmarks(
    uow: UnitOfWork, caller: Caller, *, folder: str | None, circle_id: UUID | None, cursor: str | None, limit: int
) -> Json:
    """Return a page of one's bookmarks, the latest first.

    What is locked by now comes as a teaser, and what is not to be seen any more without its post: the note stays
    one's own. Errors: BadCursor.
    """
    rows = uow.rows(
        _bookmarks(folder=folder is not None, circle=circle_id is not None),
        user_id=caller.user_id,
        folder=folder,
        circle_id=circle_id,
        now=uow.now,
        limit=limit + 1,
        **(_BOOKMARKS.decode(cursor) if cursor else _NEWEST),
    )
    page, next_cursor = _BOOKMARKS.page(rows, limit)
    standings = {row["of_circle"]: standing_from(row, uow.now, caller.user_id) for row in page}
    shown = cards_across(uow, standings.values(), [row["post_id"] for row in page])
    return {"items": [_bookmark(row, shown.get(row["post_id"])) for row in page], "next_cursor": next_cursor}


def _bookmark(row: Row, post: Json | None) -> Json:
    return {
        "post_id": str(row["post_id"]),
        "circle_id": str(row["of_circle"]),
        "folder": None if row["folder_id"] is None else {"id": str(row["folder_id"]), "name": row["folder"]},
        "note": row["own_note"],
        "created_at": row["kept_at"],
        "post": post,
    }


def folders(uow: UnitOfWork, caller: Caller) -> Json:
    """Return one's folders by name, with how many bookmarks are in each."""
    return {"items": uow.rows(_FOLDERS, user_id=caller.user_id), "next_cursor": None}


def folder(uow: UnitOfWork, caller: Caller, folder_id: UUID) -> Json:
    """Return one of one's folders."""
    return next(one for one in folders(uow, caller)["items"] if one["id"] == folder_id)
