"""The change log of a circle, for clients that work offline: what was created, updated or deleted, in order.

A sequence alone would lose rows: a transaction that took a low number may commit after a reader has passed it.
So rows carry their transaction's id and a reader stops at the oldest transaction still running; the order is
(generation, xid, seq). A restored dump restarts transaction ids: `generation` counts those restarts.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base
from circle.kernel.uow import UnitOfWork

Operation = Literal["created", "updated", "deleted"]


class Change(Base):
    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text::bigint)"))
    circle_id: Mapped[UUID]
    kind: Mapped[str]
    item_id: Mapped[UUID]
    operation: Mapped[str]
    changed_at: Mapped[datetime]

    __table_args__ = (Index("ix_changes_circle", "circle_id", "generation", "xid", "seq"),)


def record(uow: UnitOfWork, *, circle_id: UUID, kind: str, item_id: UUID, operation: Operation) -> None:
    """Note a change in the transaction that makes it."""
    uow.session.add(Change(circle_id=circle_id, kind=kind, item_id=item_id, operation=operation, changed_at=uow.now))
