"""Lists: `{"items": [...], "next_cursor": ...}` behind a keyset cursor."""

from functools import cache
from typing import Any

from circle.kernel.cursor import DEFAULT_LIMIT, MAX_LIMIT
from circle.web.fields import List, Nested, Number, OutStr, Schema, Str


class PageArgs(Schema):
    """The query of every list; lists with filters inherit from it."""

    cursor = Str(most=512, load_default=None, metadata={"description": "`next_cursor` of the page before."})
    limit = Number(least=1, most=MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"example": 20})


@cache
def page_of(item: type[Schema]) -> type[Schema]:
    """Return the schema of a page of `item`."""
    fields: dict[str, Any] = {
        "items": List(Nested(item), required=True),
        "next_cursor": OutStr(required=True, allow_none=True, metadata={"example": None}),
    }
    name = item.__name__.removesuffix("Out") + "Page"
    return type(name, (Schema,), fields)


@cache
def whole(item: type[Schema]) -> type[Schema]:
    """Return the schema of a list that always fits one page."""
    name = item.__name__.removesuffix("Out") + "List"
    items: dict[str, Any] = {
        "items": List(Nested(item), required=True),
        "next_cursor": OutStr(dump_default=None, allow_none=True, metadata={"example": None}),
    }
    return type(name, (Schema,), items)
