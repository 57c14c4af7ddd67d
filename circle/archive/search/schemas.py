"""Shapes of search."""

from circle.archive.search.asking import MAX_LENGTH
from circle.archive.search.models import Found
from circle.posts.models import Kind
from circle.posts.schemas import PostOut
from circle.posts.services.tagging import MAX_DEPTH, MAX_NAME
from circle.web.fields import Choice, Flag, Id, Instant, List, Nested, OutBool, OutNumber, OutStr, Schema, Str, UserOut
from circle.web.pagination import PageArgs

_NO_ID = {"example": None}
_QUERY = {
    "description": 'All words have to stand in it, anywhere; what stands in quotes as it is: `"每天 一百字"`. '
    "Traditional and simplified, full and half width, upper and lower case are the same. There are no operators.",
    "example": "写作",
}


class SearchArgs(PageArgs):
    q = Str(most=MAX_LENGTH, required=True, metadata=_QUERY)
    circle_id = Id(load_default=None, metadata={"description": "One circle; all of yours unless given.", **_NO_ID})
    sort = Choice(("relevance", "newest"), load_default="relevance")
    place = Choice(Found, load_default=None, metadata={"description": "What the words stand in."})
    kind = Choice(Kind, load_default=None, metadata={"description": "Kind of the post."})
    author = Id(load_default=None, metadata={"description": "Who wrote what is found.", **_NO_ID})
    tag = Str(most=MAX_DEPTH * (MAX_NAME + 3), load_default=None, metadata={"description": "With all tags below it."})
    column = Id(load_default=None, metadata=_NO_ID)
    digest = Flag(load_default=None)
    has_attachment = Flag(load_default=None)
    since = Instant(load_default=None, metadata={"description": "Written then or later."})
    until = Instant(load_default=None, metadata={"description": "Written before."})
    unread = Flag(load_default=None, metadata={"description": "Others' posts that you have not opened."})
    bookmarked = Flag(load_default=None)


class SegmentOut(Schema):
    """A piece of plain text; `hit`: it is what was looked for."""

    text = OutStr(required=True, metadata={"example": "写作"})
    hit = OutBool(required=True)


class AssignmentRefOut(Schema):
    id = Id(required=True)
    title = OutStr(required=True, metadata={"example": "第一周作业"})


class HitOut(Schema):
    """Where the words stand: `kind` and `id` name it, `post` is what it belongs to. Homework has no post."""

    kind = Choice(Found, required=True, metadata={"example": Found.POST})
    id = Id(required=True)
    circle_id = Id(required=True)
    post = Nested(PostOut, required=True, allow_none=True)
    assignment = Nested(AssignmentRefOut, required=True, allow_none=True, metadata={"example": None})
    author = Nested(UserOut, required=True, allow_none=True, metadata={"description": "null: asked anonymously."})
    shown_at = Instant(required=True)
    title = List(Nested(SegmentOut), required=True, metadata={"description": "Of a post, file or assignment."})
    snippet = List(Nested(SegmentOut), required=True, metadata={"description": "The words in their surroundings."})
    score = OutNumber(required=True, metadata={"example": 2.31, "description": "0 where the newest come first."})
