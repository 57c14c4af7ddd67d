"""Shapes of what is said below posts, in requests and answers."""

from marshmallow import validate

from circle.media.schemas import MediaOut
from circle.posts.models import CommentStatus, QuestionStatus
from circle.posts.services.reports import OUTCOMES, REASONS
from circle.web.fields import (
    EXAMPLE_ID,
    Choice,
    Dict,
    Id,
    Instant,
    Int,
    List,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
    UserOut,
)
from circle.web.pagination import PageArgs

# Mention mark-up is longer than what counts (`@name`), and the setting decides: these only bound the request.
_MOST_COMMENT, _MOST_ANSWER = 10_000, 100_000
_BODY = {
    "description": "`@[name](user:<id>)` mentions a member; it counts as `@name`.",
    "example": f"同意 @[林晓](user:{EXAMPLE_ID})",
}
_WORDS = {"example": "同意"}
_NO_ID = {"example": None}
# The settings decide; this only bounds the request.
_FEW = validate.Length(max=200)


class CommentIn(Schema):
    body = Str(most=_MOST_COMMENT, lines=True, required=True, metadata=_BODY)
    parent_id = Id(load_default=None, metadata={"description": "The comment that this replies to.", **_NO_ID})


class CommentPatch(Schema):
    body = Str(most=_MOST_COMMENT, lines=True, required=True, metadata=_BODY)


class CommentArgs(PageArgs):
    order = Choice(("oldest", "newest"), load_default="oldest")
    parent_id = Id(load_default=None, metadata={"description": "Page the replies below this comment.", **_NO_ID})


class CommentOut(Schema):
    """A comment. One that is gone but has replies keeps its place as `deleted`, without author and words."""

    id = Id(required=True)
    post_id = Id(required=True)
    parent_id = Id(required=True, allow_none=True, metadata=_NO_ID)
    author = Nested(UserOut, required=True, allow_none=True)
    by_asker = OutBool(
        required=True,
        metadata={"description": "By whoever asked the question anonymously; `author` is null.", "example": False},
    )
    body = OutStr(required=True, metadata=_WORDS)
    status = Choice((*(one for one in CommentStatus if one != CommentStatus.TRASHED), "deleted"), required=True)
    reply_count = OutInt(required=True)
    created_at = Instant(required=True)
    edited_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)


class ThreadOut(CommentOut):
    replies = List(
        Nested(CommentOut), metadata={"description": "The first few, of a comment on the first level.", "example": []}
    )


class StreamPostOut(Schema):
    id = Id(required=True)
    title = OutStr(required=True, metadata={"example": "如何开始写作"})
    kind = OutStr(required=True, metadata={"example": "talk"})


class StreamOut(CommentOut):
    post = Nested(StreamPostOut, required=True)


class StreamArgs(PageArgs):
    status = Choice([str(one) for one in CommentStatus if one != CommentStatus.TRASHED], load_default=None)
    author = Id(load_default=None, metadata=_NO_ID)


class ReactionsOut(Schema):
    reaction_counts = Dict(required=True, metadata={"description": "How many of each emoji.", "example": {"👍": 3}})
    my_reactions = List(OutStr(metadata={"example": "👍"}), required=True)


class ReadingIn(Schema):
    progress = Int(most=100, load_default=100, metadata={"description": "Percent of a long text; it never goes back."})
    position = Int(
        most=1_000_000,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Where you stopped, in characters of the body; see `GET /me/continue`.",
            "example": 840,
        },
    )


class AnswerIn(Schema):
    body = Str(most=_MOST_ANSWER, least=0, lines=True, required=True, metadata=_WORDS)
    attachments = List(
        Id(), validate=_FEW, load_default=list, metadata={"description": "Media ids, in order.", "example": []}
    )


class AnswerPatch(Schema):
    body = Str(most=_MOST_ANSWER, least=0, lines=True, metadata=_WORDS)
    attachments = List(Id(), validate=_FEW, metadata={"example": []})


class AnswerOut(Schema):
    id = Id(required=True)
    author = Nested(UserOut, required=True)
    body = OutStr(required=True, metadata=_WORDS)
    attachments = List(Nested(MediaOut), required=True, metadata={"example": []})
    created_at = Instant(required=True)
    edited_at = Instant(required=True, allow_none=True)
    version = OutInt(required=True)


class AnswerRevisionOut(Schema):
    number = OutInt(required=True)
    body = OutStr(required=True, metadata=_WORDS)
    created_at = Instant(required=True)


class ReportIn(Schema):
    reason = Choice(REASONS, required=True)
    note = Str(most=500, least=0, lines=True, load_default="", metadata={"example": "广告"})


class ReportOut(Schema):
    id = Id(required=True)
    subject_kind = Choice(("post", "comment"), required=True)
    subject_id = Id(required=True)
    reason = Choice(REASONS, required=True)
    note = OutStr(required=True, metadata={"example": "广告"})
    outcome = Choice(OUTCOMES, required=True, allow_none=True, metadata={"example": None})
    created_at = Instant(required=True)
    resolved_at = Instant(required=True, allow_none=True)


class ReportSubjectOut(Schema):
    """What a report is about: the text as it stands now, its beginning where it is long."""

    kind = Choice(("post", "comment"), required=True)
    id = Id(required=True)
    post_id = Id(required=True)
    title = OutStr(required=True, metadata={"example": "如何开始写作"})
    body = OutStr(required=True, metadata=_WORDS)
    status = OutStr(required=True, metadata={"example": "published"})
    author = Nested(UserOut, required=True, allow_none=True)


class QueuedReportOut(ReportOut):
    subject = Nested(ReportSubjectOut, required=True)
    reporter = Nested(UserOut, required=True)
    resolved_by = Nested(UserOut, required=True, allow_none=True)


class ReportArgs(PageArgs):
    status = Choice(("open", "resolved"), load_default="open")


class ResolutionIn(Schema):
    outcome = Choice(OUTCOMES, required=True)


class BlockedWordIn(Schema):
    word = Str(most=40, required=True, metadata={"example": "加微信"})
    action = Choice(("block", "review"), required=True)


class BlockedWordOut(Schema):
    id = Id(required=True)
    word = OutStr(
        required=True,
        metadata={"description": "As compared: folded to small, half-width letters.", "example": "加微信"},
    )
    action = Choice(("block", "review"), required=True)
    created_at = Instant(required=True)


class QuestionArgs(PageArgs):
    status = Choice(
        [str(one) for one in QuestionStatus],
        load_default=None,
        metadata={"description": "`unpaid` lists your own.", "example": "open"},
    )
    asked = Str(most=36, load_default=None, metadata={"description": "`me` or a user's id.", "example": "me"})
