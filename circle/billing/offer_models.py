"""Tables of what a circle offers beside its prices: coupons, gifts, quotes of a plan change, price campaigns."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from circle.kernel.db import Base, BigInt, Id
from circle.kernel.money import share

_PERCENT = 100


class Duration(StrEnum):
    """How many periods of a subscription a coupon makes cheaper."""

    ONCE = "once"
    PERIODS = "periods"
    FOREVER = "forever"


class Coupon(Base):
    """A code that makes prices cheaper; never changed once made, only archived.

    `uses` is counted where there is a limit in total, and nowhere else: a row that every join waits for is paid for
    only where it is needed. Without such a limit the discounts are the count.
    """

    __tablename__ = "coupons"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    code: Mapped[str]  # upper case
    # One of both: percent off, or minor units off in a currency.
    percent: Mapped[int | None]
    amount: Mapped[BigInt | None]
    currency: Mapped[str | None]
    duration: Mapped[str]
    periods: Mapped[int | None]
    # None: for every price of the circle.
    price_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0)
    max_uses_per_user: Mapped[int] = mapped_column(default=1)
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_coupons_code", "circle_id", "code", unique=True, postgresql_where=text("archived_at IS NULL")),
        Index("ix_coupons_circle", "circle_id", "created_at", "id"),
        CheckConstraint("num_nonnulls(percent, amount) = 1", name="off"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="currency"),
        CheckConstraint("duration IN ('once', 'periods', 'forever')", name="duration"),
        CheckConstraint("(duration = 'periods') = (periods IS NOT NULL)", name="periods"),
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses"),
        CheckConstraint("max_uses_per_user > 0", name="max_uses_per_user"),
    )

    @property
    def until_period(self) -> int | None:
        """The last period of a subscription that it makes cheaper; None: all."""
        return 1 if self.duration == Duration.ONCE else self.periods

    def is_for(self, price_id: UUID) -> bool:
        return self.price_ids is None or price_id in self.price_ids


class Discount(Base):
    """What a coupon takes off one subscription, copied from it: one use of the coupon, until it is released.

    Released where the first checkout was never paid. `use_no` counts a person's uses, so that they can't have two at
    once where one is allowed.
    """

    __tablename__ = "discounts"

    id: Mapped[Id]
    coupon_id: Mapped[UUID] = mapped_column(ForeignKey("coupons.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    use_no: Mapped[int]
    percent: Mapped[int | None]
    amount: Mapped[BigInt | None]
    price_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    until_period: Mapped[int | None]
    created_at: Mapped[datetime]
    released_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_discounts_use",
            "coupon_id",
            "user_id",
            "use_no",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        Index(
            "uq_discounts_subscription", "subscription_id", unique=True, postgresql_where=text("released_at IS NULL")
        ),
        CheckConstraint("num_nonnulls(percent, amount) = 1", name="off"),
    )

    def off(self, price_id: UUID, period_no: int, amount: int) -> int:
        """Return what it takes off an amount for a period, in minor units: a percentage is rounded half up."""
        if self.until_period is not None and period_no > self.until_period:
            return 0
        if self.price_ids is not None and price_id not in self.price_ids:
            return 0
        if self.percent is not None:
            return share(amount, self.percent, _PERCENT)
        return min(amount, self.amount or 0)


class Gift(Base):
    """A term of a tier that one person pays for and another claims. Its state is that of its invoice, and the claim.

    The code is derived from the id and the installation's secret: only its digest is kept.
    """

    __tablename__ = "gifts"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    tier_id: Mapped[UUID] = mapped_column(ForeignKey("tiers.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), unique=True)
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    message: Mapped[str] = mapped_column(default="")
    claimed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    claimed_at: Mapped[datetime | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]  # None beside a start: for life
    # Whose renewal it put off.
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_gifts_buyer", "buyer_id", "created_at", "id"),
        Index("ix_gifts_claimed_by", "claimed_by", "created_at", "id", postgresql_where=text("claimed_by IS NOT NULL")),
        CheckConstraint("claimed_by <> buyer_id", name="receiver"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_at IS NULL)", name="claim"),
    )


class Quote(Base):
    """What a plan change costs, and when it takes effect: true until it expires or the subscription changes."""

    __tablename__ = "quotes"

    id: Mapped[Id]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    from_price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    to_price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    # Whether it takes effect when it is paid, else at the end of the present period.
    at_once: Mapped[bool]
    # What the rest of the term costs on the new price, and what of it has been paid: due is what is left.
    cost: Mapped[BigInt]
    credit: Mapped[BigInt]
    due: Mapped[BigInt]
    currency: Mapped[str]
    effective_at: Mapped[datetime]
    renewal_amount: Mapped[BigInt]
    renews_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("cost >= 0 AND credit >= 0 AND due >= 0", name="amounts"),
        CheckConstraint("at_once OR due = 0", name="due"),
    )


class PriceCampaign(Base):
    """Existing subscriptions move from one price to another, with notice; a rise needs each subscriber to agree."""

    __tablename__ = "price_campaigns"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    from_price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    to_price_id: Mapped[UUID] = mapped_column(ForeignKey("prices.id"))
    rises: Mapped[bool]
    # Periods that begin from then on cost the new price.
    effective_at: Mapped[datetime]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    # When everybody had been told.
    announced_at: Mapped[datetime | None]
    # When everybody was settled, or the owner withdrew it.
    closed_at: Mapped[datetime | None]
    withdrawn: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_price_campaigns_price", "from_price_id", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index("ix_price_campaigns_circle", "circle_id", "created_at", "id"),
        CheckConstraint("NOT withdrawn OR closed_at IS NOT NULL", name="withdrawn"),
        CheckConstraint("from_price_id <> to_price_id", name="prices"),
    )


class ChangeOutcome(StrEnum):
    """How a price change was settled with a subscription."""

    MOVED = "moved"  # the next period costs the new price
    ENDING = "ending"  # it ends with its term, unless its subscriber agrees
    LEFT_ALONE = "left_alone"  # it has ended, or is on another plan
    WITHDRAWN = "withdrawn"  # the owner called the campaign off


class PriceChange(Base):
    """What a campaign does to one subscription: told, consented to where it rises, settled in its last old period."""

    __tablename__ = "price_changes"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("price_campaigns.id"), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True, index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    consented_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_price_changes_due", "campaign_id", postgresql_where=text("settled_at IS NULL")),
        CheckConstraint("outcome IN ('moved', 'ending', 'left_alone', 'withdrawn')", name="outcome"),
        CheckConstraint("(settled_at IS NULL) = (outcome IS NULL)", name="settled"),
    )
