"""Accounts: when a credential last wrote, so that its reads find that though a standby may not show it yet.

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = ("sessions", "personal_tokens")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("wrote_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "wrote_at")
