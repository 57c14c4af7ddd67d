"""Search: the index of everything that was written.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "search_documents",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("shown_at", INSTANT, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("gained", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("terms", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('post', 'answer', 'comment', 'file', 'submission')", name=op.f("ck_search_documents_kind")
        ),
        sa.CheckConstraint("(kind = 'submission') = (post_id IS NULL)", name=op.f("ck_search_documents_post")),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_search_documents_circle_id")),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_search_documents_post_id")),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_search_documents_author_id")),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_search_documents")),
    )
    # Texts, keys and words stand aside, so that a common word reads few pages; room on each lets words be added in place.
    op.execute("ALTER TABLE search_documents SET (toast_tuple_target = 256, fillfactor = 85)")
    op.create_index(
        "ix_search_documents_terms",
        "search_documents",
        ["terms"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 1024},
    )
    op.create_index(
        "ix_search_documents_newest",
        "search_documents",
        ["circle_id", sa.text("shown_at DESC"), sa.text("subject_id DESC")],
    )
    op.create_index(
        "ix_search_documents_post", "search_documents", ["post_id"], postgresql_where=sa.text("post_id IS NOT NULL")
    )
    op.create_table(
        "search_due",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("kind IN ('post', 'work', 'file', 'words')", name=op.f("ck_search_due_kind")),
        sa.PrimaryKeyConstraint("kind", "subject_id", name=op.f("pk_search_due")),
    )
    op.create_index("ix_search_due_due", "search_due", ["kind", "due_at"])
    op.create_table(
        "search_misses",
        sa.Column("circle_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["circle_id"], ["circles.id"], name=op.f("fk_search_misses_circle_id")),
        sa.PrimaryKeyConstraint("circle_id", "day", "query", name=op.f("pk_search_misses")),
    )
    # What was written before there was an index: workers take it from here.
    op.execute(
        "INSERT INTO search_due (kind, subject_id, due_at) SELECT 'post', id, now() FROM posts WHERE status = 'published'"
    )
    op.execute("INSERT INTO search_due (kind, subject_id, due_at) SELECT 'work', id, now() FROM works WHERE attempts > 0")


def downgrade() -> None:
    op.drop_table("search_misses")
    op.drop_table("search_due")
    op.drop_table("search_documents")
