"""Reading posts: the feed, one post, revisions, cards by id."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, constant
from circle.kernel.errors import NotFound, Unauthenticated
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import NotAMember
from circle.memberships.models import Role
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_look, require_permission
from circle.posts import policy
from circle.posts.cards import card_of, fresh_card, post_card, select_cards, select_page
from circle.posts.column_policy import ColumnTier, opened
from circle.posts.filing import Column, ColumnItem, PostTag, Tag
from circle.posts.models import Kind, Post, PostRevision, PostStatus
from circle.posts.page_queries import gated_card, select_one
from circle.posts.policy import SeenPost, hides_asker
from circle.posts.question_queries import checkout_of

_FEED = Keyset("posts", {"published_at": datetime, "id": UUID})
# Lists of what is not published go by when it was begun, which ids tell.
_UNSEEN = Keyset("posts.unseen", {"id": UUID})
_REVISIONS = Keyset("revisions", {"number": int})

_LAST_ID = UUID(int=2**128 - 1)
_END = {"published_at": datetime(9999, 12, 31, tzinfo=UTC), "id": _LAST_ID}
_MOST_NUMBER = 2**31 - 1

# Everybody's for moderators, else one's own.
_HELD = frozenset({PostStatus.REVIEW, PostStatus.HIDDEN, PostStatus.TRASHED})

_LIMIT = bindparam("limit", type_=Integer())


def _literal(number: int) -> Any:
    # The planner must know that few rows are wanted, or it reads and sorts a tenth of the table.
    return literal_column(str(number))


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def _in_subtree() -> ColumnElement[bool]:
    path: Any = _param("tag", Text())
    subtree = select(Tag.id).where(
        Tag.circle_id == _param("circle_id", Uuid()),
        or_(Tag.path == path, func.starts_with(Tag.path, func.concat(path, "/"))),
    )
    return Post.id.in_(select(PostTag.post_id).where(PostTag.tag_id.in_(subtree)))


def _in_opened_column() -> Any:
    """Posts of a column that the reader may look into; a locked column is an empty list."""
    return (
        select(ColumnItem.post_id)
        .join(Column, Column.id == ColumnItem.column_id)
        .outerjoin(ColumnTier, ColumnTier.id == Column.access_tier_id)
        .where(Column.id == _param("column", Uuid()), Column.archived_at.is_(None), opened())
    )


def _by_author() -> ColumnElement[bool]:
    """Posts of an author whom the reader may know to be it."""
    known = or_(not_(Post.anonymous), policy.is_own(), _param("knows_askers", Boolean()))
    return and_(Post.author_id == _param("author", Uuid()), known)


_FILTERS: Mapping[str, Any] = {
    "author": _by_author,
    "tag": _in_subtree,
    "column": lambda: Post.id.in_(_in_opened_column()),
    "since": lambda: Post.published_at >= _param("since", DateTime(timezone=True)),
    "digest": lambda: Post.digest_at.is_not(None),
    "no_digest": lambda: Post.digest_at.is_(None),
    **{kind.value: lambda kind=kind: Post.kind == constant(kind) for kind in Kind},
}


_DIGEST: Mapping[bool | None, tuple[str, ...]] = {None: (), True: ("digest",), False: ("no_digest",)}


@cache
def _feed(filters: frozenset[str], limit: int) -> Query:
    """Return the statement of one combination of filters: built once, prepared once a connection."""
    return Query(lambda: _select_feed(filters, limit), may_lag=True)


def _select_feed(filters: frozenset[str], limit: int) -> Select[*tuple[Any, ...]]:
    before = tuple_(_param("published_at", DateTime(timezone=True)), _param("id", Uuid()))
    chosen = (
        select_page()
        .where(
            Post.circle_id == _param("circle_id", Uuid()),
            policy.IS_PUBLISHED,
            tuple_(Post.published_at, Post.id) < before,
            *(_FILTERS[name]() for name in sorted(filters)),
        )
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(_literal(limit))
    )
    cards = select_cards(chosen)
    page = cards.selected_columns
    return cards.order_by(page.published_at.desc(), page.id.desc())


@cache
def _unseen(status: PostStatus, filters: frozenset[str], limit: int) -> Query:
    return Query(lambda: _select_unseen(status, filters, limit))


def _select_unseen(status: PostStatus, filters: frozenset[str], limit: int) -> Select[*tuple[Any, ...]]:
    chosen = (
        select_page()
        .where(
            Post.circle_id == _param("circle_id", Uuid()),
            Post.status == constant(status),
            policy.seen(),
            Post.purged_at.is_(None),
            Post.id < _param("id", Uuid()),
            *(_FILTERS[name]() for name in sorted(filters)),
        )
        .order_by(Post.id.desc())
        .limit(_literal(limit))
    )
    cards = select_cards(chosen)
    return cards.order_by(cards.selected_columns.id.desc())


def feed(
    uow: UnitOfWork,
    caller: Caller | None,
    circle_id: UUID,
    *,
    status: str,
    kind: str | None,
    digest: bool | None,
    cursor: str | None,
    limit: int,
    **filters: Any,
) -> Json:
    """Return a page of a circle's posts, newest first.

    Errors: NotFound, Banned, NotAMember, Unauthenticated (for nobody's own), BadCursor.
    """
    standing = require_look(uow, caller, circle_id)
    given = {name: value for name, value in filters.items() if value is not None}
    names = {*given, *([kind] if kind else []), *_DIGEST[digest]}
    if status == PostStatus.PUBLISHED:
        keyset, query, start = _FEED, _feed(frozenset(names), limit + 1), _END
    else:
        if caller is None:
            raise Unauthenticated
        if standing.membership_id is None:
            raise NotAMember
        if status not in _HELD or not standing.may(Permission.MODERATE):
            given["author"] = standing.user_id
        keyset, query = _UNSEEN, _unseen(PostStatus(status), frozenset({*names, *given}), limit + 1)
        start = {"id": _LAST_ID}
    after = keyset.decode(cursor) if cursor else start
    rows = uow.rows(
        query,
        circle_id=circle_id,
        knows_askers=standing.role == Role.OWNER,
        now=uow.now,
        **given,
        **after,
        **policy.reading(standing),
    )
    page, next_cursor = keyset.page(rows, limit)
    return {"items": [post_card(row, standing) for row in page], "next_cursor": next_cursor}


def _select_by_ids() -> Select[*tuple[Any, ...]]:
    ids = any_(_param("ids", ARRAY(Uuid())))
    some = select_page().where(Post.circle_id == _param("circle_id", Uuid()), Post.id == ids, policy.IS_PUBLISHED)
    return select_cards(some.limit(_LIMIT))


_POST = Query(lambda: select_cards(select_one("post_id"), whole=True))
_BY_IDS = Query(_select_by_ids)


def post(uow: UnitOfWork, caller: Caller | None, post_id: UUID) -> Json:
    """Return one post in full; locked, its teaser. Errors: NotFound, Banned."""
    standing = policy.require_look_at_post(uow, caller, post_id) if caller else None
    row = gated_card(caller, post_id) if caller and uow.read_only else None
    if row is None:
        row = uow.row(_POST, post_id=post_id, **(policy.reading(standing) if standing else policy.STRANGER))
    if row is None:
        raise NotFound
    return _with_checkout(uow, post_card(row, standing or require_look(uow, None, row["circle_id"])))


def own_post(uow: UnitOfWork, caller: Caller, post: Post, *, tags: Collection[str] = ()) -> Json:
    """Return what the caller has just written: authors read their own, whatever their standing."""
    standing: Standing | None = caller.known.get(post.circle_id)
    if standing is not None and post.kind != Kind.QUESTION and post.access_tier_id is None and not tags:
        return fresh_card(post, caller, alias=standing.alias)
    (row,) = uow.rows(_POST, post_id=post.id, **{**policy.STRANGER, "reader_id": caller.user_id})
    return _with_checkout(uow, card_of(row, nameless=False))


def _with_checkout(uow: UnitOfWork, card: Json) -> Json:
    if card["status"] == PostStatus.UNPAID:
        card["question"]["checkout"] = checkout_of(uow, card["id"])
    return card


def cards(uow: UnitOfWork, standing: Standing, ids: Collection[UUID]) -> dict[UUID, Json]:
    """Return the cards of published posts of the standing's circle, by id, in one statement; others are left out."""
    if not ids:
        return {}
    rows = uow.rows(_BY_IDS, circle_id=standing.circle_id, ids=list(ids), limit=len(ids), **policy.reading(standing))
    return {row["id"]: post_card(row, standing) for row in rows}


def revisions(uow: UnitOfWork, caller: Caller, post_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return what a post said before its edits, latest first, for its author and moderators.

    Errors: NotFound, Banned, MissingPermission.
    """
    found = policy.find_post(uow, caller, post_id)
    if not found.is_own:
        require_permission(uow, caller, found.circle_id, Permission.MODERATE)
    before = _REVISIONS.decode(cursor)["number"] if cursor else _MOST_NUMBER
    kept = (
        select(PostRevision, User.display_name, User.avatar_media_id)
        .join(User, User.id == PostRevision.editor_id)
        .where(PostRevision.post_id == post_id, PostRevision.number < before)
        .order_by(PostRevision.number.desc())
        .limit(limit + 1)
    )
    rows = [
        {
            "number": revision.number,
            "title": revision.title,
            "body": revision.body,
            "editor": None if _hides(found, revision.editor_id) else user_card(revision.editor_id, name, avatar),
            "created_at": revision.created_at,
        }
        for revision, name, avatar in uow.session.execute(kept)
    ]
    page, next_cursor = _REVISIONS.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor}


def _hides(post: SeenPost, editor_id: UUID) -> bool:
    return editor_id == post.author_id and hides_asker(post.standing, editor_id, anonymous=post.anonymous)
