"""Shapes of pins, bookmarks, the start of a circle, batch work and reading paths in requests and answers."""

from marshmallow import validate

from circle.archive.services.batches import MAX_BATCH
from circle.archive.services.pinning import MAX_START_HERE
from circle.archive.shelf_models import MAX_PINS
from circle.posts.models import Kind
from circle.posts.schemas import PostOut
from circle.posts.services.tagging import MAX_DEPTH, MAX_NAME, MAX_TAGS
from circle.web.fields import (
    EXAMPLE_ID,
    Bool,
    Choice,
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
)
from circle.web.pagination import PageArgs

_MOST_FOLDER = 60
_MOST_PATH = MAX_DEPTH * (MAX_NAME + 3)
_FOLDER = {"example": "写作素材"}
_NOTE = {"description": "For yourself alone.", "example": "第三段的例子可以用。"}
_NO_ID = {"example": None}
_PATH = {"example": "写作/选题"}


class PinIn(Schema):
    position = Int(
        least=1,
        most=MAX_PINS,
        metadata={"description": "From the top. A new pin comes first unless given, another stays.", "example": 1},
    )
    ends_at = Instant(load_default=None, allow_none=True, metadata={"description": "null: for good.", "example": None})


class PinOut(Schema):
    position = OutInt(required=True)
    pinned_at = Instant(required=True)
    ends_at = Instant(required=True, allow_none=True, metadata={"example": None})
    post = Nested(PostOut, required=True)


class StartHereIn(Schema):
    post_ids = List(
        Id(),
        required=True,
        validate=validate.Length(max=MAX_START_HERE),
        metadata={"description": "In order; none: the top of the archive.", "example": [EXAMPLE_ID]},
    )


class StartHereItemOut(Schema):
    read = OutBool(required=True, metadata={"description": "You have opened it."})
    post = Nested(PostOut, required=True)


class StartHereOut(Schema):
    chosen = OutBool(
        required=True,
        metadata={"description": "Laid out by the creator; else the best of the archive that you may open."},
    )
    items = List(Nested(StartHereItemOut), required=True)
    next_cursor = OutStr(required=True, allow_none=True, metadata={"example": None})


class BookmarkIn(Schema):
    folder = Str(
        most=_MOST_FOLDER,
        least=0,
        load_default="",
        metadata={"description": "Made if it is new; empty: none.", **_FOLDER},
    )
    note = Str(most=2_000, least=0, lines=True, load_default="", metadata=_NOTE)


class BookmarkArgs(PageArgs):
    folder = Str(most=_MOST_FOLDER, load_default=None, metadata=_FOLDER)
    circle_id = Id(load_default=None, metadata=_NO_ID)


class FolderRefOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True, metadata=_FOLDER)


class FolderIn(Schema):
    name = Str(most=_MOST_FOLDER, required=True, metadata=_FOLDER)


class FolderOut(FolderRefOut):
    bookmark_count = OutInt(required=True, metadata={"example": 7})


class BookmarkOut(Schema):
    post_id = Id(required=True)
    circle_id = Id(required=True)
    folder = Nested(FolderRefOut, required=True, allow_none=True)
    note = OutStr(required=True, metadata=_NOTE)
    created_at = Instant(required=True)
    post = Nested(
        PostOut,
        required=True,
        allow_none=True,
        metadata={"description": "Locked where your tier does not open it by now; null where it is gone."},
    )


class BatchFilterIn(Schema):
    """Published posts to which all of this applies; nothing: every post of the circle."""

    kind = Choice(Kind)
    author = Id()
    tag = Str(most=_MOST_PATH, metadata={"description": "With all tags below it.", **_PATH})
    column = Id()
    digest = Bool()
    since = Instant(metadata={"description": "Published then or later."})
    until = Instant(metadata={"description": "Published before."})
    untagged = Bool(metadata={"description": "Without any tag, or with one.", "example": True})


def _paths() -> "List[str]":
    return List(Str(most=_MOST_PATH, metadata=_PATH), validate=validate.Length(max=MAX_TAGS), load_default=list)


class BatchIn(Schema):
    """Which posts, and what to do with them. Give either `filter` or `post_ids`."""

    where = Nested(BatchFilterIn, data_key="filter", load_default=None, metadata={"example": {"untagged": True}})
    post_ids = List(Id(), load_default=None, validate=validate.Length(min=1, max=MAX_BATCH))
    add_tags = _paths()
    remove_tags = _paths()
    column_id = Id(load_default=None, metadata={"description": "File them at its end, in order."})
    section_id = Id(load_default=None, metadata={"description": "At the end of this section."})
    digest = Bool(load_default=None, metadata={"example": True})
    cursor = Str(most=512, load_default=None, metadata={"description": "`next_cursor` of the answer before."})


class BatchStepsOut(Schema):
    tagged = OutInt(required=True, metadata={"example": 40})
    untagged = OutInt(required=True, metadata={"example": 0})
    filed = OutInt(required=True, metadata={"example": 0})
    digest = OutInt(required=True, metadata={"example": 2})


class BatchSkippedOut(Schema):
    post_id = Id(required=True)
    code = OutStr(required=True, metadata={"example": "too_many_tags"})


class BatchOut(Schema):
    matched = OutInt(required=True, metadata={"description": "Posts of this request.", "example": 40})
    changed = OutInt(required=True, metadata={"description": "Those that are not as before.", "example": 40})
    by_step = Nested(BatchStepsOut, required=True)
    skipped = List(Nested(BatchSkippedOut), required=True)
    next_cursor = OutStr(
        required=True,
        allow_none=True,
        metadata={"description": f"There are more: a request takes {MAX_BATCH}.", "example": None},
    )
