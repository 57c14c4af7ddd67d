"""What a creator's export holds, table by table: docs/export-format.md for people, this list for the code.

Every table of a circle is in TABLES or in LEFT_OUT; a test fails on one that nobody has decided on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, or_, select, tuple_, union_all

from circle.accounts.models import User
from circle.archive.shelf_models import PostPin, StartHere
from circle.billing import models as billing
from circle.checkins import entry_models as entries
from circle.checkins import models as camps
from circle.circles import models as circles
from circle.homework import models as homework
from circle.homework import review_models as reviews
from circle.kernel.db import Base
from circle.media.models import Media, MediaStatus
from circle.memberships import models as memberships
from circle.posts import filing
from circle.posts import models as posts

VERSION = 1
FORMAT = "circle-export"

_AUTHORS_ALONE = (posts.PostStatus.DRAFT, posts.PostStatus.SCHEDULED, posts.PostStatus.UNPAID)


@dataclass(frozen=True, slots=True)
class Whose:
    """The circle that is exported, and its owner."""

    circle_id: UUID
    owner_id: UUID


Where = Callable[[Whose], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of the export. `hidden` columns stay behind; an `is_record` row never comes to life again."""

    model: type[Base]
    where: Where
    hidden: frozenset[str] = frozenset()
    is_record: bool = False

    @property
    def table(self) -> Table:
        return Base.metadata.tables[self.model.__tablename__]

    @property
    def file(self) -> str:
        return f"data/{self.model.__tablename__}.jsonl"

    @property
    def columns(self) -> list[Any]:
        return [column for column in self.table.columns if column.name not in self.hidden]

    def page(self, whose: Whose, after: tuple[Any, ...] | None, limit: int) -> Select[*tuple[Any, ...]]:
        """Select the rows after a primary key, in its order."""
        key = list(self.table.primary_key)
        chosen = select(*self.columns).where(self.where(whose)).order_by(*key).limit(limit)
        return chosen if after is None else chosen.where(tuple_(*key) > tuple_(*after))


def _of_circle(model: Any) -> Where:
    return lambda whose: model.circle_id == whose.circle_id


def _below(column: Any, parent: Any, where: Where) -> Where:
    """Rows whose parent is exported."""
    return lambda whose: column.in_(select(parent.id).where(where(whose)))


def _posts(whose: Whose) -> ColumnElement[bool]:
    """What nobody but its author may see stays the author's."""
    is_owners = posts.Post.author_id == whose.owner_id
    return and_(
        posts.Post.circle_id == whose.circle_id,
        posts.Post.purged_at.is_(None),
        or_(posts.Post.status.not_in(_AUTHORS_ALONE), is_owners),
    )


def _of_posts(column: Any) -> Where:
    return _below(column, posts.Post, _posts)


def _of_answers(column: Any) -> Where:
    return _below(column, posts.Answer, _of_posts(posts.Answer.post_id))


def _of_assignments(column: Any) -> Where:
    return _below(column, homework.Assignment, _of_circle(homework.Assignment))


def _of_camps(column: Any) -> Where:
    return _below(column, camps.Camp, _of_circle(camps.Camp))


_entries = _of_camps(entries.CheckIn.camp_id)


def _of_entries(column: Any) -> Where:
    return _below(column, entries.CheckIn, _entries)


def _people(whose: Whose) -> ColumnElement[bool]:
    members = select(memberships.Membership.user_id).where(memberships.Membership.circle_id == whose.circle_id)
    return User.id.in_(members)


def _media(whose: Whose) -> ColumnElement[bool]:
    shown_by: Mapping[Any, Where] = {
        posts.Post: _posts,
        posts.Answer: _of_posts(posts.Answer.post_id),
        homework.Assignment: _of_circle(homework.Assignment),
        homework.Submission: _of_circle(homework.Submission),
        reviews.Review: _of_circle(reviews.Review),
        entries.CheckIn: _entries,
        filing.Column: _of_circle(filing.Column),
        circles.Circle: lambda one: circles.Circle.id == one.circle_id,
    }
    parents = union_all(*(select(parent.id).where(where(whose)) for parent, where in shown_by.items()))
    return and_(Media.status == MediaStatus.READY, Media.attached_to.in_(parents))


def _orders(whose: Whose) -> ColumnElement[bool]:
    return billing.Invoice.circle_id == whose.circle_id


def _of_orders(column: Any) -> Where:
    return _below(column, billing.Invoice, _orders)


_imported = frozenset({"import_id", "import_key"})
_people_hidden = frozenset({"avatar_media_id", "password_hash", "is_operator", "suspended_at", "timezone", "language"})
_media_hidden = frozenset(
    {
        "circle_id",
        "counted",
        "turn_at",
        "sha256",
        "completed_at",
        "status",
        "object_key",
        "large_key",
        "thumb_key",
        "expires_at",
        "upload_until",
        "due_at",
        "attempts",
        "error",
    }
)

# In an order in which every row comes after those it points at.
TABLES: tuple[Kept, ...] = (
    Kept(User, _people, _people_hidden),
    Kept(circles.Circle, lambda whose: circles.Circle.id == whose.circle_id),
    Kept(circles.Tier, _of_circle(circles.Tier)),
    Kept(circles.Price, _of_circle(circles.Price)),
    Kept(memberships.Membership, _of_circle(memberships.Membership), frozenset({"invitation_id"})),
    Kept(memberships.Grant, _of_circle(memberships.Grant)),
    Kept(
        memberships.Seat,
        _below(memberships.Seat.membership_id, memberships.Membership, _of_circle(memberships.Membership)),
    ),
    Kept(memberships.Trial, _of_circle(memberships.Trial)),
    Kept(posts.BlockedWord, _of_circle(posts.BlockedWord)),
    Kept(filing.Tag, _of_circle(filing.Tag)),
    Kept(filing.Column, _of_circle(filing.Column), _imported),
    Kept(filing.ColumnSection, _below(filing.ColumnSection.column_id, filing.Column, _of_circle(filing.Column))),
    Kept(posts.Post, _posts, _imported),
    Kept(posts.PostRevision, _of_posts(posts.PostRevision.post_id)),
    Kept(filing.PostTag, _of_posts(filing.PostTag.post_id)),
    Kept(filing.ColumnItem, _of_posts(filing.ColumnItem.post_id)),
    Kept(PostPin, _of_posts(PostPin.post_id)),
    Kept(StartHere, _of_posts(StartHere.post_id)),
    Kept(posts.Question, _of_posts(posts.Question.post_id)),
    Kept(posts.Answer, _of_posts(posts.Answer.post_id)),
    Kept(posts.AnswerRevision, _of_answers(posts.AnswerRevision.answer_id)),
    Kept(posts.Comment, _of_posts(posts.Comment.post_id), frozenset({"import_id"})),
    Kept(posts.Reaction, _of_posts(posts.Reaction.post_id)),
    Kept(homework.Assignment, _of_circle(homework.Assignment)),
    Kept(homework.AssignmentMember, _of_assignments(homework.AssignmentMember.assignment_id)),
    Kept(homework.Work, _of_circle(homework.Work), frozenset({"claimed_by", "claimed_until"})),
    Kept(homework.Submission, _of_circle(homework.Submission)),
    Kept(homework.Extension, _of_assignments(homework.Extension.assignment_id)),
    Kept(reviews.Review, _of_circle(reviews.Review)),
    Kept(
        reviews.ReviewRevision,
        _below(reviews.ReviewRevision.review_id, reviews.Review, _of_circle(reviews.Review)),
    ),
    Kept(reviews.PeerTask, _below(reviews.PeerTask.work_id, homework.Work, _of_circle(homework.Work))),
    Kept(camps.Camp, _of_circle(camps.Camp)),
    Kept(camps.CampDay, _of_camps(camps.CampDay.camp_id)),
    Kept(camps.CampTheme, _of_camps(camps.CampTheme.camp_id)),
    Kept(camps.CampMember, _of_camps(camps.CampMember.camp_id)),
    Kept(camps.CheckInDay, _of_camps(camps.CheckInDay.camp_id)),
    Kept(camps.Standing, _of_camps(camps.Standing.camp_id)),
    Kept(entries.CheckIn, _entries),
    Kept(entries.CheckInVersion, _of_entries(entries.CheckInVersion.check_in_id)),
    Kept(entries.CheckInComment, _of_entries(entries.CheckInComment.check_in_id)),
    Kept(entries.CheckInLike, _of_entries(entries.CheckInLike.check_in_id)),
    Kept(
        entries.Certificate,
        _of_circle(entries.Certificate),
        frozenset({"due_at", "attempts", "error", "rendered_at"}),
    ),
    Kept(Media, _media, _media_hidden),
    Kept(billing.Subscription, _of_circle(billing.Subscription), frozenset({"payment_method_id"}), is_record=True),
    Kept(billing.Invoice, _orders, is_record=True),
    Kept(
        billing.PaymentAttempt,
        _of_orders(billing.PaymentAttempt.invoice_id),
        frozenset({"payment_method_id", "method_reference", "action", "lease_until", "tries"}),
        is_record=True,
    ),
    Kept(
        billing.Refund,
        _of_orders(billing.Refund.invoice_id),
        frozenset({"lease_until", "tries"}),
        is_record=True,
    ),
    Kept(billing.LedgerTransaction, _of_circle(billing.LedgerTransaction), is_record=True),
    Kept(
        billing.LedgerEntry,
        _below(billing.LedgerEntry.transaction_id, billing.LedgerTransaction, _of_circle(billing.LedgerTransaction)),
        is_record=True,
    ),
    Kept(
        billing.LedgerAccount,
        lambda whose: billing.LedgerAccount.id.in_(
            select(billing.LedgerEntry.account_id)
            .join(billing.LedgerTransaction, billing.LedgerTransaction.id == billing.LedgerEntry.transaction_id)
            .where(billing.LedgerTransaction.circle_id == whose.circle_id)
        ),
        frozenset({"balance"}),
        is_record=True,
    ),
)
BY_FILE: Mapping[str, Kept] = {kept.file: kept for kept in TABLES}

# Tables that point at a circle, or at something of one, and stay behind: why.
LEFT_OUT: Mapping[str, str] = {
    "audit_log": "what moderators did stays where it was done",
    "changes": "for clients that mirror this installation",
    "outbox": "messages on their way",
    "circle_counters": "counted again",
    "circle_storage": "counted again",
    "notifications": "each member's own",
    "notification_switches": "each member's own",
    "reports": "confidential to the moderators of then",
    "invitations": "codes open doors here only",
    "transfer_offers": "an offer between people here",
    "exports": "this one",
    "imports": "where things came from, before",
    "imported_files": "as above",
    "imported_records": "exported with the table they belong to",
    "bookmarks": "each member's own",
    "circle_reads": "each member's own",
    "post_reads": "each member's own",
    "mentions": "follow from the texts",
    "post_scores": "counted again",
    "search_documents": "made again from the texts",
    "search_misses": "about this installation's search",
    "weekly_digests": "sent here",
    "homework_drafts": "each member's own",
    "homework_reminders": "sent here",
    "camp_reminders": "sent here",
    "camp_tallies": "counted again",
    "coupons": "codes open doors here only",
    "gifts": "codes open doors here only",
    "payout_accounts": "an account that money is paid out to from here",
    "payouts": "money that moved here; the ledger tells of it",
    "price_campaigns": "what is planned for prices here",
    "post_scores_due": "counted again",
    "join_requests": "intentions to buy here",
}
