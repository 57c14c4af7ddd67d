"""Renewals: what is planned, announced, tried again and paused.

Revision: 0003, after 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INVOICE_INSTANTS = ("noticed_at", "charge_at", "remind_at", "covered_until")

# Until now every paid period was the first, counted from the payment.
COUNT_MONTHS = """
UPDATE subscriptions AS s
SET anchor_months = s.period_no * p.interval_count * CASE p.interval WHEN 'year' THEN 12 ELSE 1 END
FROM prices AS p WHERE p.id = s.price_id AND p.interval IN ('month', 'year') AND s.anchor_months = 0 AND s.period_no > 0
"""

NEXT_PRICE_IS_A_PRICE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'fk_subscriptions_next_price_id') THEN
        ALTER TABLE subscriptions ADD CONSTRAINT fk_subscriptions_next_price_id
            FOREIGN KEY (next_price_id) REFERENCES prices (id) NOT VALID;
    END IF;
END $$
"""


def upgrade() -> None:
    # Each by itself, and such that it can be done again: nobody waits for a long statement.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE subscriptions ADD COLUMN IF NOT EXISTS next_price_id uuid")
        op.execute("ALTER TABLE subscriptions ADD COLUMN IF NOT EXISTS anchor_months integer NOT NULL DEFAULT 0")
        op.execute("ALTER TABLE subscriptions ADD COLUMN IF NOT EXISTS renewal_open boolean NOT NULL DEFAULT false")
        op.execute("ALTER TABLE subscriptions ADD COLUMN IF NOT EXISTS paused_at timestamptz")
        op.execute(NEXT_PRICE_IS_A_PRICE)
        op.execute("ALTER TABLE subscriptions VALIDATE CONSTRAINT fk_subscriptions_next_price_id")
        for column in INVOICE_INSTANTS:
            op.execute(f"ALTER TABLE invoices ADD COLUMN IF NOT EXISTS {column} timestamptz")
        op.execute("ALTER TABLE payment_attempts ADD COLUMN IF NOT EXISTS sent_at timestamptz")
        op.execute(COUNT_MONTHS)
        op.create_index(
            "ix_subscriptions_renewing",
            "subscriptions",
            ["collection", "current_period_end"],
            postgresql_where="status IN ('trialing', 'active') AND NOT renewal_open AND NOT cancel_at_period_end",
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_invoices_void_renewals",
            "invoices",
            ["subscription_id"],
            postgresql_where="kind = 'renewal' AND status = 'void'",
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        for column in ("charge_at", "remind_at"):
            op.create_index(
                f"ix_invoices_{column.removesuffix('_at')}",
                "invoices",
                [column],
                postgresql_where=f"status = 'open' AND {column} IS NOT NULL",
                postgresql_concurrently=True,
                if_not_exists=True,
            )


def downgrade() -> None:
    for column in ("charge_at", "remind_at"):
        op.drop_index(f"ix_invoices_{column.removesuffix('_at')}", table_name="invoices")
    op.drop_index("ix_invoices_void_renewals", table_name="invoices")
    op.drop_index("ix_subscriptions_renewing", table_name="subscriptions")
    op.drop_column("payment_attempts", "sent_at")
    for column in INVOICE_INSTANTS:
        op.drop_column("invoices", column)
    for column in ("paused_at", "renewal_open", "anchor_months", "next_price_id"):
        op.drop_column("subscriptions", column)
