"""Reading exports: one's own only."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from circle.archive.export_models import Export, ExportStatus
from circle.archive.policy import require_export, require_exporter
from circle.kernel.caller import Caller
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json
from circle.kernel.text import Language
from circle.kernel.uow import UnitOfWork
from circle.media.queries import find_media
from circle.media.services.links import link_to
from circle.media.services.uploads import LINK_LIFE

_LIST = Keyset("exports", {"id": UUID})
_LAST_ID = UUID(int=2**128 - 1)
_PLAIN = (
    "id",
    "circle_id",
    "scope",
    "format",
    "done",
    "total",
    "size",
    "created_at",
    "finished_at",
    "expires_at",
)


def exports(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, language: Language, *, cursor: str | None, limit: int
) -> Json:
    """Return a page of one's own exports from a circle, the latest first; also of somebody who has left it.

    Errors: BadCursor.
    """
    before = _LIST.decode(cursor)["id"] if cursor else _LAST_ID
    own = (
        select(Export)
        .where(Export.requested_by == caller.user_id, Export.circle_id == circle_id, Export.id < before)
        .order_by(Export.id.desc())
        .limit(limit + 1)
    )
    rows = [export_card(uow, one, language) for one in uow.session.scalars(own)]
    page, next_cursor = _LIST.page(rows, limit)
    return {"items": page, "next_cursor": next_cursor}


def find_export(uow: UnitOfWork, caller: Caller, export_id: UUID, language: Language) -> Json:
    """Return one's own export; a link to the file for who may still have it. Errors: NotFound, Banned and the like."""
    return export_page(uow, caller, require_export(uow, caller, export_id), language)


def export_page(uow: UnitOfWork, caller: Caller, found: Export, language: Language) -> Json:
    return {**export_card(uow, found, language), "download": _link(uow, caller, found)}


def export_card(uow: UnitOfWork, found: Export, language: Language) -> Json:
    refusal = found.refusal
    expired = found.expires_at is not None and found.expires_at <= uow.now
    return {
        **{name: getattr(found, name) for name in _PLAIN},
        "status": "expired" if expired else found.status,
        "refusal": None if refusal is None else refusal["en" if language == "en" else "zh"],
    }


def _link(uow: UnitOfWork, caller: Caller, found: Export) -> Any:
    if found.status != ExportStatus.READY or found.expires_at is None or found.expires_at <= uow.now:
        return None
    require_exporter(uow, caller, found.circle_id, found.scope)
    media = find_media(uow, found.media_id) if found.media_id else None
    if media is None:
        return None
    return {"url": link_to(uow, media), "expires_at": uow.now + LINK_LIFE}
