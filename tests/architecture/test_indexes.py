"""What is asked for by its parent is found by an index: a table that grows is not read for one row.

Every foreign key leads an index of all rows, or has its line here. Small data doesn't show one that is missing.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.sql.visitors import iterate

from circle.archive.exporting.tables import TABLES, Kept, Whose
from circle.data_map import OWNED
from circle.kernel.ids import new_id
from circle.models import Base

# Nobody asks for what somebody did there.
WHO_DID_IT = {
    "answer_revisions.editor_id",
    "assignments.author_id",
    "camps.created_by",
    "certificates.revoked_by",
    "coupons.created_by",
    "extensions.granted_by",
    "fingerprints.confirmed_by",
    "imports.requested_by",
    "memberships.inviter_id",
    "payouts.requested_by",
    "peer_tasks.author_id",
    "post_pins.pinned_by",
    "post_revisions.editor_id",
    "price_campaigns.created_by",
    "refunds.requested_by",
    "reports.resolved_by",
    "review_revisions.changed_by",
    "transfer_offers.offered_by",
}
# What a creator made never goes while somebody bought it, and nobody asks who did; entries of the books neither.
OFFERS = {
    "assignments.tier_id",
    "camps.access_tier_id",
    "columns.access_tier_id",
    "gifts.price_id",
    "gifts.tier_id",
    "grants.tier_id",
    "invitations.tier_id",
    "invoices.price_id",
    "invoices.tier_id",
    "join_requests.coupon_id",
    "join_requests.price_id",
    "ledger_transactions.invoice_id",
    "memberships.invitation_id",
    "posts.access_tier_id",
    "price_campaigns.to_price_id",
    "quotes.from_price_id",
    "quotes.to_price_id",
    "subscriptions.next_price_id",
    "subscriptions.tier_id",
}
# Asked for along with another column of theirs, or only by that.
NARROWER = {
    "answers.circle_id": "post_id",
    "bookmarks.circle_id": "user_id",
    "circle_reads.circle_id": "user_id",
    "gifts.circle_id": "buyer_id",
    "invitations.created_by": "circle_id",
    "mentions.circle_id": "subject_id",
    "mentions.post_id": "subject_id",
    "payment_attempts.payment_method_id": "invoice_id",
    "post_reads.circle_id": "user_id",
    "post_tags.circle_id": "post_id",
    "reactions.circle_id": "post_id",
    "reviews.assignment_id": "work_id",
    "search_documents.author_id": "circle_id",
    "seats.tier_id": "membership_id",
    "submissions.assignment_id": "work_id",
    "subscriptions.price_id": "circle_id",
    "works.claimed_by": "assignment_id",
}
# Has an index of just the rows that are asked for.
PARTIAL = {
    "discounts.coupon_id",
    "discounts.subscription_id",
    "grants.membership_id",
    "peer_tasks.assignment_id",
    "price_campaigns.from_price_id",
    "refunds.attempt_id",
}
# Few rows.
SMALL = {
    "exports.circle_id",
    "imports.media_id",
    "start_here.post_id",
    "transfer_offers.to_user_id",
}
# Asked for by the copy of everything about a person alone, which skips through the key (from PostgreSQL 18 on).
BY_PERSON = {
    "assignment_members.user_id",
    "camp_standings.user_id",
    "trials.user_id",
}


def leading(table: Table) -> Iterator[str]:
    """Yield the first columns of what finds every row of the table."""
    yield next(iter(table.primary_key)).name
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield next(iter(constraint.columns)).name
    for index in table.indexes:
        first = next(iter(index.expressions))
        if isinstance(first, Column) and of_all_rows(index, first.name):
            yield first.name


def of_all_rows(index: Index, first: str) -> bool:
    """Whether the index has all rows in which its first column is not null."""
    where = index.dialect_options["postgresql"]["where"]
    return where is None or str(where) == f"{first} IS NOT NULL"


def test_every_foreign_key_leads_an_index_or_says_why_not() -> None:
    without = {
        f"{table.name}.{first}"
        for table in Base.metadata.tables.values()
        for first in {next(iter(key.columns)).name for key in table.foreign_key_constraints}
        if first not in set(leading(table))
    }

    assert without - BY_PERSON == WHO_DID_IT | OFFERS | set(NARROWER) | PARTIAL | SMALL


def test_what_is_a_persons_is_found_by_the_person() -> None:
    tables = Base.metadata.tables
    without = {f"{name}.{column}" for name, column in OWNED.items() if column not in set(leading(tables[name]))}

    assert without == BY_PERSON


@pytest.mark.parametrize(("column", "narrower"), NARROWER.items())
def test_what_is_asked_for_by_another_column_is_found_by_that(column: str, narrower: str) -> None:
    assert narrower in set(leading(Base.metadata.tables[column.partition(".")[0]]))


@pytest.mark.parametrize("name", sorted(PARTIAL))
def test_what_is_said_to_have_an_index_of_some_rows_has_one(name: str) -> None:
    table, column = name.split(".")
    assert Base.metadata.tables[table].columns[column] in {
        next(iter(index.expressions)) for index in Base.metadata.tables[table].indexes
    }


@pytest.mark.parametrize("kept", TABLES, ids=lambda kept: kept.file)
def test_exports_find_the_rows_of_a_circle_by_an_index(kept: Kept) -> None:
    where = kept.where(Whose(new_id(), new_id()))
    asked = {one.name for one in iterate(where) if isinstance(one, Column) and one.table is kept.table}

    found = set(leading(kept.table)) | {one for one in asked if f"{kept.table.name}.{one}" in SMALL}
    assert asked & found, f"the whole table is read for each circle: {asked}"
