"""Tables of money that leaves: where a circle's money is sent, and each withdrawal."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.billing.states import PayoutStatus
from circle.kernel.db import Base, BigInt, Id
from circle.kernel.money import Money

_STATUSES = ", ".join(repr(status.value) for status in PayoutStatus)


class PayoutAccount(Base):
    """Where a circle's money is sent: `reference` is what the provider knows the creator by."""

    __tablename__ = "payout_accounts"

    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"), primary_key=True)
    provider: Mapped[str]
    reference: Mapped[str]
    set_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    set_at: Mapped[datetime]


class Payout(Base):
    """A withdrawal. Its amount leaves the available balance at once, so that no race withdraws too much."""

    __tablename__ = "payouts"

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(unique=True)
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    amount: Mapped[BigInt]
    currency: Mapped[str]
    # Whom the provider sends it to, as it was when it was asked for; None: the operator pays it by hand.
    provider: Mapped[str | None]
    payee: Mapped[str | None]
    # The creator's words to the operator.
    note: Mapped[str]
    status: Mapped[str]
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # Whoever sends it has until then; later a sweeper asks the provider what became of it.
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    reference: Mapped[str | None]
    failure_code: Mapped[str | None]
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]  # for the first time
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_payouts_circle", "circle_id", "created_at", "id"),
        Index(
            "ix_payouts_lease",
            "lease_until",
            postgresql_where=text("status IN ('approved', 'in_transit') AND provider IS NOT NULL"),
        ),
        Index(
            "ix_payouts_open", "created_at", postgresql_where=text("status IN ('requested', 'approved', 'in_transit')")
        ),
        CheckConstraint(f"status IN ({_STATUSES})", name="status"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(provider IS NULL) = (payee IS NULL)", name="payee"),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)
