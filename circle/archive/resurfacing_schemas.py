"""Shapes of what the archive brings back, of reading state and of the creator's view, in answers."""

from circle.archive.reading_queries import MOST_COUNTED
from circle.archive.resurfacing_queries import YEARS_BACK
from circle.posts.schemas import PostOut
from circle.web.fields import Day, Id, Instant, List, Nested, Number, OutInt, OutStr, Schema
from circle.web.pagination import PageArgs

_CAPPED = {"description": f"Counted up to {MOST_COUNTED}, which stands for more.", "example": 12}
_MOST_RELATED = 20
_MOST_LISTED = 100


class GemOut(Schema):
    score = OutInt(required=True, metadata={"description": "Its value, see docs/archive.md.", "example": 112})
    post = Nested(PostOut, required=True)


class OnThisDayOut(Schema):
    years_ago = OutInt(required=True, metadata={"description": f"1 to {YEARS_BACK}.", "example": 2})
    post = Nested(PostOut, required=True)


class RelatedArgs(Schema):
    limit = Number(least=1, most=_MOST_RELATED, load_default=6, metadata={"example": 6})


class UnreadColumnOut(Schema):
    column_id = Id(required=True)
    unread = OutInt(required=True, metadata=_CAPPED)


class UnreadTagOut(Schema):
    tag_id = Id(required=True)
    unread = OutInt(
        required=True, metadata={**_CAPPED, "description": f"With all tags below it. {_CAPPED['description']}"}
    )


class UnreadOut(Schema):
    """What came since you joined or marked all as read, and you may open and have not. Who has none is left out."""

    unread = OutInt(required=True, metadata=_CAPPED)
    columns = List(Nested(UnreadColumnOut), required=True)
    tags = List(Nested(UnreadTagOut), required=True)


class CaughtUpIn(Schema):
    until = Instant(
        load_default=None,
        allow_none=True,
        metadata={"description": "Everything published until then; now unless given.", "example": None},
    )


class PathProgressOut(Schema):
    item_count = OutInt(required=True, metadata={"example": 12})
    open_count = OutInt(required=True, metadata={"description": "Those that you may open.", "example": 10})
    done_count = OutInt(required=True, metadata={"description": "Those that you have read to the end.", "example": 4})
    next = Nested(PostOut, required=True, allow_none=True, metadata={"description": "null: you are through."})


class ContinueArgs(PageArgs):
    circle_id = Id(load_default=None, metadata={"example": None})


class ContinueOut(Schema):
    progress = OutInt(required=True, metadata={"description": "Percent.", "example": 40})
    position = OutInt(
        required=True, allow_none=True, metadata={"description": "In characters of the body.", "example": 840}
    )
    last_read_at = Instant(required=True)
    post = Nested(PostOut, required=True)


class ReportArgs(Schema):
    limit = Number(
        least=1, most=_MOST_LISTED, load_default=20, metadata={"description": "Of each list.", "example": 20}
    )


class ReadFiguresOut(Schema):
    """People, each once and without the author."""

    readers = OutInt(required=True, metadata={"example": 120})
    finishers = OutInt(required=True, metadata={"description": "Who read it to the end.", "example": 90})
    likers = OutInt(required=True, metadata={"example": 31})
    keepers = OutInt(required=True, metadata={"description": "Who bookmarked it.", "example": 18})
    repliers = OutInt(required=True, metadata={"example": 9})
    score = OutInt(required=True, metadata={"example": 149})
    post = Nested(PostOut, required=True)


class SearchMissOut(Schema):
    query = OutStr(required=True, metadata={"example": "改稿清单"})
    times = OutInt(required=True, metadata={"example": 7})
    last_on = Day(required=True)


class SpaceOut(Schema):
    bytes = OutInt(required=True, metadata={"example": 3_221_225_472})
    most = OutInt(required=True, metadata={"description": "What it may take.", "example": 107_374_182_400})


class ArchiveReportOut(Schema):
    """Figures as of the last count, some minutes ago at most."""

    post_count = OutInt(required=True, metadata={"example": 430})
    opened_count = OutInt(required=True, metadata={"description": "Opened by others than the author.", "example": 380})
    digest_count = OutInt(required=True, metadata={"example": 25})
    most_read = List(Nested(ReadFiguresOut), required=True)
    never_opened = List(Nested(PostOut), required=True, metadata={"description": "The oldest first."})
    storage = Nested(SpaceOut, required=True, metadata={"description": "Of all attachments in the circle."})
    searched_in_vain = List(Nested(SearchMissOut), required=True, metadata={"description": "Of the last 90 days."})
