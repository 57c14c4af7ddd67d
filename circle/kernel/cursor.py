"""Opaque keyset cursors: the sort key of the last row shown, so that a page never shifts under its reader."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from circle.kernel.errors import Malformed
from circle.kernel.text import Text

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_MAX_CURSOR = 512


class BadCursor(Malformed):
    code = "bad_cursor"
    text = Text("分页游标无效。", "The cursor is not valid.")


class Keyset:
    """The sort key of one list: names of the row's columns and how to read each back.

    `kinds` are the column types in sort order, e.g. `{"published_at": datetime, "id": UUID}`.
    """

    _READERS: Mapping[type, Any] = {datetime: datetime.fromisoformat, UUID: UUID, int: int, str: str}

    def __init__(self, name: str, kinds: Mapping[str, type]) -> None:
        self.name = name
        self.kinds = dict(kinds)

    def encode(self, row: Mapping[str, Any]) -> str:
        key = [self.name, *(row[column] for column in self.kinds)]
        return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()

    def decode(self, cursor: str) -> dict[str, Any]:
        """Return the sort key by column; BadCursor for anything this list did not hand out."""
        if len(cursor) > _MAX_CURSOR:
            raise BadCursor
        try:
            name, *values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", True))
            if name != self.name or len(values) != len(self.kinds):
                raise BadCursor
            key = {c: self._read(kind, v) for (c, kind), v in zip(self.kinds.items(), values, strict=True)}
        except (ValueError, TypeError, OverflowError, binascii.Error, orjson.JSONDecodeError) as error:
            raise BadCursor from error
        return key

    def _read(self, kind: type, value: Any) -> Any:
        if kind is int:
            if type(value) is not int or abs(value) >= 2**63:
                raise BadCursor
            return value
        if not isinstance(value, str) or "\0" in value:
            raise BadCursor
        read = self._READERS[kind](value)
        if isinstance(read, datetime) and read.tzinfo is None:
            raise BadCursor
        return read

    def page(self, rows: Sequence[Mapping[str, Any]], limit: int) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Split `limit + 1` fetched rows into the page and the cursor of the next one."""
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], self.encode(rows[limit - 1])
