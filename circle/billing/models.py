"""Tables of billing. What must never happen (two payments, two periods, too large a refund) is a constraint here."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from circle.billing.states import LIVE, UNDER_WAY, AttemptStatus, CheckoutStatus, InvoiceStatus, RefundStatus
from circle.kernel.db import Base, BigInt, Id, Json, Versioned
from circle.kernel.money import Money


def _one_of(column: str, words: type[StrEnum] | tuple[StrEnum, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word.value) for word in words)})"


class Collection(StrEnum):
    AUTO = "auto"  # charged by itself at each renewal, after a notice
    MANUAL = "manual"  # the member pays each renewal


class InvoiceKind(StrEnum):
    """Invoices of a subscription. Other rooms name their own kinds, e.g. `question`."""

    JOIN = "join"
    RENEWAL = "renewal"
    UPGRADE = "upgrade"  # the rest of a period on a better tier
    GIFT = "gift"  # `subject_id` is the gift


class PaymentMethod(Versioned, Base):
    """How somebody pays: `reference` is what the provider knows it by."""

    __tablename__ = "payment_methods"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    provider: Mapped[str]
    reference: Mapped[str]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012


class JoinRequest(Base):
    """What an applicant wants to buy, kept until they are let in."""

    __tablename__ = "join_requests"

    membership_id: Mapped[UUID] = mapped_column(ForeignKey("memberships.id"), primary_key=True)
    price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    collection: Mapped[str]
    coupon_id: Mapped[UUID | None] = mapped_column(ForeignKey("coupons.id"))
    created_at: Mapped[datetime]


class Subscription(Base):
    """The intent to renew. The last paid period ends `anchor_months` months after the anchor, by its own zone."""

    __tablename__ = "subscriptions"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    membership_id: Mapped[UUID] = mapped_column(ForeignKey("memberships.id"), index=True)
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"))
    price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    # What the next period is billed by, where that is another price.
    next_price_id: Mapped[UUID | None] = mapped_column(ForeignKey("prices.id"))
    status: Mapped[str]
    collection: Mapped[str]
    payment_method_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_methods.id"))
    # The zone in which its dates are counted: the circle's when it began, for good.
    timezone: Mapped[str]
    anchor_at: Mapped[datetime | None]
    # Months from the anchor to the end of the last paid period: dates are multiplied from it, never chained.
    anchor_months: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # The last paid period, counted from 1; 0 in a trial and before the first payment.
    period_no: Mapped[int] = mapped_column(default=0)
    # Its next period has an open invoice.
    renewal_open: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    current_period_start: Mapped[datetime | None]
    current_period_end: Mapped[datetime | None]  # None while active: for life
    trial_ends_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    canceled_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_subscriptions_live", "membership_id", unique=True, postgresql_where=text(_one_of("status", LIVE))),
        Index("ix_subscriptions_circle", "circle_id", "id"),
        Index(
            "ix_subscriptions_payment_method",
            "payment_method_id",
            postgresql_where=text("payment_method_id IS NOT NULL"),
        ),
        Index(
            "ix_subscriptions_ending",
            "current_period_end",
            postgresql_where=text("status IN ('trialing', 'active', 'past_due')"),
        ),
        Index(
            "ix_subscriptions_renewing",
            "collection",
            "current_period_end",
            postgresql_where=text("status IN ('trialing', 'active') AND NOT renewal_open AND NOT cancel_at_period_end"),
        ),
        CheckConstraint("collection IN ('auto', 'manual')", name="collection"),
        CheckConstraint(
            "status IN ('incomplete', 'trialing', 'active', 'past_due', 'paused', 'canceled', 'expired')", name="status"
        ),
    )


class Invoice(Base):
    """One thing owed: a period of a subscription, or a single charge for `subject_id`."""

    __tablename__ = "invoices"

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    payer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    membership_id: Mapped[UUID | None] = mapped_column(ForeignKey("memberships.id"))
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"))
    subject_id: Mapped[UUID | None]
    price_id: Mapped[UUID | None] = mapped_column(ForeignKey("prices.id"))
    tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    status: Mapped[str]
    amount: Mapped[BigInt]
    currency: Mapped[str]
    # A first period is an estimate until it is paid: it starts at the payment.
    period_no: Mapped[int | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]  # None beside a start: for life
    due_at: Mapped[datetime]
    # Of a renewal: when its payer was told of it; when to try to charge next; when to remind next; and until when
    # its payment continues the term without a gap (later it starts at the payment).
    noticed_at: Mapped[datetime | None]
    charge_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]
    covered_until: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    refundable_until: Mapped[datetime | None]
    # The operator's share, fixed at the payment.
    platform_fee: Mapped[BigInt] = mapped_column(default=0)
    # Given back, and on its way back.
    refunded: Mapped[BigInt] = mapped_column(default=0)
    refunding: Mapped[BigInt] = mapped_column(default=0)
    # When the creator's share became available.
    released_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]  # void or uncollectible
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_invoices_period",
            "subscription_id",
            "period_no",
            unique=True,
            postgresql_where=text("period_no IS NOT NULL AND status <> 'void'"),
        ),
        Index(
            "uq_invoices_subject",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=text("subject_id IS NOT NULL AND status <> 'void'"),
        ),
        ExcludeConstraint(
            (text("subscription_id"), "="),
            (func.tstzrange(text("period_start"), text("period_end")), "&&"),
            using="gist",
            where=text("period_no IS NOT NULL AND status <> 'void'"),
            name="ex_invoices_period",
        ),
        Index(
            "uq_invoices_upgrade",
            "subscription_id",
            unique=True,
            postgresql_where=text("kind = 'upgrade' AND status = 'open'"),
        ),
        Index("ix_invoices_payer", "payer_id", "created_at", "id"),
        Index("ix_invoices_membership", "membership_id"),
        Index("ix_invoices_circle", "circle_id", "id"),
        Index("ix_invoices_renewals", "circle_id", postgresql_where=text("kind = 'renewal' AND status = 'open'")),
        Index("ix_invoices_subscription", "subscription_id", postgresql_where=text("subscription_id IS NOT NULL")),
        Index(
            "ix_invoices_release",
            "refundable_until",
            postgresql_where=text("released_at IS NULL AND status IN ('paid', 'partially_refunded')"),
        ),
        Index(
            "ix_invoices_void_renewals",
            "subscription_id",
            postgresql_where=text("kind = 'renewal' AND status = 'void'"),
        ),
        Index("ix_invoices_charge", "charge_at", postgresql_where=text("status = 'open' AND charge_at IS NOT NULL")),
        Index("ix_invoices_remind", "remind_at", postgresql_where=text("status = 'open' AND remind_at IS NOT NULL")),
        CheckConstraint(_one_of("status", InvoiceStatus), name="status"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("platform_fee BETWEEN 0 AND amount", name="platform_fee"),
        CheckConstraint("refunded >= 0 AND refunding >= 0 AND refunded + refunding <= amount", name="refunds"),
        CheckConstraint(
            "period_no IS NULL OR (subscription_id IS NOT NULL AND period_start IS NOT NULL)", name="period_no"
        ),
    )

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def refundable(self) -> int:
        """What may still be given back, in minor units."""
        return self.amount - self.refunded - self.refunding


class PaymentAttempt(Base):
    """One try to collect an invoice. `number` is the key under which the provider does it once, however often asked."""

    __tablename__ = "payment_attempts"

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(unique=True)
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    provider: Mapped[str]
    payment_method_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment_methods.id"))
    # What was sent, so that a second sending is the same to the letter.
    method_reference: Mapped[str]
    on_session: Mapped[bool]
    amount: Mapped[BigInt]
    currency: Mapped[str]
    status: Mapped[str]
    # Whoever works on it has until then; later a sweeper asks the provider what became of it.
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]  # the first time
    reference: Mapped[str | None]
    failure_code: Mapped[str | None]
    retry: Mapped[str | None]
    action: Mapped[Json | None]
    received: Mapped[BigInt | None]
    received_currency: Mapped[str | None]
    # The money pays for nothing (invoice void or paid already, wrong amount, no seat left): it goes back by itself.
    surplus: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_payment_attempts_open", "invoice_id", unique=True, postgresql_where=text(_one_of("status", UNDER_WAY))
        ),
        Index(
            "uq_payment_attempts_paid",
            "invoice_id",
            unique=True,
            postgresql_where=text("status = 'succeeded' AND NOT surplus"),
        ),
        Index("ix_payment_attempts_lease", "lease_until", postgresql_where=text(_one_of("status", UNDER_WAY))),
        Index("ix_payment_attempts_settled", "settled_at", postgresql_where=text("status = 'succeeded'")),
        CheckConstraint(_one_of("status", AttemptStatus), name="status"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("NOT surplus OR status = 'succeeded'", name="surplus"),
    )


class Checkout(Base):
    """An invoice put before a person to pay, until it expires. Its page's address is signed, not stored."""

    __tablename__ = "checkouts"

    id: Mapped[Id]
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_checkouts_open", "expires_at", postgresql_where=text("status = 'open'")),
        CheckConstraint(_one_of("status", CheckoutStatus), name="status"),
    )

    def is_open(self, now: datetime) -> bool:
        return self.status == CheckoutStatus.OPEN and self.expires_at > now


class Refund(Base):
    """Money going back. Its amount is reserved on the invoice at once, so that no race gives back too much."""

    __tablename__ = "refunds"

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(unique=True)
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), index=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempts.id"))
    amount: Mapped[BigInt]
    currency: Mapped[str]
    reason: Mapped[str]
    # None: the system itself.
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    # Gives back what paid for nothing: counts against its attempt, not against the invoice.
    surplus: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    lease_until: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    reference: Mapped[str | None]
    failure_code: Mapped[str | None]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_refunds_surplus", "attempt_id", unique=True, postgresql_where=text("surplus AND status <> 'failed'")),
        Index("ix_refunds_lease", "lease_until", postgresql_where=text("status IN ('pending', 'processing')")),
        Index("ix_refunds_settled", "settled_at", postgresql_where=text("status = 'succeeded'")),
        CheckConstraint(_one_of("status", RefundStatus), name="status"),
        CheckConstraint("amount > 0", name="amount"),
    )


class LedgerAccount(Base):
    """An account in one currency; see docs/billing.md for what each kind means.

    `balance` is kept by a trigger for accounts of a circle. Accounts of the installation have none, because every
    payment would wait for that one row; theirs is the sum of the entries.
    """

    __tablename__ = "ledger_accounts"

    id: Mapped[Id]
    kind: Mapped[str]
    circle_id: Mapped[UUID | None] = mapped_column(ForeignKey("circles.id"))
    provider: Mapped[str | None]
    currency: Mapped[str]
    balance: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        UniqueConstraint("circle_id", "kind", "provider", "currency", postgresql_nulls_not_distinct=True),
        UniqueConstraint("id", "currency"),
        CheckConstraint("(circle_id IS NULL) = (balance IS NULL)", name="balance"),
    )


class LedgerTransaction(Base):
    """One movement of money; `source_id` is the row that caused it, which moves money once per kind."""

    __tablename__ = "ledger_transactions"

    id: Mapped[Id]
    kind: Mapped[str]
    source_id: Mapped[UUID]
    invoice_id: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.id"))
    circle_id: Mapped[UUID | None] = mapped_column(ForeignKey("circles.id"))
    at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("kind", "source_id"),
        Index("ix_ledger_transactions_circle", "circle_id", "at", "id"),
    )


class LedgerEntry(Base):
    """What one account gains (or gives, negative) in a transaction. Never changed, never deleted."""

    __tablename__ = "ledger_entries"

    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_transactions.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    currency: Mapped[str]
    amount: Mapped[BigInt]

    __table_args__ = (
        ForeignKeyConstraint(["account_id", "currency"], ["ledger_accounts.id", "ledger_accounts.currency"]),
        CheckConstraint("amount <> 0", name="amount"),
    )
