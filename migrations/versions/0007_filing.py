"""Filing and resurfacing: pins, bookmarks, reading paths, value scores.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Each by itself, and such that it can be done again: nobody waits for a long statement.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE post_reads ADD COLUMN IF NOT EXISTS position integer")
        op.create_index(
            "ix_post_reads_unfinished",
            "post_reads",
            ["user_id", sa.text("last_read_at DESC"), sa.text("post_id DESC")],
            postgresql_where=sa.text("progress < 95"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.create_index(
            "ix_post_reads_post",
            "post_reads",
            ["post_id", "progress"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
    op.create_table(
        "post_pins",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("pinned_by", sa.Uuid(), nullable=False),
        sa.Column("pinned_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.CheckConstraint("slot BETWEEN 1 AND 5", name=op.f("ck_post_pins_slot")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_post_pins_circle_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_post_pins_post_id")),
        sa.ForeignKeyConstraint(["pinned_by"], ["users.id"], name=op.f("fk_post_pins_pinned_by")),
        sa.PrimaryKeyConstraint("circle_id", "slot", name=op.f("pk_post_pins")),
        sa.UniqueConstraint("post_id", name=op.f("uq_post_pins_post_id")),
    )
    op.create_table(
        "start_here",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_start_here_circle_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_start_here_post_id")),
        sa.PrimaryKeyConstraint("circle_id", "post_id", name=op.f("pk_start_here")),
    )
    op.create_index("ix_start_here_order", "start_here", ["circle_id", "position"])
    op.create_table(
        "bookmark_folders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bookmark_folders_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookmark_folders")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_bookmark_folders_user_id_name")),
    )
    op.create_table(
        "bookmarks",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("folder_id", sa.Uuid(), nullable=True),
        sa.Column("own_note", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bookmarks_user_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_bookmarks_post_id")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_bookmarks_circle_id")),
        sa.ForeignKeyConstraint(["folder_id"], ["bookmark_folders.id"], name=op.f("fk_bookmarks_folder_id")),
        sa.PrimaryKeyConstraint("user_id", "post_id", name=op.f("pk_bookmarks")),
    )
    op.create_index(
        "ix_bookmarks_newest", "bookmarks", ["user_id", sa.text("created_at DESC"), sa.text("post_id DESC")]
    )
    op.create_index("ix_bookmarks_folder_id", "bookmarks", ["folder_id"])
    op.create_index("ix_bookmarks_post_id", "bookmarks", ["post_id"])
    op.create_table(
        "post_scores",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("readers", sa.Integer(), nullable=False),
        sa.Column("finishers", sa.Integer(), nullable=False),
        sa.Column("likers", sa.Integer(), nullable=False),
        sa.Column("keepers", sa.Integer(), nullable=False),
        sa.Column("repliers", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("scored_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_post_scores_post_id")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_post_scores_circle_id")),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_post_scores")),
    )
    op.create_index("ix_post_scores_best", "post_scores", ["circle_id", sa.text("score DESC"), sa.text("post_id DESC")])
    op.create_index(
        "ix_post_scores_read", "post_scores", ["circle_id", sa.text("readers DESC"), sa.text("post_id DESC")]
    )
    op.create_index("ix_post_scores_oldest", "post_scores", ["scored_at"])
    op.create_table(
        "post_scores_due",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_scores_due")),
    )
    op.create_table(
        "circle_reads",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("read_until", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_circle_reads_user_id")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_circle_reads_circle_id")),
        sa.PrimaryKeyConstraint("user_id", "circle_id", name=op.f("pk_circle_reads")),
    )
    op.create_table(
        "weekly_digests",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("week_of", sa.Date(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_weekly_digests_circle_id")),
        sa.PrimaryKeyConstraint("circle_id", "week_of", name=op.f("pk_weekly_digests")),
    )
    op.create_index(
        "ix_weekly_digests_open", "weekly_digests", ["due_at"], postgresql_where=sa.text("finished_at IS NULL")
    )


def downgrade() -> None:
    for table in (
        "weekly_digests",
        "circle_reads",
        "post_scores_due",
        "post_scores",
        "bookmarks",
        "bookmark_folders",
        "start_here",
        "post_pins",
    ):
        op.drop_table(table)
    op.drop_column("post_reads", "position")
    with op.get_context().autocommit_block():
        op.drop_index("ix_post_reads_post", table_name="post_reads", postgresql_concurrently=True)
        op.drop_index("ix_post_reads_unfinished", table_name="post_reads", postgresql_concurrently=True)
