"""The change log of a circle, for clients that work offline: what was created, updated or deleted, in order.

A sequence alone would lose rows: a transaction that took a low number may commit after a reader has passed it.
So rows carry their transaction's id and a reader stops at the oldest transaction still running; the order is
(generation, xid, seq). A restored dump restarts transaction ids: `generation` counts those restarts.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Identity,
    Index,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.cursor import Keyset
from circle.kernel.db import Base, Query, Row
from circle.kernel.uow import UnitOfWork

Operation = Literal["created", "updated", "deleted"]


class Change(Base):
    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    generation: Mapped[int] = mapped_column(server_default="0")
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text::bigint)"))
    circle_id: Mapped[UUID]
    kind: Mapped[str]
    item_id: Mapped[UUID]
    operation: Mapped[str]
    changed_at: Mapped[datetime]

    __table_args__ = (Index("ix_changes_circle", "circle_id", "generation", "xid", "seq"),)


_RECORD = Query(
    lambda: insert(Change).values(
        {column: bindparam(column) for column in ("circle_id", "kind", "item_id", "operation", "changed_at")}
    )
)


def record(uow: UnitOfWork, *, circle_id: UUID, kind: str, item_id: UUID, operation: Operation) -> None:
    """Note a change in the transaction that makes it."""
    about = {"circle_id": circle_id, "kind": kind, "item_id": item_id, "operation": operation}
    uow.execute(_RECORD, **about, changed_at=uow.now)


_POSITION = Keyset("changes", {"generation": int, "xid": int, "seq": int})
_START = {"generation": -1, "xid": -1, "seq": -1}


def _select_since() -> Select[*tuple[Any, ...]]:
    def edge(of: Any) -> Any:
        return sql_cast(sql_cast(of, Text()), BigInteger())

    snapshot = func.pg_current_snapshot()
    circle_id = bindparam("circle_id", type_=Uuid())
    newest = select(func.max(Change.generation)).where(Change.circle_id == circle_id).scalar_subquery()
    return (
        select(Change)
        .where(
            Change.circle_id == circle_id,
            tuple_(Change.generation, Change.xid, Change.seq)
            > tuple_(
                bindparam("generation", type_=Integer()),
                bindparam("xid", type_=BigInteger()),
                bindparam("seq", type_=BigInteger()),
            ),
            Change.kind == any_(bindparam("kinds", type_=ARRAY(Text()))),
            # Committed for certain: written before a restore, or older than every transaction that still runs.
            # An id that no transaction has had yet is from before a restore, too.
            or_(
                Change.generation < newest,
                Change.xid < edge(func.pg_snapshot_xmin(snapshot)),
                Change.xid >= edge(func.pg_snapshot_xmax(snapshot)),
            ),
        )
        .order_by(Change.generation, Change.xid, Change.seq)
        .limit(bindparam("limit", type_=Integer()))
    )


_SINCE = Query(_select_since)


def since(
    uow: UnitOfWork, circle_id: UUID, *, kinds: Collection[str], cursor: str | None, limit: int
) -> tuple[Sequence[Row], str, bool]:
    """Return committed changes after a cursor, the cursor to go on from (now or later), and whether there are more."""
    after = _POSITION.decode(cursor) if cursor else _START
    rows = uow.rows(_SINCE, circle_id=circle_id, kinds=list(kinds), limit=limit + 1, **after)
    page = rows[:limit]
    return page, _POSITION.encode(page[-1] if page else after), len(rows) > limit
