"""Posts as answers show them: one select and one function for feed, page, sync, search and archive.

What the reader may not open is left out by the SQL itself: it never leaves the database.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, case, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import Subquery

from circle.accounts.models import User
from circle.accounts.queries import user_card
from circle.kernel.caller import Caller
from circle.kernel.db import Json, Row, constant
from circle.memberships.models import Membership
from circle.memberships.policy import Standing
from circle.posts.filing import PostTag, Tag
from circle.posts.models import Answer, Kind, Post, Question, Reaction
from circle.posts.policy import Required, hides_asker, unlocked

# Characters of a body in a list; `truncated` tells that there is more.
LIST_BODY = 500
_LIST_BODY: ColumnElement[int] = literal_column(str(LIST_BODY))

_SHOWN_ALWAYS = (
    "id",
    "circle_id",
    "kind",
    "status",
    "title",
    "excerpt",
    "created_at",
    "published_at",
    "edited_at",
    "version",
)
_UTC = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def select_page() -> Select[*tuple[Any, ...]]:
    """Select posts with what decides who may open them; narrow it, order it, limit it, hand it to `select_cards`."""
    return select(
        *Post.__table__.columns,
        Required.name.label("required_name"),
        Required.rank.label("required_rank"),
        unlocked().label("unlocked"),
    ).outerjoin(Required, Required.id == Post.access_tier_id)


def select_cards(
    chosen: Select[*tuple[Any, ...]], *, whole: bool = False, also: Sequence[str] = ()
) -> Select[*tuple[Any, ...]]:
    """Select the rows of `post_card`; run with `reading(standing)`. `whole`: bodies in full length.

    `also`: further columns of what was chosen.
    """
    page = chosen.subquery("page")
    body = page.c.body if whole else func.left(page.c.body, _LIST_BODY)

    def if_open(column: Any) -> ColumnElement[Any]:
        return case((page.c.unlocked, column), else_=null())

    return (
        select(
            *(page.c[name] for name in (*_SHOWN_ALWAYS, *also)),
            page.c.unlocked,
            page.c.anonymous,
            page.c.author_id,
            author_name().label("author_name"),
            User.avatar_media_id.label("author_avatar"),
            page.c.access_tier_id,
            page.c.required_name,
            page.c.required_rank,
            if_open(body).label("body"),
            # octet_length reads the size from the row's head, without fetching a long text.
            if_open(func.octet_length(page.c.body) > func.octet_length(body)).label("truncated"),
            if_open(page.c.attachments).label("attachments"),
            if_open(page.c.reaction_counts).label("reaction_counts"),
            if_open(page.c.comment_count).label("comment_count"),
            if_open(page.c.access_level).label("access_level"),
            if_open(page.c.digest_at).label("digest_at"),
            if_open(page.c.publish_at).label("publish_at"),
            if_open(page.c.trashed_at).label("trashed_at"),
            if_open(_tags(page)).label("tags"),
            if_open(_my_reactions(page)).label("my_reactions"),
            case((and_(page.c.unlocked, page.c.kind == constant(Kind.QUESTION)), _question(page, whole=whole))).label(
                "question"
            ),
        )
        .select_from(page)
        .join(User, User.id == page.c.author_id)
        .outerjoin(Membership, and_(Membership.circle_id == page.c.circle_id, Membership.user_id == page.c.author_id))
    )


def author_name() -> ColumnElement[Any]:
    """Select the name that a member goes by in the circle; needs the joins with `User` and `Membership`."""
    alias = case((User.deleted_at.is_(None), func.nullif(Membership.alias, literal_column("''"))), else_=null())
    return func.coalesce(alias, User.display_name)


def _tags(page: Subquery) -> ColumnElement[Any]:
    return func.array(
        select(Tag.path)
        .join(PostTag, PostTag.tag_id == Tag.id)
        .where(PostTag.post_id == page.c.id)
        .order_by(Tag.path)
        .scalar_subquery()
    )


def _my_reactions(page: Subquery) -> ColumnElement[Any]:
    mine = Reaction.user_id == bindparam("reader_id", type_=Uuid())
    emoji = select(Reaction.emoji).where(Reaction.post_id == page.c.id, mine).order_by(Reaction.emoji)
    return func.array(emoji.correlate_except(Reaction).scalar_subquery())


def _question(page: Subquery, *, whole: bool) -> ColumnElement[Any]:
    """Select the question and its answer as one value, so that posts of other kinds cost nothing."""
    asked, answerer = aliased(User), aliased(User)
    body: Any = Answer.body if whole else func.left(Answer.body, _LIST_BODY)
    fields: dict[str, Any] = {
        "status": Question.status,
        "asked_id": Question.asked_id,
        "asked_name": asked.display_name,
        "asked_avatar": asked.avatar_media_id,
        "amount": Question.amount,
        "currency": Question.currency,
        "due_at": _instant(Question.due_at),
        "answer_id": Answer.id,
        "answer_body": body,
        "answer_truncated": func.octet_length(Answer.body) > func.octet_length(body),
        "answer_attachments": Answer.attachments,
        "answer_created_at": _instant(Answer.created_at),
        "answer_edited_at": _instant(Answer.edited_at),
        "answer_version": Answer.version,
        "answerer_id": answerer.id,
        "answerer_name": answerer.display_name,
        "answerer_avatar": answerer.avatar_media_id,
    }
    pairs = chain.from_iterable((literal_column(f"'{name}'"), column) for name, column in fields.items())
    return (
        select(func.jsonb_build_object(*pairs, type_=JSONB))
        .select_from(Question)
        .join(asked, asked.id == Question.asked_id)
        .outerjoin(Answer, Answer.post_id == Question.post_id)
        .outerjoin(answerer, answerer.id == Answer.author_id)
        .where(Question.post_id == page.c.id)
        .scalar_subquery()
    )


def _instant(column: Any) -> ColumnElement[str]:
    return func.to_char(func.timezone("UTC", column), _UTC)


def post_card(row: Row, standing: Standing) -> Json:
    """Return a post in the shape of `PostOut`, from a row of `select_cards`."""
    return card_of(row, nameless=hides_asker(standing, row["author_id"], anonymous=row["anonymous"]))


def card_of(row: Row, *, nameless: bool) -> Json:
    """Return the same where it is known whether the author may be named."""
    card = {name: row[name] for name in _SHOWN_ALWAYS}
    card["author"] = None if nameless else user_card(row["author_id"], row["author_name"], row["author_avatar"])
    card["locked"] = not row["unlocked"]
    card["required_tier"] = _required_tier(row)
    card |= _opened(row) if row["unlocked"] else _CLOSED
    return card


def fresh_card(post: Post, author: Caller, *, alias: str | None) -> Json:
    """Return the card of a post just written, without tags, tier or question, as its author sees it."""
    row = {name: getattr(post, name) for name in _FRESH}
    row |= {"author_id": author.user_id, "author_name": alias or author.display_name}
    return card_of({**row, "author_avatar": author.avatar_media_id, **_UNTOUCHED}, nameless=False)


_FRESH = (*_SHOWN_ALWAYS, "access_tier_id", "body", "attachments", "access_level", "publish_at")
_UNTOUCHED: Json = {
    "unlocked": True,
    "truncated": False,
    "tags": [],
    "reaction_counts": {},
    "my_reactions": [],
    "comment_count": 0,
    "digest_at": None,
    "question": None,
    "trashed_at": None,
}

# What a locked card says in place of the rest.
_CLOSED: Json = {
    "body": None,
    "truncated": False,
    "attachments": [],
    "tags": [],
    "reaction_counts": {},
    "my_reactions": [],
    "comment_count": None,
    "access": None,
    "digest": None,
    "question": None,
    "publish_at": None,
    "trashed_at": None,
}


def _opened(row: Row) -> Json:
    return {
        "body": row["body"],
        "truncated": row["truncated"],
        "attachments": row["attachments"],
        "tags": row["tags"],
        "reaction_counts": row["reaction_counts"],
        "my_reactions": row["my_reactions"],
        "comment_count": row["comment_count"],
        "access": {"level": row["access_level"], "tier_id": row["access_tier_id"], "excerpt": row["excerpt"]},
        "digest": row["digest_at"] is not None,
        "question": question_card(row["question"]) if row["question"] else None,
        "publish_at": row["publish_at"],
        "trashed_at": row["trashed_at"],
    }


def _required_tier(row: Row) -> Json | None:
    if row["access_tier_id"] is None:
        return None
    return {"id": row["access_tier_id"], "name": row["required_name"], "rank": row["required_rank"]}


def question_card(question: Row) -> Json:
    """Return the asking side of a question, with the answer where there is one."""
    amount = question["amount"]
    return {
        "status": question["status"],
        "asked": user_card(question["asked_id"], question["asked_name"], question["asked_avatar"]),
        "amount": None if amount is None else {"amount": amount, "currency": question["currency"]},
        "due_at": question["due_at"],
        "checkout": None,
        "answer": answer_card(question) if question["answer_id"] else None,
    }


def answer_card(question: Row) -> Json:
    return {
        "id": question["answer_id"],
        "author": user_card(question["answerer_id"], question["answerer_name"], question["answerer_avatar"]),
        "body": question["answer_body"],
        "truncated": question["answer_truncated"],
        "attachments": question["answer_attachments"],
        "created_at": question["answer_created_at"],
        "edited_at": question["answer_edited_at"],
        "version": question["answer_version"],
    }
