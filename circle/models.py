"""Imports every feature's tables, so that the metadata is complete."""

from circle.accounts import models as accounts
from circle.archive import export_models as exports
from circle.archive import models as archive
from circle.archive import reading_models as archive_reading
from circle.archive import shelf_models as archive_shelf
from circle.archive.search import models as archive_search
from circle.billing import inbox_models as billing_inbox
from circle.billing import models as billing
from circle.billing import offer_models as offers
from circle.billing import oversight_models as billing_oversight
from circle.billing import payout_models as payouts
from circle.billing.providers import sandbox_tables
from circle.checkins import entry_models as check_ins
from circle.checkins import models as checkins
from circle.circles import models as circles
from circle.homework import models as homework
from circle.homework import review_models as homework_reviews
from circle.kernel import audit, changes, idempotency, outbox, shared_clock
from circle.kernel.db import Base
from circle.media import models as media
from circle.memberships import models as memberships
from circle.notifications import hook_models as notification_hooks
from circle.notifications import models as notifications
from circle.posts import filing
from circle.posts import models as posts

__all__ = [
    "Base",
    "accounts",
    "archive",
    "archive_reading",
    "archive_search",
    "archive_shelf",
    "audit",
    "billing",
    "billing_inbox",
    "billing_oversight",
    "changes",
    "check_ins",
    "checkins",
    "circles",
    "exports",
    "filing",
    "homework",
    "homework_reviews",
    "idempotency",
    "media",
    "memberships",
    "notification_hooks",
    "notifications",
    "offers",
    "outbox",
    "payouts",
    "posts",
    "sandbox_tables",
    "shared_clock",
]
