"""Webhooks of notices: where a person's are posted, what came of each try, and a switch for them.

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_hooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("paused_until", sa.DateTime(timezone=True)),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notice_hooks_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_hooks")),
        sa.UniqueConstraint("user_id", name=op.f("uq_notice_hooks_user_id")),
    )
    op.create_table(
        "hook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hook_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["hook_id"], ["notice_hooks.id"], name=op.f("fk_hook_deliveries_hook_id_notice_hooks"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_hook_deliveries_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_deliveries")),
    )
    op.create_index(op.f("ix_hook_deliveries_user_id"), "hook_deliveries", ["user_id"])
    op.create_index("ix_hook_deliveries_hook", "hook_deliveries", ["hook_id", "id"])
    op.create_index("ix_hook_deliveries_tried_at", "hook_deliveries", ["tried_at"])
    op.add_column(
        "notification_switches", sa.Column("webhook", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("notification_switches", "webhook")
    op.drop_table("hook_deliveries")
    op.drop_table("notice_hooks")
