"""Posting owes the index of search: comments are owed one by one. The index knows the headings of articles.

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

NAME = "ck_search_due_kind"
OWE_ARTICLES = """
INSERT INTO search_due (kind, subject_id, due_at)
SELECT 'post', id, now() FROM posts WHERE status = 'published' AND kind = 'article'
ON CONFLICT (kind, subject_id) DO NOTHING
"""


def upgrade() -> None:
    _allow("'post', 'comment', 'work', 'file', 'words'")
    op.add_column("search_documents", sa.Column("headings", sa.Text(), server_default="", nullable=False))
    op.execute(OWE_ARTICLES)


def downgrade() -> None:
    op.drop_column("search_documents", "headings")
    op.execute("DELETE FROM search_due WHERE kind = 'comment'")
    _allow("'post', 'work', 'file', 'words'")


def _allow(kinds: str) -> None:
    """Swap the check: the new one is validated in a transaction of its own."""
    with op.get_context().autocommit_block():
        op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE search_due DROP CONSTRAINT IF EXISTS {NAME}")
        op.execute(f"ALTER TABLE search_due ADD CONSTRAINT {NAME} CHECK (kind IN ({kinds})) NOT VALID")
        op.execute(f"ALTER TABLE search_due VALIDATE CONSTRAINT {NAME}")
