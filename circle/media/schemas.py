"""Shapes of media in requests and answers."""

from circle.media.models import MediaKind, MediaStatus, Purpose
from circle.media.types import CLIENT_PURPOSES
from circle.web.fields import Choice, Dict, Id, Instant, Int, Nested, OutInt, OutStr, Schema, Str

_FILENAME = {"example": "读书笔记.jpg"}
_CONTENT_TYPE = {"example": "image/jpeg"}


class MediaIn(Schema):
    filename = Str(most=255, required=True, metadata=_FILENAME)
    content_type = Str(most=127, required=True, metadata=_CONTENT_TYPE)
    size = Int(least=1, required=True, metadata={"description": "Bytes, exactly.", "example": 204800})
    purpose = Choice(CLIENT_PURPOSES, required=True, metadata={"example": Purpose.POST})


class UploadOut(Schema):
    """Where to send a multipart POST: all `fields` first, the file last as `file`."""

    url = OutStr(required=True, metadata={"example": "https://storage.example.org/circle"})
    form = Dict(
        required=True,
        attribute="fields",
        data_key="fields",
        metadata={"example": {"key": "uploads/01890a5d-ac96-774b-bcce-b302099a8057"}},
    )
    expires_at = Instant(required=True)


class NewMediaOut(Schema):
    media_id = Id(required=True)
    upload = Nested(UploadOut, required=True)


class MediaOut(Schema):
    """An attachment. `url` redirects to a short-lived link once `status` is `ready`; also `?size=thumb|large`."""

    id = Id(required=True)
    kind = Choice(MediaKind, required=True)
    status = Choice(
        MediaStatus, required=True, metadata={"description": "`uploaded` is being processed.", "example": "ready"}
    )
    filename = OutStr(required=True, metadata=_FILENAME)
    content_type = OutStr(required=True, metadata=_CONTENT_TYPE)
    size = OutInt(required=True, metadata={"example": 204800})
    width = OutInt(required=True, allow_none=True, metadata={"example": 1600})
    height = OutInt(required=True, allow_none=True, metadata={"example": 1200})
    url = OutStr(required=True, metadata={"example": "/v1/media/01890a5d-ac96-774b-bcce-b302099a8057"})
    thumbnail_url = OutStr(
        required=True,
        allow_none=True,
        metadata={"example": "/v1/media/01890a5d-ac96-774b-bcce-b302099a8057?size=thumb"},
    )


SIZES = ("thumb", "large")


class SizeArgs(Schema):
    size = Choice(SIZES, load_default=None, metadata={"description": "A smaller version of an image."})
