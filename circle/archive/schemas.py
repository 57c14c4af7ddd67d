"""Shapes of the archive in requests and answers."""

from typing import Any

from marshmallow import validate

from circle.archive.models import ImportFormat, ImportStatus
from circle.archive.services.arranging import MAX_ITEMS, MAX_SECTIONS
from circle.posts.models import AccessLevel, Kind
from circle.posts.schemas import PostOut, TierRefOut
from circle.posts.services.tagging import MAX_DEPTH, MAX_NAME
from circle.web.fields import (
    EXAMPLE_ID,
    Bool,
    Choice,
    Dict,
    Id,
    Instant,
    Int,
    List,
    Nested,
    Number,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
)
from circle.web.pagination import PageArgs

_MOST_TAGS_A_PAGE = 500
_NAME = {"example": "选题"}
_PATH = {"example": "写作/选题"}
_NO_ID = {"example": None}
_COLUMN = {"example": "写作入门"}
_INTRO = {"description": "Shown to everybody, Markdown.", "example": "从一百字开始。"}


class TagArgs(PageArgs):
    limit = Number(least=1, most=_MOST_TAGS_A_PAGE, load_default=100, metadata={"example": 100})


class TagPathIn(Schema):
    """The tag in an address, checked as it would be in a body."""

    path = Str(most=MAX_DEPTH * (MAX_NAME + 3), required=True, metadata=_PATH)


class TagPatch(Schema):
    name = Str(most=MAX_NAME, metadata=_NAME)
    parent_id = Id(allow_none=True, metadata={"description": "null: to the top.", **_NO_ID})
    merge_into = Id(metadata={"description": "The tag that takes the posts over; goes alone."})


class TagOut(Schema):
    id = Id(required=True)
    parent_id = Id(required=True, allow_none=True, metadata=_NO_ID)
    name = OutStr(required=True, metadata=_NAME)
    path = OutStr(required=True, metadata=_PATH)
    depth = OutInt(required=True, metadata={"description": "1 at the top.", "example": 2})
    version = OutInt(required=True)


class CountedTagOut(TagOut):
    post_count = OutInt(
        required=True, metadata={"description": "Published posts in it and below it, each once.", "example": 12}
    )


class ColumnAccessIn(Schema):
    """Who may look into a column. What stands in it keeps its own gate besides."""

    level = Choice(AccessLevel, required=True, metadata={"example": AccessLevel.MEMBERS})
    tier_id = Id(allow_none=True, metadata={"description": "The least tier, where the level is `tier`.", **_NO_ID})


class ColumnPatch(Schema):
    name = Str(most=60, metadata=_COLUMN)
    intro = Str(most=5_000, least=0, lines=True, metadata=_INTRO)
    cover_media_id = Id(allow_none=True, metadata={"description": "A completed upload, purpose `cover`.", **_NO_ID})
    access = Nested(ColumnAccessIn)
    is_path = Bool(metadata={"description": "A reading path: to be read in order.", "example": False})
    position = Int(most=1_000_000, metadata={"description": "Among the circle's columns.", "example": 0})


class ColumnIn(ColumnPatch):
    name = Str(most=60, required=True, metadata=_COLUMN)


class ColumnAccessOut(Schema):
    level = Choice(AccessLevel, required=True, metadata={"example": AccessLevel.MEMBERS})
    tier_id = Id(required=True, allow_none=True, metadata=_NO_ID)


class ColumnOut(Schema):
    id = Id(required=True)
    circle_id = Id(required=True)
    name = OutStr(required=True, metadata=_COLUMN)
    intro = OutStr(required=True, metadata=_INTRO)
    cover_url = OutStr(required=True, allow_none=True, metadata={"example": None})
    locked = OutBool(required=True, metadata={"example": False})
    required_tier = Nested(TierRefOut, required=True, allow_none=True)
    access = Nested(ColumnAccessOut, required=True)
    is_path = OutBool(required=True, metadata={"example": False})
    position = OutInt(required=True)
    item_count = OutInt(required=True, metadata={"example": 24})
    created_at = Instant(required=True)
    version = OutInt(required=True)


class SectionOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True, metadata={"example": "第一周"})
    item_count = OutInt(required=True, metadata={"example": 7})


class ColumnItemOut(Schema):
    section_id = Id(required=True, allow_none=True, metadata={"description": "null: before all sections."})
    post = Nested(PostOut, required=True)


class ColumnPageOut(ColumnOut):
    """A column with its sections and the first of its posts; locked, without either."""

    sections = List(Nested(SectionOut), required=True)
    items = List(Nested(ColumnItemOut), required=True)
    next_cursor = OutStr(
        required=True,
        allow_none=True,
        metadata={"description": "For `GET /columns/{id}/items`, which goes on.", "example": None},
    )


def _post_ids() -> Any:
    return List(Id(), load_default=list, validate=validate.Length(max=MAX_ITEMS), metadata={"example": [EXAMPLE_ID]})


class SectionIn(Schema):
    id = Id(metadata={"description": "Of a section that is there; without it, a new one."})
    name = Str(most=80, required=True, metadata={"example": "第一周"})
    post_ids = _post_ids()


class ColumnItemsIn(Schema):
    """The whole order of a column: what is not named goes out."""

    post_ids = _post_ids()
    sections = List(
        Nested(SectionIn), load_default=list, validate=validate.Length(max=MAX_SECTIONS), metadata={"example": []}
    )


class ImportIn(Schema):
    media_id = Id(required=True, metadata={"description": "A completed upload of a ZIP, purpose `import`."})
    format = Choice(ImportFormat, required=True, metadata={"example": ImportFormat.MARKDOWN})
    kind = Choice((Kind.ARTICLE, Kind.TALK), metadata={"example": Kind.ARTICLE})
    access = Nested(ColumnAccessIn)
    author_id = Id(metadata={"description": "Whose posts they become; yours unless given."})
    source = Str(
        most=60,
        least=0,
        metadata={"description": "Keeps archives apart that have files of the same paths.", "example": ""},
    )
    site = Str(
        most=200,
        least=0,
        metadata={
            "description": "Where the articles stood before: full links to it become links between posts.",
            "example": "https://blog.example.org",
        },
    )
    dry_run = Bool(
        metadata={
            "description": "Only tell in counts and report what would happen. The upload stays for a day.",
            "example": False,
        }
    )


class ImportNoteOut(Schema):
    path = OutStr(required=True, metadata={"example": "写作/选题.md"})
    line = OutInt(required=True, allow_none=True, metadata={"example": 3})
    code = OutStr(required=True, metadata={"example": "front_matter"})
    message = OutStr(required=True, metadata={"example": "文件头不是有效的 YAML。"})
    data = Dict(required=True, metadata={"example": {"problem": "mapping values are not allowed here"}})


class ImportOut(Schema):
    id = Id(required=True)
    circle_id = Id(required=True)
    format = Choice(ImportFormat, required=True, metadata={"example": ImportFormat.MARKDOWN})
    status = Choice(ImportStatus, required=True, metadata={"example": ImportStatus.RUNNING})
    dry_run = OutBool(required=True, metadata={"example": False})
    total = OutInt(required=True, allow_none=True, metadata={"example": 430})
    counts = Dict(
        required=True,
        metadata={
            "description": "Files so far: `created`, `unchanged`, `updated`, `skipped`, `failed`;"
            " after an undo also `removed` and `kept`.",
            "example": {"created": 50, "failed": 1},
        },
    )
    report = List(
        Nested(ImportNoteOut), required=True, metadata={"description": "The first thousand things worth a look."}
    )
    refusal = OutStr(required=True, allow_none=True, metadata={"example": None})
    created_at = Instant(required=True)
    started_at = Instant(required=True, allow_none=True)
    finished_at = Instant(required=True, allow_none=True)
