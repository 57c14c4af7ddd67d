"""Providers: what the sandbox and Stripe keep.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_events", sa.Column("reference", sa.Text(), nullable=True))
    op.add_column("sandbox_events", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sandbox_events", "due_at")
    op.drop_column("provider_events", "reference")
