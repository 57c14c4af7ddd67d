"""Uploads that wait for processing have a place of their own: many of one person hold up nobody else's.

Revision: 0019, after 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_media_turn": "(turn_at NULLS FIRST) WHERE due_at IS NOT NULL",
    "ix_media_turns_of": "(owner_id, turn_at) WHERE due_at IS NOT NULL",
}


def upgrade() -> None:
    op.execute("ALTER TABLE media ADD COLUMN IF NOT EXISTS turn_at timestamptz")
    with op.get_context().autocommit_block():
        for name, covered in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON media {covered}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.drop_column("media", "turn_at")
