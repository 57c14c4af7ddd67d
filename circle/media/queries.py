"""Reading media: rows for access checks, and cards in the shape of `MediaOut`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.media.models import Media, MediaStatus

CARD_COLUMNS = (
    Media.id,
    Media.kind,
    Media.status,
    Media.filename,
    Media.content_type,
    Media.size,
    Media.width,
    Media.height,
    Media.thumb_key,
)


def _any_of(column: Any, name: str) -> Any:
    return column == any_(bindparam(name, type_=ARRAY(Uuid())))


_BY_ID = Query(lambda: select(*Media.__table__.columns).where(Media.id == bindparam("id")))
_CARDS = Query(lambda: select(*CARD_COLUMNS).where(_any_of(Media.id, "ids")))
_ATTACHED = Query(
    lambda: (
        select(Media.attached_to, *CARD_COLUMNS)
        .where(_any_of(Media.attached_to, "parents"))
        .order_by(Media.attached_to, Media.position)
    )
)


def media_url(media_id: UUID) -> str:
    return f"/v1/media/{media_id}"


def media_card(row: Row) -> Json:
    """Return an attachment as answers show it (`MediaOut`), from a row with CARD_COLUMNS."""
    url = media_url(row["id"])
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "status": row["status"],
        "filename": row["filename"],
        "content_type": row["content_type"],
        "size": row["size"],
        "width": row["width"],
        "height": row["height"],
        "url": url,
        "thumbnail_url": f"{url}?size=thumb" if row["thumb_key"] else None,
    }


def card_of(media: Media) -> Json:
    return media_card({column.key: getattr(media, column.key) for column in CARD_COLUMNS})


def media_cards(uow: UnitOfWork, media_ids: Iterable[UUID]) -> dict[UUID, Json]:
    """Return cards by media id, in one statement; ids that are gone are left out."""
    wanted = list(media_ids)
    rows = uow.rows(_CARDS, ids=wanted) if wanted else []
    return {row["id"]: media_card(row) for row in rows}


def attachments(uow: UnitOfWork, parents: Iterable[UUID]) -> Mapping[UUID, list[Json]]:
    """Return the cards of what is attached to each parent, in order, in one statement; no key where nothing is."""
    wanted = list(parents)
    cards: defaultdict[UUID, list[Json]] = defaultdict(list)
    for row in uow.rows(_ATTACHED, parents=wanted) if wanted else []:
        cards[row["attached_to"]].append(media_card(row))
    return cards


_OBJECTS = Query(
    lambda: select(Media.id, Media.object_key, Media.filename, Media.content_type, Media.kind, Media.size).where(
        _any_of(Media.id, "ids"), Media.status == MediaStatus.READY
    )
)


def objects(uow: UnitOfWork, media_ids: Iterable[UUID]) -> dict[UUID, Json]:
    """Return where finished objects lie in the storage, by id, for who copies them; others are left out."""
    wanted = list(media_ids)
    return {row["id"]: row for row in (uow.rows(_OBJECTS, ids=wanted) if wanted else [])}


def find_media(uow: UnitOfWork, media_id: UUID) -> Media | None:
    """Return the row as an object of no session: to look at, not to change."""
    row = uow.row(_BY_ID, id=media_id)
    return Media(**row) if row else None


def unattached_bytes(uow: UnitOfWork, owner_id: UUID) -> int:
    """Return how much a person has uploaded, or may still upload, that nothing shows yet."""
    waiting = select(func.coalesce(func.sum(Media.size), 0)).where(
        Media.owner_id == owner_id, Media.expires_at.is_not(None), Media.status != MediaStatus.DELETING
    )
    return int(uow.session.scalar(waiting) or 0)
