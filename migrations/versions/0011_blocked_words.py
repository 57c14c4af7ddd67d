"""Circles count their blocked words, so that where there are none nobody looks for them.

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COUNT = """
UPDATE circles SET blocked_words = counted.words
FROM (SELECT circle_id, count(*) AS words FROM blocked_words GROUP BY circle_id) AS counted
WHERE circles.id = counted.circle_id
"""


def upgrade() -> None:
    op.add_column("circles", sa.Column("blocked_words", sa.Integer(), server_default="0", nullable=False))
    op.execute(COUNT)


def downgrade() -> None:
    op.drop_column("circles", "blocked_words")
