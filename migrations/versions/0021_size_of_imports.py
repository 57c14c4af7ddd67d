"""Imports know how large their archive was: a circle has a quota of a day.

Revision: 0021, after 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("imports", sa.Column("size", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("imports", "size")
