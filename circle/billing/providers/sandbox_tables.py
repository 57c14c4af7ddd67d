"""The sandbox's own books. Billing never reads them: it asks the sandbox, as it would ask any provider."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, BigInt, Id, Json, Query


class SandboxCharge(Base):
    """A charge under the merchant's number. `lost`: the network swallowed the request, the sandbox never saw it."""

    __tablename__ = "sandbox_charges"

    number: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str]
    amount: Mapped[BigInt]
    currency: Mapped[str]
    state: Mapped[str]
    code: Mapped[str | None]
    action_url: Mapped[str | None]
    # When a charge that is being processed comes to its end.
    settles_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sandbox_charges_settles", "settles_at", postgresql_where=text("state = 'processing'")),
        Index("ix_sandbox_charges_settled", "settled_at"),
    )


class SandboxRefund(Base):
    """A refund under the merchant's number."""

    __tablename__ = "sandbox_refunds"

    number: Mapped[str] = mapped_column(primary_key=True)
    charge_number: Mapped[str] = mapped_column(ForeignKey("sandbox_charges.number"), index=True)
    amount: Mapped[BigInt]
    currency: Mapped[str]
    state: Mapped[str]
    settles_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sandbox_refunds_settles", "settles_at", postgresql_where=text("state = 'processing'")),
        Index("ix_sandbox_refunds_settled", "settled_at"),
    )


class SandboxPayout(Base):
    """Money sent to a creator, under the merchant's number."""

    __tablename__ = "sandbox_payouts"

    number: Mapped[str] = mapped_column(primary_key=True)
    payee: Mapped[str]
    amount: Mapped[BigInt]
    currency: Mapped[str]
    state: Mapped[str]
    code: Mapped[str | None]
    settles_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sandbox_payouts_settles", "settles_at", postgresql_where=text("state = 'processing'")),
        Index("ix_sandbox_payouts_settled", "settled_at"),
    )


class SandboxEvent(Base):
    """A webhook to be delivered."""

    __tablename__ = "sandbox_events"

    id: Mapped[Id]
    kind: Mapped[str]
    number: Mapped[str]
    created_at: Mapped[datetime]
    # When the post brings it; None: at once.
    due_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_sandbox_events_waiting", "id", postgresql_where=text("delivered_at IS NULL")),)


_COLUMNS = tuple(SandboxCharge.__table__.columns.keys())

# Charges under numbers that are new, and the webhooks of their ends, in one statement. No row where the number is
# known: whoever came first is waited for.
ARRIVE = Query(
    lambda: text(f"""
        WITH slips AS (
            SELECT * FROM jsonb_to_recordset(CAST(:slips AS jsonb)) AS slip (
                number text, token text, amount bigint, currency text, state text, code text, action_url text,
                settles_at timestamptz, settled_at timestamptz, created_at timestamptz,
                event_id uuid, due_at timestamptz
            )
        ), arrived AS (
            INSERT INTO sandbox_charges ({", ".join(_COLUMNS)})
            SELECT {", ".join(_COLUMNS)} FROM slips ORDER BY number
            ON CONFLICT DO NOTHING
            RETURNING number
        ), told AS (
            INSERT INTO sandbox_events (id, kind, number, created_at, due_at)
            SELECT event_id, 'charge', number, settled_at, due_at
            FROM arrived JOIN slips USING (number) WHERE settled_at IS NOT NULL
        )
        SELECT number FROM arrived
    """)  # noqa: S608 - our own words
)


def columns_of(charge: SandboxCharge) -> Json:
    """Return a charge as part of a slip for `ARRIVE`."""
    return {name: getattr(charge, name) for name in _COLUMNS}
