"""Test mode's clock: real time plus an offset that every process reads from one row."""

from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import CheckConstraint, Interval, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.clock import Clock, SystemClock
from circle.kernel.db import Base, Query
from circle.kernel.uow import Connections


class SettableClock(Clock, Protocol):
    """A clock that tests move."""

    def set(self, now: datetime) -> None: ...


class ClockOffset(Base):
    """The one row: absent while time is real."""

    __tablename__ = "clock_offset"

    id: Mapped[int] = mapped_column(primary_key=True, default=1, autoincrement=False)
    ahead: Mapped[timedelta] = mapped_column(Interval)

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


_AHEAD = Query(lambda: select(ClockOffset.ahead))


class SharedClock:
    """Reads the offset at each unit of work, so that web, workers and clock agree at once."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._real = SystemClock()

    def now(self) -> datetime:
        with self._connections.reader() as connection:
            rows = _AHEAD.run(connection, {})
        ahead: timedelta = rows[0]["ahead"] if rows else timedelta()
        return self._real.now() + ahead

    def set(self, now: datetime) -> None:
        """Move the time of the whole installation; it goes on from there."""
        ahead = now - self._real.now()
        moving = insert(ClockOffset).values(id=1, ahead=ahead)
        moving = moving.on_conflict_do_update(index_elements=["id"], set_={"ahead": ahead})
        with self._connections.session() as session:
            session.execute(moving)
            session.commit()
