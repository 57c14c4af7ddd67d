"""Shapes of exports in requests and answers."""

from circle.archive.export_models import ExportFormat, ExportScope
from circle.web.fields import Choice, Id, Instant, Nested, OutInt, OutStr, Schema

_WORDS = ("queued", "running", "ready", "failed", "expired")


class ExportIn(Schema):
    scope = Choice(
        ExportScope,
        required=True,
        metadata={
            "description": "`mine`: what you may read and what you wrote. `circle`: everything, for its owner.",
            "example": ExportScope.MINE,
        },
    )
    format = Choice(
        ExportFormat,
        required=True,
        metadata={"description": "`mine` as `markdown` or `epub`; `circle` as `archive`.", "example": "markdown"},
    )


class ExportLinkOut(Schema):
    url = OutStr(required=True, metadata={"example": "https://files.example.org/exports/…"})
    expires_at = Instant(required=True)


class ExportOut(Schema):
    id = Id(required=True)
    circle_id = Id(required=True)
    scope = Choice(ExportScope, required=True, metadata={"example": ExportScope.MINE})
    format = Choice(ExportFormat, required=True, metadata={"example": ExportFormat.MARKDOWN})
    status = Choice(_WORDS, required=True, metadata={"example": "ready"})
    done = OutInt(required=True, metadata={"description": "Texts or rows written so far.", "example": 430})
    total = OutInt(required=True, allow_none=True, metadata={"example": 430})
    size = OutInt(required=True, allow_none=True, metadata={"description": "Bytes.", "example": 1048576})
    refusal = OutStr(required=True, allow_none=True, metadata={"example": None})
    created_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)
    expires_at = Instant(required=True, allow_none=True, metadata={"description": "Until then it can be had."})


class ExportPageOut(ExportOut):
    """One export, with a link to its file while it is ready."""

    download = Nested(ExportLinkOut, required=True, allow_none=True)
