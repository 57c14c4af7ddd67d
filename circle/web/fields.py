"""marshmallow fields of the API: strict, bounded, free of characters that a database or a reader chokes on."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import marshmallow as ma
from marshmallow import validate

from circle.kernel.money import CURRENCIES, MAX_AMOUNT
from circle.kernel.text import is_blank

# Bidirectional overrides and isolates: they make a name read as another.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAK = re.compile("[\r\n\t\u2028\u2029]")

EXAMPLE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
EXAMPLE_INSTANT = "2026-03-01T08:30:00Z"


class Schema(ma.Schema):
    """Unknown fields are refused: a client's mistake is heard at once."""

    class Meta:
        unknown = ma.RAISE


class Str(ma.fields.String):
    """Text of `least` to `most` characters after trimming; one line unless `lines`; never blank unless least=0."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's own way
        "characters": "Contains characters that are not allowed.",
        "blank": "Must not be blank.",
    }

    def __init__(self, *, most: int, least: int = 1, lines: bool = False, **kwargs: Any) -> None:
        self.least, self.most, self.lines = least, most, lines
        super().__init__(validate=validate.Length(min=least or None, max=most), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if _CONTROL.search(text) or _SURROGATE.search(text):
            raise self.make_error("characters")
        if not self.lines:
            text = unicodedata.normalize("NFC", text).strip()
            if _BIDI.search(text) or _LINE_BREAK.search(text):
                raise self.make_error("characters")
        if self.least and is_blank(text):
            raise self.make_error("blank")
        return text


class Int(ma.fields.Integer):
    """A whole number between `least` and `most`: 1.9, "2" and true are refused."""

    def __init__(self, *, least: int = 0, most: int = 2**31 - 1, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=least, max=most), **kwargs)

    def _validated(self, value: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class Number(Int):
    """A whole number from a query string, where everything is text."""

    def _validated(self, value: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
            raise self.make_error("invalid", input=value)
        return int(value)


class Bool(ma.fields.Boolean):
    """true or false; `"yes"` and 1 are refused in a body."""

    truthy = {True}  # noqa: RUF012
    falsy = {False}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class Flag(ma.fields.Boolean):
    """true or false in a query string."""

    truthy = {"true", "1"}  # noqa: RUF012
    falsy = {"false", "0"}  # noqa: RUF012


class Id(ma.fields.UUID):
    """A UUID as text."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)

    def _validated(self, value: Any) -> UUID:
        if not isinstance(value, str) or len(value) != len(EXAMPLE_ID):
            raise self.make_error("invalid_uuid")
        parsed: UUID = super()._validated(value)
        return parsed


class Instant(ma.fields.AwareDateTime):
    """An instant, RFC 3339; answered in UTC with `Z`."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        moment: datetime = value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str) or "T" not in value:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        try:
            instant: datetime = super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None
        return instant


class Day(ma.fields.Date):
    """A calendar day, YYYY-MM-DD."""


class Choice(ma.fields.String):
    """One of a few words; `of` is a StrEnum class or a sequence of words."""

    def __init__(self, of: Any, **kwargs: Any) -> None:
        super().__init__(validate=validate.OneOf([str(word) for word in of]), **kwargs)


class Amount(Int):
    """Money in whole minor units, from `least` up to the largest that is ever asked."""

    def __init__(self, *, least: int = 0, **kwargs: Any) -> None:
        super().__init__(least=least, most=MAX_AMOUNT, **kwargs)


class Currency(Choice):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CURRENCIES, **kwargs)


class MoneyOut(Schema):
    """Money in an answer."""

    amount = ma.fields.Integer(required=True, metadata={"example": 19900})
    currency = ma.fields.String(required=True, metadata={"example": "CNY"})


class UserOut(Schema):
    """A user as shown inside any object."""

    id = Id(required=True)
    display_name = ma.fields.String(required=True, metadata={"example": "林晓"})
    avatar_url = ma.fields.String(required=True, allow_none=True, metadata={"example": None})


Nested = ma.fields.Nested
List = ma.fields.List
Dict = ma.fields.Dict
OutStr = ma.fields.String
OutInt = ma.fields.Integer
OutNumber = ma.fields.Float
OutBool = ma.fields.Boolean
