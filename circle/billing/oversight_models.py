"""Tables of what watches over money: the providers' own books, what differs from ours, and the breaker."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json


class Difference(StrEnum):
    THEIRS_ONLY = "theirs_only"  # the provider moved money that we know nothing of
    OURS_ONLY = "ours_only"  # we booked a movement that the provider does not have
    AMOUNT_DIFFERS = "amount_differs"


class FindingStatus(StrEnum):
    REPAIRED = "repaired"  # the provider was asked again, and what it said has been applied
    FROZEN = "frozen"  # a person has to look; the money of its invoice stays pending until then
    SETTLED = "settled"  # an operator has looked


class SettlementLine(Base):
    """A line of a provider's own books; amounts are signed, money that came in is positive."""

    __tablename__ = "settlement_lines"

    provider: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date]
    amount: Mapped[BigInt]
    currency: Mapped[str]
    fee: Mapped[BigInt]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_settlement_lines_of_day", "day", "provider"),)


class ReconciledDay(Base):
    """A provider's day in UTC whose books have been compared with ours."""

    __tablename__ = "reconciled_days"

    provider: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    lines: Mapped[int]
    reconciled_at: Mapped[datetime]


class Finding(Base):
    """One movement on which a provider's books and ours disagree."""

    __tablename__ = "reconciliation_findings"

    id: Mapped[Id]
    provider: Mapped[str]
    day: Mapped[date]
    kind: Mapped[str]
    number: Mapped[str]
    what: Mapped[str]
    currency: Mapped[str]
    theirs: Mapped[BigInt | None]
    ours: Mapped[BigInt | None]
    status: Mapped[str]
    note: Mapped[str]
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("provider", "kind", "number", "what"),
        Index("ix_reconciliation_findings_frozen", "number", postgresql_where=text("status = 'frozen'")),
        CheckConstraint("what IN ('theirs_only', 'ours_only', 'amount_differs')", name="what"),
        CheckConstraint("status IN ('repaired', 'frozen', 'settled')", name="status"),
    )


class BreakerTrip(Base):
    """A rule of the breaker was broken: nobody is charged unasked until an operator releases it."""

    __tablename__ = "breaker_trips"

    id: Mapped[Id]
    rule: Mapped[str]
    detail: Mapped[Json]
    tripped_at: Mapped[datetime]
    released_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_breaker_trips_open", "rule", unique=True, postgresql_where=text("released_at IS NULL")),
    )


class ChargeDay(Base):
    """How much was charged on a day in UTC: unasked, counted a batch at a time, and in all, counted a day later."""

    __tablename__ = "charge_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    unasked: Mapped[BigInt] = mapped_column(default=0)
    paid: Mapped[BigInt] = mapped_column(default=0)


class Fingerprint(Base):
    """Which installation this database charges for: a copy of it elsewhere must not charge the same people."""

    __tablename__ = "fingerprints"

    provider: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    confirmed_at: Mapped[datetime]
    confirmed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
