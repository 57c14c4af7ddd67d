"""The data map: which table's rows are about whom. A test fails on a column that points at people and is not here."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from circle.kernel.db import Base
from circle.kernel.uow import UnitOfWork

# Table → the column that names the person whose rows these are.
OWNED: dict[str, str] = {
    "users": "id",
    "identities": "user_id",
    "sessions": "user_id",
    "personal_tokens": "user_id",
    "circles": "owner_id",
    "memberships": "user_id",
    "grants": "user_id",
    "trials": "user_id",
    "media": "owner_id",
    "exports": "requested_by",
    "posts": "author_id",
    "answers": "author_id",
    "comments": "author_id",
    "reactions": "user_id",
    "mentions": "user_id",
    "post_reads": "user_id",
    "circle_reads": "user_id",
    "bookmarks": "user_id",
    "bookmark_folders": "user_id",
    "reports": "reporter_id",
    "notifications": "user_id",
    "notification_switches": "user_id",
    "notice_hooks": "user_id",
    "hook_deliveries": "user_id",
    "quiet_hours": "user_id",
    "payment_methods": "user_id",
    "subscriptions": "user_id",
    "checkouts": "user_id",
    "invoices": "payer_id",
    "discounts": "user_id",
    "gifts": "buyer_id",
    "quotes": "user_id",
    "price_changes": "user_id",
    "payout_accounts": "set_by",
    "camp_members": "user_id",
    "check_in_days": "user_id",
    "camp_standings": "user_id",
    "check_ins": "user_id",
    "check_in_likes": "user_id",
    "check_in_comments": "author_id",
    "certificates": "user_id",
    "works": "user_id",
    "submissions": "author_id",
    "homework_drafts": "user_id",
    "extensions": "user_id",
    "homework_reminders": "user_id",
    "assignment_members": "user_id",
    "reviews": "reviewer_id",
    "peer_tasks": "reviewer_id",
}

# Columns that point at a person but whose row is about somebody or something else.
ABOUT_OTHERS: dict[str, str] = {
    "memberships.inviter_id": "the row is the invited person's",
    "reports.resolved_by": "the row is the reporter's",
    "invitations.created_by": "belongs to the circle",
    "post_revisions.editor_id": "goes with the post, whose author has it",
    "answer_revisions.editor_id": "goes with the answer, whose author has it",
    "questions.asked_id": "goes with the post of the asker",
    "transfer_offers.to_user_id": "belongs to the circle",
    "transfer_offers.offered_by": "belongs to the circle",
    "imports.requested_by": "belongs to the circle",
    "post_pins.pinned_by": "belongs to the circle",
    "search_documents.author_id": "made of what they wrote, which has its own rows",
    "assignments.author_id": "belongs to the circle",
    "works.claimed_by": "the row is the author's",
    "extensions.granted_by": "the row is the member's who got it",
    "review_revisions.changed_by": "goes with the review",
    "peer_tasks.author_id": "the row is the reviewer's",
    "camps.created_by": "belongs to the circle",
    "check_ins.noted_by": "the row is the author's",
    "certificates.revoked_by": "the row is the holder's",
    "coupons.created_by": "belongs to the circle",
    "gifts.claimed_by": "the row is the buyer's; the term that it gave is among the grants",
    "price_campaigns.created_by": "belongs to the circle",
    "refunds.requested_by": "accounting; goes with the invoice",
    "payouts.requested_by": "accounting; belongs to the circle",
    "fingerprints.confirmed_by": "an operator's act",
}

# Never shown, not even to the person: what proves them, and what a creator wrote for themselves.
HIDDEN = frozenset({"password_hash", "token_hash", "code_hash", "note"})


class DataMap:
    """Reads a person's rows table by table."""

    def of(self, uow: UnitOfWork, user_id: UUID) -> dict[str, list[dict[str, Any]]]:
        tables = Base.metadata.tables
        return {name: self._rows(uow, tables[name], column, user_id) for name, column in OWNED.items()}

    @staticmethod
    def _rows(uow: UnitOfWork, table: Table, column: str, user_id: UUID) -> list[dict[str, Any]]:
        shown = [one for one in table.columns if one.name not in HIDDEN]
        rows = uow.session.execute(select(*shown).where(table.c[column] == user_id).order_by(*table.primary_key))
        return [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID | datetime | date | Decimal | bytes) else value
