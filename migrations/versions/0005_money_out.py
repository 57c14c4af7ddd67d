"""Money out: payouts, settlement lines, the breaker.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = (
    "charge_days",
    "breaker_trips",
    "reconciliation_findings",
    "reconciled_days",
    "settlement_lines",
    "sandbox_payouts",
    "payouts",
    "payout_accounts",
)


def upgrade() -> None:
    # First, so that a revision which fails can be run again.
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_payment_attempts_settled",
            "payment_attempts",
            ["settled_at"],
            postgresql_where=sa.text("status = 'succeeded'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_refunds_settled",
            "refunds",
            ["settled_at"],
            postgresql_where=sa.text("status = 'succeeded'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
    op.create_table(
        "payout_accounts",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_payout_accounts_circle_id")),
        sa.ForeignKeyConstraint(["set_by"], ["users.id"], name=op.f("fk_payout_accounts_set_by")),
        sa.PrimaryKeyConstraint("circle_id", name=op.f("pk_payout_accounts")),
    )
    op.create_index(op.f("ix_payout_accounts_set_by"), "payout_accounts", ["set_by"])
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("payee", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'in_transit', 'succeeded', 'failed', 'canceled')",
            name=op.f("ck_payouts_status"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payouts_amount")),
        sa.CheckConstraint("(provider IS NULL) = (payee IS NULL)", name=op.f("ck_payouts_payee")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_payouts_circle_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_payouts_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("number", name=op.f("uq_payouts_number")),
    )
    op.create_index("ix_payouts_circle", "payouts", ["circle_id", "created_at", "id"])
    op.create_index(
        "ix_payouts_lease",
        "payouts",
        ["lease_until"],
        postgresql_where=sa.text("status IN ('approved', 'in_transit') AND provider IS NOT NULL"),
    )
    op.create_index(
        "ix_payouts_open",
        "payouts",
        ["created_at"],
        postgresql_where=sa.text("status IN ('requested', 'approved', 'in_transit')"),
    )
    op.create_table(
        "sandbox_payouts",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("payee", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("settles_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sandbox_payouts")),
    )
    op.create_index("ix_sandbox_payouts_settled", "sandbox_payouts", ["settled_at"])
    op.create_index(
        "ix_sandbox_payouts_settles",
        "sandbox_payouts",
        ["settles_at"],
        postgresql_where=sa.text("state = 'processing'"),
    )
    op.create_table(
        "settlement_lines",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "kind", "number", name=op.f("pk_settlement_lines")),
    )
    op.create_index("ix_settlement_lines_day", "settlement_lines", ["provider", "day"])
    op.create_table(
        "reconciled_days",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("pk_reconciled_days")),
    )
    op.create_table(
        "reconciliation_findings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("theirs", sa.BigInteger(), nullable=True),
        sa.Column("ours", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "what IN ('theirs_only', 'ours_only', 'amount_differs')", name=op.f("ck_reconciliation_findings_what")
        ),
        sa.CheckConstraint(
            "status IN ('repaired', 'frozen', 'settled')", name=op.f("ck_reconciliation_findings_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_findings")),
        sa.UniqueConstraint(
            "provider",
            "kind",
            "number",
            "what",
            name=op.f("uq_reconciliation_findings_provider_kind_number_what"),
        ),
    )
    op.create_index(
        "ix_reconciliation_findings_frozen",
        "reconciliation_findings",
        ["number"],
        postgresql_where=sa.text("status = 'frozen'"),
    )
    op.create_table(
        "breaker_trips",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("tripped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breaker_trips")),
    )
    op.create_index(
        "uq_breaker_trips_open",
        "breaker_trips",
        ["rule"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "charge_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("unasked", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_charge_days")),
    )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_refunds_settled", table_name="refunds", postgresql_concurrently=True, if_exists=True)
        op.drop_index(
            "ix_payment_attempts_settled", table_name="payment_attempts", postgresql_concurrently=True, if_exists=True
        )
    for table in TABLES:
        op.drop_table(table)
