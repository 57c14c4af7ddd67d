"""Homework names its files, so that a version may show again what an earlier one brought; what happened stays as it was.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WITH_FILES = ("submissions", "homework_drafts")

# What was handed in, who got more time, and what a review said before it was changed.
APPEND_ONLY = ("submissions", "extensions", "review_revisions")

# A day row changes only to a better kind: until now it could also be written again as what it was.
BETTER_DAYS_ONLY = """
CREATE OR REPLACE FUNCTION keep_check_in_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.camp_id, NEW.user_id, NEW.day) = (OLD.camp_id, OLD.user_id, OLD.day)
        AND array_position(ARRAY['leave', 'made_up', 'done'], NEW.kind)
        > array_position(ARRAY['leave', 'made_up', 'done'], OLD.kind)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a day that was done can not be taken away';
END $$
"""
KEPT_DAYS = BETTER_DAYS_ONLY.replace("        > array_position", "        >= array_position")


def upgrade() -> None:
    for table in WITH_FILES:
        op.add_column(
            table,
            sa.Column("attachments", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        )
        op.execute(
            f"UPDATE {table} AS parent SET attachments = shown.ids FROM ("  # noqa: S608 - our own names
            " SELECT attached_to, array_agg(id ORDER BY position) AS ids FROM media"
            " WHERE purpose = 'submission' AND attached_to IS NOT NULL GROUP BY attached_to"
            ") AS shown WHERE shown.attached_to = parent.id"
        )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(BETTER_DAYS_ONLY)
    op.execute(
        "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON check_in_days"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER refuse_truncate ON check_in_days")
    op.execute(KEPT_DAYS)
    for table in reversed(APPEND_ONLY):
        op.execute(f"DROP TRIGGER refuse_change ON {table}")
    for table in reversed(WITH_FILES):
        op.drop_column(table, "attachments")
