"""The outbox is delivered circle by circle: a message that is due and not taken has a turn.

Those that wait already get theirs from the relay, as those do that the release before writes.

Revision: 0017, after 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WAITS = "delivered_at IS NULL AND failed_at IS NULL"
INDEXES = {
    "ix_outbox_later": f"(due_at) WHERE turn IS NULL AND {WAITS}",
    "ix_outbox_turn": f"(topic, turn, due_at) WHERE turn IS NOT NULL AND {WAITS}",
}


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ADD COLUMN IF NOT EXISTS turn bigint")
    with op.get_context().autocommit_block():
        for name, covered in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON outbox {covered}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.drop_column("outbox", "turn")
