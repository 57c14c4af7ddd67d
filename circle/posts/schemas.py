"""Shapes of posts in requests and answers. What is said below them stands in `discussion_schemas.py`."""

from uuid import UUID

from marshmallow import validate

from circle.billing.schemas import CheckoutOut
from circle.media.schemas import MediaOut
from circle.posts.cards import LIST_BODY
from circle.posts.discussion_schemas import AnswerOut
from circle.posts.models import AccessLevel, Kind, PostStatus, QuestionStatus
from circle.posts.services.tagging import MAX_DEPTH, MAX_NAME, MAX_TAGS
from circle.web.fields import (
    Amount,
    Bool,
    Choice,
    Dict,
    Flag,
    Id,
    Instant,
    List,
    MoneyOut,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
    UserOut,
)
from circle.web.pagination import PageArgs

# The settings decide how long a text may be and how much it shows: these only bound the request.
_MOST_BODY = 1_000_000
_MOST_TITLE = 200
_MOST_EXCERPT = 1_000
_MOST_ATTACHMENTS = 200

_TITLE = {"example": "如何开始写作"}
_BODY = {
    "description": "Markdown in articles. `@[name](user:<id>)` mentions a member; it counts as `@name`. "
    "May be empty where something is attached.",
    "example": "先写一百字。",
}
_EXCERPT = {"description": "What everybody may read while the post is locked for them.", "example": ""}
_TAG = {"description": "Nested names, joined by a slash.", "example": "写作/选题"}
_NO_ID = {"example": None}


class AccessIn(Schema):
    """Whom a post is for. Other than all members it is set by those who file the archive."""

    level = Choice(AccessLevel, metadata={"example": AccessLevel.MEMBERS})
    tier_id = Id(allow_none=True, metadata={"description": "The least tier, where the level is `tier`.", **_NO_ID})
    excerpt = Str(most=_MOST_EXCERPT, least=0, lines=True, metadata=_EXCERPT)


def _tags() -> "List[str]":
    return List(
        Str(most=MAX_DEPTH * (MAX_NAME + 3), metadata=_TAG), validate=validate.Length(max=MAX_TAGS), metadata={}
    )


def _attachments() -> "List[UUID]":
    return List(
        Id(),
        validate=validate.Length(max=_MOST_ATTACHMENTS),
        metadata={"description": "Ids of completed uploads with purpose `post`, in order.", "example": []},
    )


class PostIn(Schema):
    kind = Choice(Kind, required=True, metadata={"example": Kind.TALK})
    title = Str(most=_MOST_TITLE, least=0, metadata=_TITLE)
    body = Str(most=_MOST_BODY, least=0, lines=True, required=True, metadata=_BODY)
    attachments = _attachments()
    access = Nested(AccessIn)
    tags = _tags()
    publish_at = Instant(allow_none=True, metadata={"description": "Publish later.", "example": None})
    draft = Bool(metadata={"description": "Keep among one's drafts.", "example": False})
    asked_id = Id(
        allow_none=True, metadata={"description": "Of a question: who is asked; the owner unless given.", **_NO_ID}
    )
    anonymous = Bool(metadata={"description": "Of a question: without one's name.", "example": False})
    amount = Amount(allow_none=True, metadata={"description": "Of a paid question: minor units.", "example": None})


class PostPatch(Schema):
    """What is not sent stays. `draft: false` publishes a draft or scheduled post now, `true` keeps it back."""

    title = Str(most=_MOST_TITLE, least=0, metadata=_TITLE)
    body = Str(most=_MOST_BODY, least=0, lines=True, metadata=_BODY)
    attachments = _attachments()
    access = Nested(AccessIn)
    tags = _tags()
    publish_at = Instant()
    draft = Bool(metadata={"example": False})


class FeedArgs(PageArgs):
    status = Choice(
        PostStatus,
        load_default=str(PostStatus.PUBLISHED),
        metadata={
            "description": "Other than `published`: your own; `review`, `hidden` and `trashed` of everybody for "
            "moderators."
        },
    )
    kind = Choice(Kind, load_default=None)
    author = Id(load_default=None, metadata=_NO_ID)
    tag = Str(most=MAX_DEPTH * (MAX_NAME + 3), load_default=None, metadata={"description": "With all tags below it."})
    column = Id(load_default=None, metadata=_NO_ID)
    digest = Flag(load_default=None)
    since = Instant(load_default=None, metadata={"description": "Published then or later."})


class TierRefOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True, metadata={"example": "学员"})
    rank = OutInt(required=True)


class AccessOut(Schema):
    level = Choice(AccessLevel, required=True, metadata={"example": AccessLevel.MEMBERS})
    tier_id = Id(required=True, allow_none=True, metadata=_NO_ID)
    excerpt = OutStr(required=True, metadata=_EXCERPT)


class PostAnswerOut(AnswerOut):
    truncated = OutBool(required=True, metadata={"example": False})


class QuestionPartOut(Schema):
    """The asking side of a question."""

    status = Choice(QuestionStatus, required=True, metadata={"example": QuestionStatus.OPEN})
    asked = Nested(UserOut, required=True)
    amount = Nested(MoneyOut, required=True, allow_none=True)
    due_at = Instant(
        required=True, allow_none=True, metadata={"description": "A paid question is refunded if not answered by then."}
    )
    checkout = Nested(
        CheckoutOut,
        required=True,
        allow_none=True,
        metadata={"description": "On the page of your own unpaid question; null once it has expired.", "example": None},
    )
    answer = Nested(PostAnswerOut, required=True, allow_none=True)


class PostOut(Schema):
    """A post. Locked, it shows title, kind, author, times, excerpt and the tier that opens it, and nothing else."""

    id = Id(required=True)
    circle_id = Id(required=True)
    kind = Choice(Kind, required=True, metadata={"example": Kind.TALK})
    status = Choice(PostStatus, required=True, metadata={"example": PostStatus.PUBLISHED})
    title = OutStr(required=True, metadata=_TITLE)
    excerpt = OutStr(required=True, metadata=_EXCERPT)
    author = Nested(UserOut, required=True, allow_none=True, metadata={"description": "null: asked anonymously."})
    locked = OutBool(required=True, metadata={"example": False})
    required_tier = Nested(TierRefOut, required=True, allow_none=True)
    created_at = Instant(required=True)
    published_at = Instant(required=True, allow_none=True)
    edited_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)
    body = OutStr(
        required=True,
        allow_none=True,
        metadata={"description": f"In lists its first {LIST_BODY} characters; null where locked.", **_TITLE},
    )
    truncated = OutBool(
        required=True, metadata={"description": "`GET /posts/{id}` has more of the body.", "example": False}
    )
    attachments = List(Nested(MediaOut), required=True, metadata={"example": []})
    tags = List(OutStr(metadata=_TAG), required=True)
    reaction_counts = Dict(required=True, metadata={"example": {"👍": 3}})
    my_reactions = List(OutStr(metadata={"example": "👍"}), required=True)
    comment_count = OutInt(required=True, allow_none=True)
    access = Nested(AccessOut, required=True, allow_none=True)
    digest = OutBool(required=True, allow_none=True, metadata={"example": False})
    question = Nested(QuestionPartOut, required=True, allow_none=True)
    publish_at = Instant(required=True, allow_none=True)
    trashed_at = Instant(required=True, allow_none=True)


class RevisionOut(Schema):
    """What a post said until `created_at`."""

    number = OutInt(required=True)
    title = OutStr(required=True, metadata=_TITLE)
    body = OutStr(required=True, metadata=_BODY)
    editor = Nested(UserOut, required=True, allow_none=True)
    created_at = Instant(required=True)


class ChangeOut(Schema):
    """A change to the circle. `item` is null where the item is gone or not to be seen any more: drop it then."""

    kind = OutStr(required=True, metadata={"example": "post"})
    id = Id(required=True)
    operation = Choice(("created", "updated", "deleted"), required=True)
    changed_at = Instant(required=True)
    item = Dict(required=True, allow_none=True, metadata={"description": "As its kind is shown in lists."})


class ChangePage(Schema):
    items = List(Nested(ChangeOut), required=True)
    next_cursor = OutStr(
        required=True, metadata={"description": "Where to go on, now or later; never null.", "example": "W10"}
    )
    has_more = OutBool(required=True)
