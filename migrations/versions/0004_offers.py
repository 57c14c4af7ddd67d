"""Offers: quotes, plan changes, price campaigns, coupons and gifts.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_PRICES = postgresql.ARRAY(sa.Uuid())


def upgrade() -> None:
    op.create_table(
        "coupons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("duration", sa.Text(), nullable=False),
        sa.Column("periods", sa.Integer(), nullable=True),
        sa.Column("price_ids", _PRICES, nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("max_uses_per_user", sa.Integer(), nullable=False),
        sa.Column("valid_from", _INSTANT, nullable=True),
        sa.Column("valid_until", _INSTANT, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("archived_at", _INSTANT, nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint("num_nonnulls(percent, amount) = 1", name=op.f("ck_coupons_off")),
        sa.CheckConstraint("percent BETWEEN 1 AND 100", name=op.f("ck_coupons_percent")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_coupons_amount")),
        sa.CheckConstraint("(amount IS NULL) = (currency IS NULL)", name=op.f("ck_coupons_currency")),
        sa.CheckConstraint("duration IN ('once', 'periods', 'forever')", name=op.f("ck_coupons_duration")),
        sa.CheckConstraint("(duration = 'periods') = (periods IS NOT NULL)", name=op.f("ck_coupons_periods")),
        sa.CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name=op.f("ck_coupons_uses")),
        sa.CheckConstraint("max_uses_per_user > 0", name=op.f("ck_coupons_max_uses_per_user")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_coupons_circle_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_coupons_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupons")),
    )
    op.create_index(
        "uq_coupons_code",
        "coupons",
        ["circle_id", "code"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_index("ix_coupons_circle", "coupons", ["circle_id", "created_at", "id"])

    op.create_table(
        "discounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("coupon_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("use_no", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("price_ids", _PRICES, nullable=True),
        sa.Column("until_period", sa.Integer(), nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("released_at", _INSTANT, nullable=True),
        sa.CheckConstraint("num_nonnulls(percent, amount) = 1", name=op.f("ck_discounts_off")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_discounts_coupon_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_discounts_user_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_discounts_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discounts")),
    )
    op.create_index(op.f("ix_discounts_user_id"), "discounts", ["user_id"])
    op.create_index(
        "uq_discounts_use",
        "discounts",
        ["coupon_id", "user_id", "use_no"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_index(
        "uq_discounts_subscription",
        "discounts",
        ["subscription_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )

    op.create_table(
        "gifts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("price_id", sa.Uuid(), nullable=False),
        sa.Column("tier_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.Column("claimed_at", _INSTANT, nullable=True),
        sa.Column("starts_at", _INSTANT, nullable=True),
        sa.Column("ends_at", _INSTANT, nullable=True),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint("claimed_by <> buyer_id", name=op.f("ck_gifts_receiver")),
        sa.CheckConstraint("(claimed_by IS NULL) = (claimed_at IS NULL)", name=op.f("ck_gifts_claim")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_gifts_circle_id")),
        sa.ForeignKeyConstraint(["price_id"], ["prices.id"], name=op.f("fk_gifts_price_id")),
        sa.ForeignKeyConstraint(["tier_id"], ["tiers.id"], name=op.f("fk_gifts_tier_id")),
        sa.ForeignKeyConstraint(["buyer_id"], ["users.id"], name=op.f("fk_gifts_buyer_id")),
        sa.ForeignKeyConstraint(["claimed_by"], ["users.id"], name=op.f("fk_gifts_claimed_by")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_gifts_invoice_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_gifts_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gifts")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_gifts_invoice_id")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_gifts_code_hash")),
    )
    op.create_index(op.f("ix_gifts_subscription_id"), "gifts", ["subscription_id"])
    op.create_index("ix_gifts_buyer", "gifts", ["buyer_id", "created_at", "id"])
    op.create_index(
        "ix_gifts_claimed_by",
        "gifts",
        ["claimed_by", "created_at", "id"],
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )

    op.create_table(
        "quotes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("from_price_id", sa.Uuid(), nullable=False),
        sa.Column("to_price_id", sa.Uuid(), nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("effective_at", _INSTANT, nullable=False),
        sa.Column("renewal_amount", sa.BigInteger(), nullable=False),
        sa.Column("renews_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("used_at", _INSTANT, nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint("cost >= 0 AND credit >= 0 AND due >= 0", name=op.f("ck_quotes_amounts")),
        sa.CheckConstraint("at_once OR due = 0", name=op.f("ck_quotes_due")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name=op.f("fk_quotes_subscription_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_quotes_user_id")),
        sa.ForeignKeyConstraint(["from_price_id"], ["prices.id"], name=op.f("fk_quotes_from_price_id")),
        sa.ForeignKeyConstraint(["to_price_id"], ["prices.id"], name=op.f("fk_quotes_to_price_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotes")),
    )
    op.create_index(op.f("ix_quotes_subscription_id"), "quotes", ["subscription_id"])
    op.create_index(op.f("ix_quotes_user_id"), "quotes", ["user_id"])

    op.create_table(
        "price_campaigns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("from_price_id", sa.Uuid(), nullable=False),
        sa.Column("to_price_id", sa.Uuid(), nullable=False),
        sa.Column("rises", sa.Boolean(), nullable=False),
        sa.Column("effective_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("announced_at", _INSTANT, nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint("from_price_id <> to_price_id", name=op.f("ck_price_campaigns_prices")),
        sa.CheckConstraint("NOT withdrawn OR closed_at IS NOT NULL", name=op.f("ck_price_campaigns_withdrawn")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_price_campaigns_circle_id")),
        sa.ForeignKeyConstraint(["from_price_id"], ["prices.id"], name=op.f("fk_price_campaigns_from_price_id")),
        sa.ForeignKeyConstraint(["to_price_id"], ["prices.id"], name=op.f("fk_price_campaigns_to_price_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_price_campaigns_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_campaigns")),
    )
    op.create_index(
        "uq_price_campaigns_price",
        "price_campaigns",
        ["from_price_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_price_campaigns_circle", "price_campaigns", ["circle_id", "created_at", "id"])

    op.create_table(
        "price_changes",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("consented_at", _INSTANT, nullable=True),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('moved', 'ending', 'left_alone', 'withdrawn')", name=op.f("ck_price_changes_outcome")
        ),
        sa.CheckConstraint("(settled_at IS NULL) = (outcome IS NULL)", name=op.f("ck_price_changes_settled")),
        sa.ForeignKeyConstraint(["campaign_id"], ["price_campaigns.id"], name=op.f("fk_price_changes_campaign_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_price_changes_subscription_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_price_changes_user_id")),
        sa.PrimaryKeyConstraint("campaign_id", "subscription_id", name=op.f("pk_price_changes")),
    )
    op.create_index(op.f("ix_price_changes_subscription_id"), "price_changes", ["subscription_id"])
    op.create_index(op.f("ix_price_changes_user_id"), "price_changes", ["user_id"])
    op.create_index(
        "ix_price_changes_due", "price_changes", ["campaign_id"], postgresql_where=sa.text("settled_at IS NULL")
    )

    op.add_column("join_requests", sa.Column("coupon_id", sa.Uuid(), nullable=True))
    op.execute(
        "ALTER TABLE join_requests ADD CONSTRAINT fk_join_requests_coupon_id"
        " FOREIGN KEY (coupon_id) REFERENCES coupons (id) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE join_requests VALIDATE CONSTRAINT fk_join_requests_coupon_id")
        op.create_index(
            "uq_invoices_upgrade",
            "invoices",
            ["subscription_id"],
            unique=True,
            postgresql_where=sa.text("kind = 'upgrade' AND status = 'open'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("uq_invoices_upgrade", table_name="invoices", postgresql_concurrently=True)
    op.drop_constraint("fk_join_requests_coupon_id", "join_requests", type_="foreignkey")
    op.drop_column("join_requests", "coupon_id")
    op.drop_table("price_changes")
    op.drop_table("price_campaigns")
    op.drop_table("quotes")
    op.drop_table("gifts")
    op.drop_table("discounts")
    op.drop_table("coupons")
