"""Entries as answers show them: one select and one function for feed, single page and the answer to a check-in."""

from datetime import date
from functools import cache
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Integer, Select, Uuid, and_, bindparam, case, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.checkins import policy
from circle.checkins.entry_models import MOST_VERSIONS, CheckIn, CheckInComment, CheckInLike, CheckInVersion
from circle.checkins.models import Camp, CheckInDay
from circle.checkins.queries import figures_card
from circle.checkins.services.checking_in import Taken
from circle.checkins.services.desk import Placed
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media
from circle.media.queries import CARD_COLUMNS, media_card
from circle.memberships.models import Membership
from circle.web.answers import Answer

_FEED = Keyset("check_ins", {"id": UUID})
_COMMENTS = Keyset("check_in_comments", {"id": UUID})
_LAST_ID, _FIRST_ID = UUID(int=2**128 - 1), UUID(int=0)
_FIGURES = ("run", "alive_until", "longest", "total", "made_up", "leave_taken")
_PLAIN = (
    "id",
    "camp_id",
    "day",
    "body",
    "level",
    "on_feed",
    "late",
    "made_at",
    "created_at",
    "edited_at",
    "version",
    "like_count",
    "comment_count",
)


def _uuid(name: str) -> Any:
    return bindparam(name, type_=Uuid())


def _attachments() -> Any:
    """Select what is attached as one value, so that an entry without attachments costs nothing."""
    pairs: Any = chain.from_iterable((literal_column(f"'{column.key}'"), column) for column in CARD_COLUMNS)
    cards = (
        select(func.jsonb_agg(aggregate_order_by(func.jsonb_build_object(*pairs, type_=JSONB), Media.position)))
        .where(Media.attached_to == CheckIn.id)
        .correlate(CheckIn)
        .scalar_subquery()
    )
    return case((CheckIn.attached > 0, cards)).label("attachments")


def select_entries() -> Select[*tuple[Any, ...]]:
    """Select the rows of `entry_card`, of what is shown to the reader; run with `policy.reading(camp)`."""
    teacher = aliased(User)
    alias = case((User.deleted_at.is_(None), func.nullif(Membership.alias, "")))
    liked = exists().where(CheckInLike.check_in_id == CheckIn.id, CheckInLike.user_id == _uuid("reader_id"))
    return (
        select(
            *(column for column in CheckIn.__table__.columns if column.key not in {"removed_at", "removed_by"}),
            CheckInDay.kind,
            CheckInDay.late,
            func.coalesce(alias, User.display_name).label("author_name"),
            User.avatar_media_id.label("author_avatar"),
            teacher.display_name.label("teacher_name"),
            teacher.avatar_media_id.label("teacher_avatar"),
            liked.label("liked"),
            _attachments(),
        )
        .join(
            CheckInDay,
            and_(
                CheckInDay.camp_id == CheckIn.camp_id,
                CheckInDay.user_id == CheckIn.user_id,
                CheckInDay.day == CheckIn.day,
            ),
        )
        .join(User, User.id == CheckIn.user_id)
        .join(Camp, Camp.id == CheckIn.camp_id)
        .outerjoin(Membership, and_(Membership.circle_id == Camp.circle_id, Membership.user_id == CheckIn.user_id))
        .outerjoin(teacher, teacher.id == CheckIn.noted_by)
        .where(policy.shown_to_reader())
    )


_FILTERS: dict[str, Any] = {
    "user_id": lambda: CheckIn.user_id == _uuid("user_id"),
    "day": lambda: CheckIn.day == bindparam("day", type_=Date()),
    "pinned": lambda: CheckIn.pinned_at.is_not(None),
}


@cache
def _feed(filters: frozenset[str]) -> Query:
    return Query(
        lambda: (
            select_entries()
            .where(
                CheckIn.camp_id == _uuid("camp_id"),
                CheckIn.id < _uuid("before"),
                *(_FILTERS[name]() for name in sorted(filters)),
            )
            .order_by(CheckIn.id.desc())
            .limit(bindparam("limit", type_=Integer()))
        )
    )


_ONE = Query(lambda: select_entries().where(CheckIn.id == _uuid("check_in_id")))


def feed(
    uow: UnitOfWork,
    caller: Caller,
    camp_id: UUID,
    *,
    user_id: UUID | None,
    day: date | None,
    pinned: bool,
    cursor: str | None,
    limit: int,
) -> Json:
    """Return a page of a camp's entries, the latest first. Errors: those of `require_camp`, BadCursor."""
    camp = policy.require_camp(uow, caller, camp_id)
    given = {"user_id": user_id, "day": day, "pinned": pinned or None}
    filters = {name: value for name, value in given.items() if value is not None}
    rows = uow.rows(
        _feed(frozenset(filters)),
        camp_id=camp_id,
        before=_FEED.decode(cursor)["id"] if cursor else _LAST_ID,
        limit=limit + 1,
        **filters,
        **policy.reading(camp),
    )
    page, next_cursor = _FEED.page(rows, limit)
    return {"items": [entry_card(row) for row in page], "next_cursor": next_cursor}


def entry(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> Json:
    """Return one entry. Errors: those of `require_entry`."""
    camp = policy.require_entry(uow, caller, check_in_id)
    return entry_of(uow, check_in_id, **policy.reading(camp))


def entry_of(uow: UnitOfWork, check_in_id: UUID, **reading: Any) -> Json:
    row = uow.row(_ONE, check_in_id=check_in_id, **reading)
    if row is None:
        raise NotFound
    return entry_card(row)


def checked_in(uow: UnitOfWork, taken: Taken) -> Answer:
    """Answer a check-in: 201 for the first of its day, 200 for an edit; with the figures it led to."""
    desk, placed = taken.desk, taken.placed
    if placed is None or taken.written.attachments:
        card = entry_of(uow, taken.check_in_id, reader_id=desk.user_id, teaches=True)
    else:
        card = _fresh_card(uow, taken, placed)
    done = desk.completes(taken.figures)
    figures = {
        **desk.row,
        **{name: getattr(taken.figures, name) for name in _FIGURES},
        "completed_at": desk.row["completed_at"] or (uow.now if done else None),
    }
    card["figures"] = figures_card(figures, desk.today)
    return Answer(card, 200 if placed is None else 201)


def _fresh_card(uow: UnitOfWork, taken: Taken, placed: Placed) -> Json:
    """Return what was just written, without reading it back."""
    desk, written = taken.desk, taken.written
    return {
        "id": taken.check_in_id,
        "camp_id": desk.camp_id,
        "user": user_card(desk.user_id, desk.name, desk.row["avatar_media_id"]),
        "day": placed.day,
        "kind": placed.kind,
        "late": placed.late,
        "body": written.body,
        "number": None if written.number is None else float(written.number),
        "attachments": [],
        "level": taken.figures.total if desk.row["levels"] else None,
        "on_feed": taken.on_feed,
        "made_at": placed.made_at,
        "created_at": uow.now,
        "edited_at": None,
        "version": 1,
        "like_count": 0,
        "comment_count": 0,
        "liked": False,
        "pinned": False,
        "note": None,
    }


def entry_card(row: Row) -> Json:
    """Return an entry in the shape of `CheckInOut`, from a row of `select_entries`."""
    note = None
    if row["teacher_note"] is not None:
        teacher = user_card(row["noted_by"], row["teacher_name"], row["teacher_avatar"])
        note = {"body": row["teacher_note"], "by": teacher, "at": row["noted_at"]}
    return {
        **{name: row[name] for name in _PLAIN},
        "kind": row["kind"],
        "number": None if row["number"] is None else float(row["number"]),
        "user": user_card(row["user_id"], row["author_name"], row["author_avatar"]),
        "attachments": [media_card({**one, "id": UUID(one["id"])}) for one in row["attachments"] or ()],
        "liked": row["liked"],
        "pinned": row["pinned_at"] is not None,
        "note": note,
    }


def versions(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> Json:
    """Return what an entry said before its edits, latest first, to its author and teachers.

    Errors: those of `require_entry`, MissingPermission.
    """
    camp = policy.require_entry(uow, caller, check_in_id)
    author = uow.session.scalars(select(CheckIn.user_id).where(CheckIn.id == check_in_id)).one()
    if author != caller.user_id:
        policy.require_taught_camp(uow, caller, camp.id)
    kept = select(CheckInVersion).where(CheckInVersion.check_in_id == check_in_id)
    latest = kept.order_by(CheckInVersion.version.desc()).limit(MOST_VERSIONS)
    return {
        "items": [
            {"version": one.version, "body": one.body, "number": one.number, "written_at": one.written_at}
            for one in uow.session.scalars(latest)
        ]
    }


def comments(uow: UnitOfWork, caller: Caller, check_in_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of an entry's comments, oldest first. Errors: those of `require_entry`, BadCursor."""
    policy.require_entry(uow, caller, check_in_id)
    after = _COMMENTS.decode(cursor)["id"] if cursor else _FIRST_ID
    found = (
        _select_comments()
        .where(
            CheckInComment.check_in_id == check_in_id,
            CheckInComment.removed_at.is_(None),
            CheckInComment.id > after,
        )
        .order_by(CheckInComment.id)
        .limit(limit + 1)
    )
    rows = [dict(row) for row in uow.session.execute(found).mappings()]
    page, next_cursor = _COMMENTS.page(rows, limit)
    return {"items": [_comment_card(row) for row in page], "next_cursor": next_cursor}


def comment(uow: UnitOfWork, comment_id: UUID) -> Json:
    found = uow.session.execute(_select_comments().where(CheckInComment.id == comment_id)).mappings().one()
    return _comment_card(found)


def _select_comments() -> Select[*tuple[Any, ...]]:
    written = (CheckInComment.id, CheckInComment.author_id, CheckInComment.body, CheckInComment.created_at)
    return select(*written, User.display_name, User.avatar_media_id).join(User, User.id == CheckInComment.author_id)


def _comment_card(row: Any) -> Json:
    return {
        "id": row["id"],
        "author": user_card(row["author_id"], row["display_name"], row["avatar_media_id"]),
        "body": row["body"],
        "created_at": row["created_at"],
    }
