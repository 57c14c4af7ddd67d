"""Shapes of entries, of what is said about them, and of certificates."""

from decimal import Decimal
from typing import Any

import marshmallow as ma

from circle.checkins.figures import DayKind
from circle.checkins.schemas import CampFiguresOut
from circle.media.schemas import MediaOut
from circle.web.fields import (
    Bool,
    Choice,
    Day,
    Flag,
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

_BODY = {"example": "清晨五点半，窗外有鸟。"}
_MOST_NUMBER = 10**9
# The settings decide; this only bounds the request.
_MOST_ATTACHMENTS = 200
_DECIMALS = 3


class Quantity(ma.fields.Float):
    """A number of something, kept to three decimals; text and true are refused."""

    def __init__(self, **kwargs: Any) -> None:
        limits = ma.validate.Range(min=0, max=_MOST_NUMBER)
        super().__init__(allow_nan=False, validate=limits, **kwargs)

    def _validated(self, value: Any) -> Any:
        if type(value) not in {int, float}:
            raise self.make_error("invalid", input=value)
        read = super()._validated(value)
        # What is out of range is left to the validator: it may have more digits than a decimal can be rounded to.
        return round(Decimal(str(read)), _DECIMALS) if 0 <= read <= _MOST_NUMBER else read


class CheckInIn(Schema):
    """`day` in the past uses a make-up card; `made_at` says when it was written, if that was offline."""

    body = Str(most=100_000, least=0, lines=True, load_default="", metadata=_BODY)
    attachments = List(
        Id(),
        validate=ma.validate.Length(max=_MOST_ATTACHMENTS),
        load_default=None,
        allow_none=True,
        metadata={"description": "Media of purpose check_in."},
    )
    day = Day(load_default=None, allow_none=True)
    made_at = Instant(load_default=None, allow_none=True)
    number = Quantity(load_default=None, allow_none=True)
    on_feed = Bool(load_default=None, allow_none=True, metadata={"description": "As the camp has it by default."})


class CheckInNoteOut(Schema):
    body = OutStr(required=True, metadata={"example": "细节写得好。"})
    by = Nested(UserOut, required=True)
    at = Instant(required=True)


class CheckInOut(Schema):
    """What a member wrote for a camp day. `late`: written on its day, uploaded afterwards."""

    id = Id(required=True)
    camp_id = Id(required=True)
    user = Nested(UserOut, required=True)
    day = Day(required=True)
    kind = Choice((DayKind.DONE, DayKind.MADE_UP), required=True)
    late = OutBool(required=True)
    body = OutStr(required=True, metadata=_BODY)
    number = ma.fields.Float(required=True, allow_none=True, metadata={"example": None})
    attachments = List(Nested(MediaOut), required=True)
    level = OutInt(required=True, allow_none=True, metadata={"example": None})
    on_feed = OutBool(required=True)
    made_at = Instant(required=True)
    created_at = Instant(required=True)
    edited_at = Instant(required=True, allow_none=True)
    version = Int(required=True)
    like_count = OutInt(required=True)
    comment_count = OutInt(required=True)
    liked = OutBool(required=True)
    pinned = OutBool(required=True)
    note = Nested(CheckInNoteOut, required=True, allow_none=True)


class CheckedInOut(CheckInOut):
    figures = Nested(CampFiguresOut, required=True)


class CheckInsArgs(PageArgs):
    user_id = Id(load_default=None)
    day = Day(load_default=None)
    pinned = Flag(load_default=False, metadata={"description": "Only pinned entries."})


class CheckInVersionOut(Schema):
    version = OutInt(required=True)
    body = OutStr(required=True, metadata=_BODY)
    number = ma.fields.Float(required=True, allow_none=True, metadata={"example": None})
    written_at = Instant(required=True)


class CheckInCommentIn(Schema):
    body = Str(most=10_000, lines=True, required=True, metadata={"example": "写得真好！"})


class CheckInCommentOut(Schema):
    id = Id(required=True)
    author = Nested(UserOut, required=True)
    body = OutStr(required=True, metadata={"example": "写得真好！"})
    created_at = Instant(required=True)


class CheckInNoteIn(Schema):
    body = Str(most=5_000, lines=True, required=True, metadata={"example": "细节写得好。"})


class CertificateRevokeIn(Schema):
    reason = Str(most=500, least=0, load_default="", metadata={"example": "代打卡"})


class CertificateOut(Schema):
    """Public: nothing but what stands on the certificate. The files are null until they are printed."""

    code = OutStr(required=True, metadata={"example": "7KQ2MXW9RTA4CD"})
    valid = OutBool(required=True)
    holder = OutStr(required=True, metadata={"example": "林晓"})
    camp = OutStr(required=True, metadata={"example": "21 天晨间写作营"})
    circle = OutStr(required=True, metadata={"example": "写作圈"})
    days = OutInt(required=True, metadata={"example": 21})
    starts_on = Day(required=True)
    ends_on = Day(required=True)
    issued_on = Day(required=True)
    revoked_at = Instant(required=True, allow_none=True)
    revoked_for = OutStr(required=True, allow_none=True, metadata={"example": None})
    url = OutStr(required=True, metadata={"example": "https://circle.example.org/certificates/7KQ2MXW9RTA4CD"})
    pdf_url = OutStr(required=True, allow_none=True, metadata={"example": "/v1/certificates/7KQ2MXW9RTA4CD/pdf"})
    png_url = OutStr(required=True, allow_none=True, metadata={"example": "/v1/certificates/7KQ2MXW9RTA4CD/png"})
