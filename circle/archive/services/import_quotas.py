"""How much a circle may import in 24 hours: bytes of archives, and posts. What was undone counts, too: it was work.

Both are exact without a lock of their own: a circle has one open import (`uq_imports_open`), so nobody else adds to
its sums while one is asked for, or written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, cast, func, or_, select

from circle.archive.errors import ImportsUsedUp
from circle.archive.models import Import
from circle.config import Settings
from circle.kernel.uow import UnitOfWork
from circle.media.models import CircleStorage

_DAY = timedelta(days=1)
_BYTES = func.sum(Import.size)
_POSTS = func.sum(cast(Import.counts["created"].astext, BigInteger))


class Most(NamedTuple):
    """What a circle may import in 24 hours."""

    bytes: int
    posts: int


def most_a_day(uow: UnitOfWork, circle_id: UUID) -> Most:
    """Return what the settings say, or what this one circle was given."""
    own = select(CircleStorage.import_bytes_a_day, CircleStorage.import_posts_a_day)
    row = uow.session.execute(own.where(CircleStorage.circle_id == circle_id)).one_or_none()
    settings = uow.use(Settings)
    everybodys = (settings.import_bytes_a_day, settings.import_posts_a_day)
    given = (None, None) if row is None else row
    return Most(*(most if own is None else own for own, most in zip(given, everybodys, strict=True)))


def used_of_a_day(uow: UnitOfWork, circle_id: UUID) -> Most:
    """Return what the last 24 hours' imports had, in bytes and posts."""
    return Most(*(_sum(uow, of, circle_id, Import.created_at > uow.now - _DAY) for of in (_BYTES, _POSTS)))


def require_bytes_left(uow: UnitOfWork, asked: Import) -> None:
    """Refuse an import whose row is written already, so that another is not asked for beside it.

    Errors: ImportsUsedUp.
    """
    most = most_a_day(uow, asked.circle_id).bytes
    if _sum(uow, _BYTES, asked.circle_id, _with_those_before(asked.id, asked.created_at)) > most:
        raise ImportsUsedUp(most=most)


def require_posts_left(
    uow: UnitOfWork, circle_id: UUID, import_id: UUID, counts: Mapping[str, int], *, created_at: datetime
) -> None:
    """Refuse a batch that was written and not committed. Errors: ImportsUsedUp."""
    if counts.get("created"):
        most = most_a_day(uow, circle_id).posts
        if _sum(uow, _POSTS, circle_id, _with_those_before(import_id, created_at)) > most:
            raise ImportsUsedUp(most=most)


def _with_those_before(import_id: UUID, created_at: datetime) -> ColumnElement[bool]:
    return or_(Import.created_at > created_at - _DAY, Import.id == import_id)


def _sum(uow: UnitOfWork, of: ColumnElement[Any], circle_id: UUID, of_the_day: ColumnElement[bool]) -> int:
    return int(uow.session.scalar(select(of).where(Import.circle_id == circle_id, of_the_day)) or 0)
