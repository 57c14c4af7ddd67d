"""The data map: whose rows a table holds, and what becomes of every text when an account is deleted.

A test fails on a column that points at people, or that holds text, and is not here.
"""

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
    "check_ins.removed_by": "the row is the author's",
    "posts.digest_by": "the row is the author's",
    "posts.trashed_by": "the row is the author's",
    "audit_log.actor_id": "who did what, by bare ids; append-only by privilege",
    "coupons.created_by": "belongs to the circle",
    "gifts.claimed_by": "the row is the buyer's; the term that it gave is among the grants",
    "price_campaigns.created_by": "belongs to the circle",
    "refunds.requested_by": "accounting; goes with the invoice",
    "payouts.requested_by": "accounting; belongs to the circle",
    "fingerprints.confirmed_by": "an operator's act",
}

# Ids that name no row by a foreign key and that are of things, never of the people in ABOUT_OTHERS.
BARE_IDS_OF_THINGS = frozenset(
    {
        *("subject_id", "source_id", "item_id", "circle_id", "post_id", "import_id", "submission_id", "showcased_id"),
        *("media_id", "avatar_media_id", "cover_media_id", "attached_to", "notification_id", "after_id"),
    }
)

# Tables of OWNED whose rows are deleted with the account.
GONE = frozenset(
    {
        "identities",
        "sessions",
        "personal_tokens",
        "post_reads",
        "circle_reads",
        "bookmarks",
        "bookmark_folders",
        "notifications",
        "notification_switches",
        "notice_hooks",
        "hook_deliveries",
        "quiet_hours",
        "homework_drafts",
    }
)

# Texts of OWNED tables that are emptied with the account; the row stays, because others or the books count on it.
EMPTIED: dict[str, frozenset[str]] = {
    "users": frozenset({"bio", "password_hash"}),
    "memberships": frozenset({"alias", "note", "answers"}),
    "payment_methods": frozenset({"reference"}),
    "gifts": frozenset({"message"}),
    "reports": frozenset({"note"}),
    "extensions": frozenset({"note"}),
    "check_ins": frozenset({"body", "teacher_note"}),
    "check_in_comments": frozenset({"body"}),
    "certificates": frozenset({"holder"}),
}

# Texts of OWNED tables that stay under the bare id, and why.
KEPT: dict[str, tuple[frozenset[str], str]] = {
    "users": (frozenset({"display_name", "language", "timezone"}), "the name becomes that of a deleted account"),
    "reports": (frozenset({"reason"}), "a code word"),
    "circles": (
        frozenset({"slug", "name", "description", "category", "timezone", "rules", "questionnaire"}),
        "an owner deletes the account after closing the circle, which its members may still read",
    ),
    "posts": (
        frozenset({"title", "body", "excerpt", "attachments", "reaction_counts", "import_key"}),
        "published for others, who paid for it; drafts go to the trash and are purged",
    ),
    "answers": (frozenset({"body", "attachments"}), "published for others"),
    "comments": (frozenset({"body"}), "published for others"),
    "reactions": (frozenset({"emoji"}), "a count"),
    "media": (
        frozenset({"filename", "content_type", "object_key", "large_key", "thumb_key", "sha256", "error"}),
        "goes with what it is attached to; deleted with its object otherwise",
    ),
    "exports": (frozenset({"refusal"}), "a message of ours; the file is deleted"),
    "submissions": (frozenset({"body", "attachments"}), "handed in, reviewed and counted"),
    "reviews": (frozenset({"rubric", "body", "remarks"}), "belongs to the reviewed work"),
    "certificates": (
        frozenset({"code", "camp_title", "circle_name", "error", "revoked_for"}),
        "whoever scans the code learns that it was withdrawn",
    ),
    "gifts": (frozenset({"code_hash"}), "a code that was paid for may still be claimed"),
    "grants": (frozenset({"revoked_for"}), "a code word"),
    "discounts": (frozenset({"price_ids"}), "accounting"),
    "invoices": (frozenset({"number"}), "accounting"),
    "payout_accounts": (frozenset({"reference"}), "a closed circle's last money is still owed to it"),
    "subscriptions": (frozenset({"timezone"}), "accounting: the days of its terms"),
    "homework_reminders": (frozenset({"key"}), "a key of ours"),
}

# Columns of this name hold a word of ours or a number in the books, whichever table they are in.
WORDS_OF_OURS = frozenset(
    {
        "kind",
        "status",
        "state",
        "role",
        "scope",
        "format",
        "source",
        "purpose",
        "provider",
        "currency",
        "collection",
        "outcome",
        "verdict",
        "subject_kind",
        "access_level",
        "preview_policy",
        "join_policy",
        "after_expiry",
        "content_protection",
        "late_policy",
        "visibility",
        "schedule_kind",
        "trashed_from",
        "interval",
        "duration",
        "failure_code",
        "retry",
    }
)

# Texts of tables that are nobody's: what a circle says, what the books need, or what is forgotten by itself in time.
OF_NOBODY: dict[str, tuple[frozenset[str], str]] = {
    "answer_revisions": (frozenset({"body"}), "goes with the answer"),
    "assignments": (frozenset({"title", "brief", "audience", "rubric"}), "the circle's"),
    "audit_log": (frozenset({"action", "data"}), "who did what, by bare ids; append-only by privilege"),
    "blocked_words": (frozenset({"word", "action"}), "the circle's"),
    "breaker_trips": (frozenset({"rule", "detail"}), "the operator's"),
    "camp_tallies": (frozenset({"by"}), "a code word"),
    "camp_themes": (frozenset({"title", "body"}), "the circle's"),
    "camps": (frozenset({"title", "rules", "timezone", "weekdays", "dates", "windows", "requirement"}), "the circle's"),
    "changes": (frozenset({"operation"}), "a code word"),
    "check_in_versions": (frozenset({"body", "attachments"}), "deleted with the words of the entry"),
    "column_sections": (frozenset({"name"}), "the circle's"),
    "columns": (frozenset({"name", "intro", "import_key"}), "the circle's"),
    "coupons": (frozenset({"code", "price_ids", "note"}), "the circle's"),
    "fingerprints": (frozenset({"fingerprint"}), "the operator's"),
    "idempotency_keys": (frozenset({"key_hash", "fingerprint", "answer"}), "forgotten after a day"),
    "imported_files": (frozenset({"import_key", "source_hash", "text_hash"}), "the circle's"),
    "imported_records": (frozenset({"file", "row"}), "what another installation's books said; the circle's"),
    "imports": (frozenset({"options", "counts", "report", "refusal"}), "the circle's"),
    "invitations": (frozenset({"code", "note"}), "the circle's"),
    "mailbox_messages": (
        frozenset({"key", "channel", "to", "subject", "body"}),
        "test mode and development only; forgotten in days",
    ),
    "one_time_codes": (frozenset({"value", "code_hash"}), "deleted with the ways to log in"),
    "outbox": (frozenset({"key", "topic", "payload", "error"}), "forgotten when it was delivered"),
    "payment_attempts": (
        frozenset({"number", "method_reference", "reference", "action", "received_currency"}),
        "accounting: what was asked of a provider",
    ),
    "payouts": (frozenset({"number", "payee", "note", "reference"}), "accounting"),
    "post_revisions": (frozenset({"title", "body"}), "goes with the post"),
    "provider_events": (frozenset({"event_id", "number", "reference", "result"}), "accounting"),
    "reconciliation_findings": (frozenset({"number", "what", "note"}), "accounting"),
    "refunds": (frozenset({"number", "reference", "reason"}), "accounting: why money went back is a part of it"),
    "review_revisions": (frozenset({"rubric", "body"}), "goes with the review"),
    "sandbox_charges": (frozenset({"number", "token", "code", "action_url"}), "the play provider's books"),
    "sandbox_events": (frozenset({"number"}), "the play provider's books"),
    "sandbox_payouts": (frozenset({"number", "payee", "code"}), "the play provider's books"),
    "sandbox_refunds": (frozenset({"number", "charge_number"}), "the play provider's books"),
    "search_documents": (
        frozenset({"title", "text", "headings", "content", "terms", "words"}),
        "made of what was written, and goes with it",
    ),
    "search_misses": (frozenset({"query"}), "nobody's name is with it; forgotten in time"),
    "settlement_lines": (frozenset({"number"}), "accounting"),
    "tags": (frozenset({"name", "path"}), "the circle's"),
    "tiers": (frozenset({"name", "description"}), "the circle's"),
}

# Never in the copy: what proves a person, and what others do with what is theirs. Scores that are held back and authors
# who are anonymous are told as everywhere else (`circle/homework/told.py`).
HIDDEN = frozenset(
    {
        "users.password_hash",
        "sessions.token_hash",
        "personal_tokens.token_hash",
        "gifts.code_hash",
        "memberships.note",
        # Whether a teacher has looked already, and which, tells of a judgement that may be held back.
        "works.waiting_since",
        "works.claimed_by",
        "works.claimed_until",
    }
)
