"""Reading questions: a circle's list, what is still to be paid, and how an answer was worded before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Integer, Select, Uuid, bindparam, select, tuple_

from circle.billing.models import Checkout
from circle.billing.queries import checkout
from circle.billing.services.charges import invoice_for
from circle.billing.states import CheckoutStatus
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, constant
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import require_look
from circle.posts import policy
from circle.posts.cards import post_card, select_cards, select_page
from circle.posts.discussion_errors import NotAnswered
from circle.posts.models import Answer, AnswerRevision, Kind, Post, PostStatus, Question, QuestionStatus
from circle.posts.services.questions import CHARGE

_LIST = Keyset("questions", {"published_at": datetime, "id": UUID})
# What is not paid is not published: it goes by when it was begun, which ids tell.
_UNPAID = Keyset("questions.unpaid", {"id": UUID})
_REVISIONS = Keyset("answer.revisions", {"number": int})
_LAST_ID = UUID(int=2**128 - 1)
_END = {"published_at": datetime(9999, 12, 31, tzinfo=UTC), "id": _LAST_ID}
_MOST_NUMBER = 2**31 - 1


def _is_published() -> tuple[ColumnElement[bool], ...]:
    before = tuple_(bindparam("published_at", type_=DateTime(timezone=True)), bindparam("id", type_=Uuid()))
    return (
        Post.kind == constant(Kind.QUESTION),
        policy.IS_PUBLISHED,
        tuple_(Post.published_at, Post.id) < before,
    )


def _is_own_unpaid() -> tuple[ColumnElement[bool], ...]:
    return (
        Post.status == constant(PostStatus.UNPAID),
        policy.is_own(),
        Post.id < bindparam("id", type_=Uuid()),
    )


@cache
def _questions(status: QuestionStatus | None, *, by_asked: bool) -> Query:
    """Return the statement of one combination of filters: built once, prepared once a connection."""
    return Query(lambda: _select_questions(status, by_asked=by_asked), may_lag=True)


def _select_questions(status: QuestionStatus | None, *, by_asked: bool) -> Select[*tuple[Any, ...]]:
    unpaid = status == QuestionStatus.UNPAID
    chosen = (
        select_page()
        .join(Question, Question.post_id == Post.id)
        .where(
            Post.circle_id == bindparam("circle_id", type_=Uuid()),
            *(_is_own_unpaid() if unpaid else _is_published()),
            *([Question.status == constant(status)] if status else []),
            *([Question.asked_id == bindparam("asked_id", type_=Uuid())] if by_asked else []),
        )
        .order_by(*([] if unpaid else [Post.published_at.desc()]), Post.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )
    rows = select_cards(chosen)
    page = rows.selected_columns
    return rows.order_by(*([] if unpaid else [page.published_at.desc()]), page.id.desc())


def questions(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    status: str | None,
    asked: str | None,
    cursor: str | None,
    limit: int,
) -> Json:
    """Return a page of a circle's questions, newest first; of unpaid ones the caller's own.

    Errors: NotFound, Banned, BadCursor, Invalid (`asked`).
    """
    standing = require_look(uow, caller, circle_id)
    wanted = QuestionStatus(status) if status else None
    keyset, start = (_UNPAID, {"id": _LAST_ID}) if wanted == QuestionStatus.UNPAID else (_LIST, _END)
    after: Mapping[str, Any] = keyset.decode(cursor) if cursor else start
    rows = uow.rows(
        _questions(wanted, by_asked=asked is not None),
        circle_id=circle_id,
        asked_id=_read_asked(asked, caller) if asked else None,
        limit=limit + 1,
        **after,
        **policy.reading(standing),
    )
    page, next_cursor = keyset.page(rows, limit)
    return {"items": [post_card(row, standing) for row in page], "next_cursor": next_cursor}


def _read_asked(asked: str, caller: Caller) -> UUID:
    if asked == "me":
        return caller.user_id
    try:
        return UUID(asked)
    except ValueError:
        raise Invalid.field("asked", "bad_id", "须为 me 或用户 id。", "Give `me` or a user's id.") from None


def checkout_of(uow: UnitOfWork, post_id: UUID) -> Json | None:
    """Return the open checkout of an unpaid question, in the shape of `CheckoutOut`; None once it has expired."""
    invoice = invoice_for(uow, CHARGE, post_id)
    if invoice is None:
        return None
    open_one = select(Checkout.id).where(Checkout.invoice_id == invoice.id, Checkout.status == CheckoutStatus.OPEN)
    checkout_id = uow.session.scalar(open_one)
    if checkout_id is None:
        return None
    # The zone is for the page where it is paid.
    return {name: value for name, value in checkout(uow, checkout_id).items() if name != "timezone"}


def answer_revisions(uow: UnitOfWork, caller: Caller, post_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return what an answer said before its edits, latest first, for whoever may read it: the asker may have paid.

    Errors: NotFound, PostLocked, NotAnswered, BadCursor.
    """
    post = policy.require_post(uow, caller, post_id)
    answer_id = uow.session.scalar(select(Answer.id).where(Answer.post_id == post.id))
    if answer_id is None:
        raise NotAnswered if post.kind == Kind.QUESTION else NotFound
    before = _REVISIONS.decode(cursor)["number"] if cursor else _MOST_NUMBER
    kept = (
        select(AnswerRevision.number, AnswerRevision.body, AnswerRevision.created_at)
        .where(AnswerRevision.answer_id == answer_id, AnswerRevision.number < before)
        .order_by(AnswerRevision.number.desc())
        .limit(limit + 1)
    )
    page, next_cursor = _REVISIONS.page([row._asdict() for row in uow.session.execute(kept)], limit)
    return {"items": page, "next_cursor": next_cursor}
