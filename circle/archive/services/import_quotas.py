"""How much a circle may import in 24 hours: bytes of archives, and posts. What was undone counts, too: it was work.

Both are exact without a lock of their own: a circle has one open import (`uq_imports_open`), so nobody else adds to
its sums while one is asked for, or written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, or_, select

from circle.archive.errors import ImportsUsedUp
from circle.archive.models import Import
from circle.config import Settings
from circle.kernel.uow import UnitOfWork

_DAY = timedelta(days=1)
_CREATED = cast(Import.counts["created"].astext, BigInteger)


def require_bytes_left(uow: UnitOfWork, asked: Import) -> None:
    """Refuse an import whose row is written already, so that another is not asked for beside it.

    Errors: ImportsUsedUp.
    """
    most = uow.use(Settings).import_bytes_a_day
    if _sum(uow, func.sum(Import.size), asked.circle_id, asked.id, asked.created_at) > most:
        raise ImportsUsedUp(most=most)


def require_posts_left(
    uow: UnitOfWork, circle_id: UUID, import_id: UUID, counts: Mapping[str, int], *, created_at: datetime
) -> None:
    """Refuse a batch that was written and not committed. Errors: ImportsUsedUp."""
    most = uow.use(Settings).import_posts_a_day
    before = _sum(uow, func.sum(_CREATED), circle_id, import_id, created_at) if counts.get("created") else 0
    if before > most:
        raise ImportsUsedUp(most=most)


def _sum(uow: UnitOfWork, of: Any, circle_id: UUID, import_id: UUID, since: datetime) -> int:
    of_the_day = or_(Import.created_at > since - _DAY, Import.id == import_id)
    return int(uow.session.scalar(select(of).where(Import.circle_id == circle_id, of_the_day)) or 0)
