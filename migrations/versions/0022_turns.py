"""Exports and imports take turns, in two lines; certificates are printed circle by circle; what one circle may import.

An export of the release before has no `turn_at` and counts for nobody's turn.

Revision: 0022, after 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDEXES = (
    ("uq_exports_turn", "UNIQUE", "exports", "(circle_id, is_long) WHERE status = 'running' AND turn_at IS NOT NULL"),
    ("ix_exports_turns", "", "exports", "(circle_id, turn_at) WHERE turn_at IS NOT NULL"),
    ("ix_certificates_turns", "", "certificates", "(circle_id, due_at) WHERE due_at IS NOT NULL"),
)
QUOTAS = ("import_bytes_a_day", "import_posts_a_day")


def upgrade() -> None:
    op.execute(
        "ALTER TABLE exports ADD COLUMN IF NOT EXISTS is_long boolean DEFAULT false NOT NULL,"
        " ADD COLUMN IF NOT EXISTS turn_at timestamptz"
    )
    op.execute("ALTER TABLE imports ADD COLUMN IF NOT EXISTS is_long boolean DEFAULT false NOT NULL")
    columns = ", ".join(f"ADD COLUMN IF NOT EXISTS {name} bigint" for name in QUOTAS)
    op.execute(f"ALTER TABLE circle_storage {columns}")
    with op.get_context().autocommit_block():
        for name in QUOTAS:
            rule = f"ck_circle_storage_{name}"
            op.execute(
                f"-- squawk-ignore ban-drop-constraint\nALTER TABLE circle_storage DROP CONSTRAINT IF EXISTS {rule}"
            )
            op.execute(f"ALTER TABLE circle_storage ADD CONSTRAINT {rule} CHECK ({name} >= 0) NOT VALID")
            op.execute(f"ALTER TABLE circle_storage VALIDATE CONSTRAINT {rule}")
        for name, unique, table, columns in INDEXES:
            # One that was interrupted is there and of no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {unique} INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} {columns}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, _unique, _table, _columns in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    for name in QUOTAS:
        op.drop_column("circle_storage", name)
    op.drop_column("imports", "is_long")
    op.drop_column("exports", "turn_at")
    op.drop_column("exports", "is_long")
