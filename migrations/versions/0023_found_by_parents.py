"""Rows are found by what they belong to: comments by post, invoices by subscription, reviews by submission and so on.

So is what housekeeping and probes look for.

Revision: 0023, after 0022
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_answers_author_id": "answers (author_id)",
    "ix_assignments_all": "assignments (circle_id, id)",
    "ix_check_in_comments_check_in": "check_in_comments (check_in_id, id)",
    "ix_checkouts_user_id": "checkouts (user_id)",
    "ix_column_items_section": "column_items (section_id) WHERE section_id IS NOT NULL",
    "ix_comments_author_id": "comments (author_id)",
    "ix_comments_repliers": "comments (post_id, status, author_id)",
    "ix_grants_circle": "grants (circle_id, id)",
    "ix_grants_user_id": "grants (user_id)",
    "ix_invoices_circle": "invoices (circle_id, id)",
    "ix_invoices_renewals": "invoices (circle_id) WHERE kind = 'renewal' AND status = 'open'",
    "ix_invoices_subscription": "invoices (subscription_id) WHERE subscription_id IS NOT NULL",
    "ix_media_circle": "media (circle_id) WHERE circle_id IS NOT NULL",
    "ix_mentions_user_id": "mentions (user_id)",
    "ix_notifications_age": "notifications USING brin (created_at)",
    "ix_one_time_codes_value": "one_time_codes (value)",
    "ix_outbox_delivered": "outbox (delivered_at) WHERE delivered_at IS NOT NULL",
    "ix_outbox_failed": "outbox (failed_at) WHERE failed_at IS NOT NULL",
    "ix_posts_import": "posts (import_id, id) WHERE import_id IS NOT NULL",
    "ix_reactions_user_id": "reactions (user_id)",
    "ix_reports_reporter_id": "reports (reporter_id)",
    "ix_reviews_circle": "reviews (circle_id, id)",
    "ix_reviews_submission_id": "reviews (submission_id)",
    "ix_settlement_lines_of_day": "settlement_lines (day, provider)",
    "ix_submissions_circle": "submissions (circle_id, id)",
    "ix_subscriptions_circle": "subscriptions (circle_id, id)",
    "ix_subscriptions_payment_method": "subscriptions (payment_method_id) WHERE payment_method_id IS NOT NULL",
    "ix_works_circle": "works (circle_id, id)",
}
# The new ones have all rows, or serve who doesn't know the provider.
REPLACED = {
    "ix_check_in_comments_entry": "check_in_comments (check_in_id, id) WHERE removed_at IS NULL",
    "ix_settlement_lines_day": "settlement_lines (provider, day)",
}


def upgrade() -> None:
    make(INDEXES)
    drop(REPLACED)


def downgrade() -> None:
    make(REPLACED)
    drop(INDEXES)


def make(indexes: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        for name, covered in indexes.items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {covered}")


def drop(indexes: dict[str, str]) -> None:
    with op.get_context().autocommit_block():
        for name in indexes:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
