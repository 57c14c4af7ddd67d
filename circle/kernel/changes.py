"""The change log of a circle, for clients that work offline: what was created, updated or deleted, in order.

A sequence alone would lose rows: a transaction that took a low number may commit after a reader has passed it.
So rows carry their transaction's id and a reader stops at the oldest transaction still running; the order is
(generation, xid, seq). A restored database goes on from an earlier transaction: `generation` grows with each restore,
and a client that saw what the restore took back is told to begin anew.
"""

from collections.abc import Collection, Mapping, Sequence
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
from circle.kernel.errors import CircleError
from circle.kernel.text import Text as Sentence
from circle.kernel.uow import UnitOfWork

Operation = Literal["created", "updated", "deleted"]


_GENERATION_SECONDS = 60


class ChangesLost(CircleError):
    status = 410
    code = "changes_lost"
    text = Sentence(
        "服务器从备份恢复过，这个游标之后的部分已不存在，请清空本地数据后从头同步。",
        "The server was restored and lacks what you have seen: drop your copy and begin without a cursor.",
    )


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
    ),
    joins=True,
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
_KNOWN = Query(
    lambda: select(Change.seq).where(
        Change.circle_id == bindparam("circle_id", type_=Uuid()),
        Change.generation == bindparam("generation", type_=Integer()),
        Change.xid == bindparam("xid", type_=BigInteger()),
        Change.seq == bindparam("seq", type_=BigInteger()),
    )
)


def since(
    uow: UnitOfWork, circle_id: UUID, *, kinds: Collection[str], cursor: str | None, limit: int
) -> tuple[Sequence[Row], str, bool]:
    """Return committed changes after a cursor, the cursor to go on from (now or later), and whether there are more.

    Errors: BadCursor, ChangesLost.
    """
    after = _POSITION.decode(cursor) if cursor else _START
    rows = uow.rows(_SINCE, circle_id=circle_id, kinds=list(kinds), limit=limit + 1, **after)
    page = rows[:limit]
    # While a log goes on in the cursor's own generation, nothing was taken back.
    if cursor and not (page and page[0]["generation"] == after["generation"]):
        _require_known(uow, circle_id, after)
    return page, _POSITION.encode(page[-1] if page else after), len(rows) > limit


def _require_known(uow: UnitOfWork, circle_id: UUID, position: Mapping[str, Any]) -> None:
    if position != _START and not uow.rows(_KNOWN, circle_id=circle_id, **position):
        raise ChangesLost


def begin_generation(uow: UnitOfWork) -> None:
    """Let all changes from now on come after those of any life that the database had before a restore."""
    # By the clock: a count would come out the same after two restores to one moment.
    generation = int(uow.now.timestamp()) // _GENERATION_SECONDS
    uow.session.execute(text(f"ALTER TABLE changes ALTER COLUMN generation SET DEFAULT {generation}"))
