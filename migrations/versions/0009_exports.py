"""Exports, undo of imports, feeds.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IMPORT_CHECKS = {
    "format": ("format IN ('markdown')", "format IN ('markdown', 'planet', 'circle')"),
    "status": (
        "status IN ('queued', 'running', 'done', 'failed')",
        "status IN ('queued', 'running', 'done', 'failed', 'undoing', 'undone')",
    ),
    "finished": (
        "(finished_at IS NOT NULL) = (status IN ('done', 'failed'))",
        "(finished_at IS NULL) = (status IN ('queued', 'running'))",
    ),
}
OPEN_IMPORTS = ("status IN ('queued', 'running')", "status IN ('queued', 'running', 'undoing')")


def upgrade() -> None:
    _rule_imports(new=1)
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('mine', 'circle')", name=op.f("ck_exports_scope")),
        sa.CheckConstraint("format IN ('markdown', 'epub', 'archive')", name=op.f("ck_exports_format")),
        sa.CheckConstraint("(scope = 'circle') = (format = 'archive')", name=op.f("ck_exports_scope_format")),
        sa.CheckConstraint("status IN ('queued', 'running', 'ready', 'failed')", name=op.f("ck_exports_status")),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (status IN ('queued', 'running'))", name=op.f("ck_exports_finished")
        ),
        sa.CheckConstraint(
            "(status = 'ready') = (num_nonnulls(media_id, size, expires_at) = 3)", name=op.f("ck_exports_ready")
        ),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_exports_circle_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_exports_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    is_open = sa.text("status IN ('queued', 'running')")
    op.create_index("uq_exports_open", "exports", ["circle_id", "requested_by"], unique=True, postgresql_where=is_open)
    op.create_index("ix_exports_own", "exports", ["requested_by", "circle_id", "id"])
    op.create_index("ix_exports_due", "exports", ["leased_until"], postgresql_where=is_open)
    op.create_index(
        "ix_exports_finished", "exports", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL")
    )
    op.create_table(
        "imported_records",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_imported_records_circle_id")),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_imported_records_import_id")),
        sa.PrimaryKeyConstraint("circle_id", "file", "number", name=op.f("pk_imported_records")),
    )
    op.create_index(op.f("ix_imported_records_import_id"), "imported_records", ["import_id"])


def downgrade() -> None:
    _rule_imports(new=0)
    op.drop_table("imported_records")
    op.drop_table("exports")


def _rule_imports(new: int) -> None:
    """Replace what an import may be; each statement by itself and such that it can be done again."""
    with op.get_context().autocommit_block():
        for name, expressions in IMPORT_CHECKS.items():
            constraint = f"ck_imports_{name}"
            # Widened at once by the next statement: nobody's assumption ends.
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE imports DROP CONSTRAINT IF EXISTS {constraint}")
            op.execute(f"ALTER TABLE imports ADD CONSTRAINT {constraint} CHECK ({expressions[new]}) NOT VALID")
            op.execute(f"ALTER TABLE imports VALIDATE CONSTRAINT {constraint}")
        open_one = OPEN_IMPORTS[new]
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_imports_open")
        op.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_imports_open ON imports (circle_id) WHERE {open_one}"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_imports_due")
        op.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_imports_due ON imports (leased_until) WHERE {open_one}"
        )
