"""Attachments count against the space of their circle.

What is attached already is counted; what a process of the release before attaches meanwhile is not, and what it lets go
is given back when it is deleted. `circle quota CIRCLE_ID --recount` sets it right at once.

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# What shows attachments, and of which circle it is.
PARENTS = (
    *(f"{table} AS parent" for table in ("posts", "answers", "assignments", "submissions", "reviews")),
    "(SELECT one.id, camps.circle_id FROM check_ins AS one JOIN camps ON camps.id = one.camp_id) AS parent",
    "(SELECT one.id, assignments.circle_id FROM homework_drafts AS one"
    " JOIN assignments ON assignments.id = one.assignment_id) AS parent",
)


def upgrade() -> None:
    op.create_table(
        "circle_storage",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("quota", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_circle_storage_bytes")),
        sa.CheckConstraint("quota >= 0", name=op.f("ck_circle_storage_quota")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_circle_storage_circle_id")),
        sa.PrimaryKeyConstraint("circle_id", name=op.f("pk_circle_storage")),
        if_not_exists=True,
    )
    op.execute("ALTER TABLE media ADD COLUMN IF NOT EXISTS circle_id uuid, ADD COLUMN IF NOT EXISTS counted bigint")
    with op.get_context().autocommit_block():
        for name, rule in (
            ("fk_media_circle_id", "FOREIGN KEY (circle_id) REFERENCES circles (id)"),
            ("ck_media_counted", "CHECK (num_nulls(circle_id, counted) IN (0, 2))"),
        ):
            op.execute(f"-- squawk-ignore ban-drop-constraint\nALTER TABLE media DROP CONSTRAINT IF EXISTS {name}")
            op.execute(f"ALTER TABLE media ADD CONSTRAINT {name} {rule} NOT VALID")
            op.execute(f"ALTER TABLE media VALIDATE CONSTRAINT {name}")
        for source in PARENTS:
            op.execute(
                f"UPDATE media SET circle_id = parent.circle_id, counted = size FROM {source}"
                " WHERE parent.id = media.attached_to AND media.circle_id IS NULL"
            )
        op.execute(
            "INSERT INTO circle_storage (circle_id, bytes)"
            " SELECT circle_id, sum(counted) FROM media WHERE circle_id IS NOT NULL GROUP BY circle_id"
            " ON CONFLICT (circle_id) DO UPDATE SET bytes = excluded.bytes"
        )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_media_counted"), "media", type_="check")
    op.drop_constraint(op.f("fk_media_circle_id"), "media", type_="foreignkey")
    op.drop_column("media", "counted")
    op.drop_column("media", "circle_id")
    op.drop_table("circle_storage")
