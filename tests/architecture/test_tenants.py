"""Circles as tenants: which tables can be shared out by `circle_id`, and what stands in the way. See docs/scaling.md.

A table that comes new has its circle in a column, or its line here; a uniqueness across circles needs one, too.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Table, UniqueConstraint

from circle.models import Base

TABLES = Base.metadata.tables
CIRCLE = "circle_id"

# Of one circle, which is known through the named table. To be shared out they need the column, too.
THROUGH = {
    "answer_revisions": "answers",
    "assignment_members": "assignments",
    "camp_days": "camps",
    "camp_members": "camps",
    "camp_reminders": "camps",
    "camp_standings": "camp_members",
    "camp_tallies": "camps",
    "camp_themes": "camps",
    "check_in_comments": "check_ins",
    "check_in_days": "camp_members",
    "check_in_likes": "check_ins",
    "check_in_versions": "check_ins",
    "check_ins": "check_in_days",
    "checkouts": "invoices",
    "column_items": "columns",
    "column_sections": "columns",
    "discounts": "subscriptions",
    "extensions": "assignments",
    "homework_drafts": "assignments",
    "homework_reminders": "assignments",
    "join_requests": "memberships",
    "payment_attempts": "invoices",
    "peer_tasks": "assignments",
    "post_revisions": "posts",
    "price_changes": "subscriptions",
    "quotes": "subscriptions",
    "refunds": "invoices",
    "review_revisions": "reviews",
    "seats": "tiers",
}
# Of one person, across circles: kept whole on every node, or shared out by person.
OF_PEOPLE = {
    "users",
    "identities",
    "sessions",
    "personal_tokens",
    "one_time_codes",
    "bookmark_folders",
    "notice_hooks",
    "hook_deliveries",
    "payment_methods",
    "quiet_hours",
    # Its column says whose space it takes while it is attached; before that it is its owner's.
    "media",
}
# Of the installation: small, or a queue whose rows go again.
OF_THE_INSTALLATION = {
    "breaker_trips": "the breaker",
    "charge_days": "one row a day",
    "circles": "the tenants themselves",
    "clock_offset": "test mode",
    "fingerprints": "one row a provider",
    "idempotency_keys": "a day's keys; by hash",
    "ledger_entries": "accounts of circles and of the operator meet in one transaction",
    "mailbox_messages": "development",
    "post_scores_due": "a queue",
    "provider_events": "what providers sent, before anybody knows about whom",
    "reconciled_days": "the books",
    "reconciliation_findings": "the books",
    "sandbox_charges": "a provider's own tables",
    "sandbox_events": "a provider's own tables",
    "sandbox_payouts": "a provider's own tables",
    "sandbox_refunds": "a provider's own tables",
    "search_due": "a queue",
    "settlement_lines": "the books",
}
# What is unique across all circles though its columns are bound to none.
ACROSS_CIRCLES = {
    "certificates(code)": "random; people look it up by nothing else",
    "changes(seq)": "one sequence; each circle's own order would do",
    "gifts(code_hash)": "random; looked up by nothing else",
    "invitations(code)": "random; looked up by nothing else",
    "invoices(number)": "numbers of the whole installation, for its tax office",
    "invoices(kind,subject_id)": "the subject is of one circle",
    "ledger_accounts(id,currency)": "the key of a composite foreign key",
    "ledger_transactions(kind,source_id)": "the source is of one circle",
    "mentions(subject_id,user_id)": "the subject is of one circle",
    "notifications(user_id,key)": "a person is told once, whichever circle it is about",
    "outbox(key)": "the key names the row that it is about",
    "payment_attempts(number)": "the key that a provider is asked with",
    "payouts(number)": "the key that a provider is asked with",
    "refunds(number)": "the key that a provider is asked with",
    "reports(reporter_id,subject_id)": "the subject is of one circle",
    "search_documents(subject_id)": "the subject is of one circle",
}
# Foreign keys of tenants' rows that lead out of their circle.
LEADS_OUT = {
    "users": "people are in many circles",
    "media": "an upload is its owner's before it is anybody's",
    "circles": "the tenants themselves",
    "payment_methods": "a person pays many circles with one",
    "bookmark_folders": "a person's folders hold posts of many circles",
}


def with_column() -> set[str]:
    return {name for name, table in TABLES.items() if CIRCLE in table.columns} - OF_PEOPLE


def of_a_circle() -> set[str]:
    return with_column() | set(THROUGH)


def test_every_table_has_its_place() -> None:
    places = [with_column(), set(THROUGH), OF_PEOPLE, set(OF_THE_INSTALLATION)]

    assert set.union(*places) == set(TABLES)
    assert sum(len(place) for place in places) == len(TABLES), "a table is listed twice"


@pytest.mark.parametrize("name", sorted(THROUGH))
def test_the_way_to_a_circle_is_a_foreign_key(name: str) -> None:
    assert THROUGH[name] in {key.column.table.name for key in TABLES[name].foreign_keys}
    assert THROUGH[name] in of_a_circle()


def uniques(table: Table) -> Iterator[list[str]]:
    yield [column.name for column in table.primary_key]
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
    for index in table.indexes:
        if index.unique:
            yield [column.name for column in index.columns]


def test_nothing_is_unique_across_circles_unlisted() -> None:
    found = set()
    for name in of_a_circle():
        table = TABLES[name]
        bound = {
            column.name
            for column in table.columns
            if any(key.column.table.name in of_a_circle() for key in column.foreign_keys)
        }
        for columns in uniques(table):
            # Ids are random, of no use to tell circles apart or together: each node may make them.
            if columns != ["id"] and CIRCLE not in columns and not bound & set(columns):
                found.add(f"{name}({','.join(columns)})")

    assert found == set(ACROSS_CIRCLES)


def test_no_foreign_key_leads_out_of_a_circle_unlisted() -> None:
    leading = {
        key.column.table.name
        for name in of_a_circle()
        for key in TABLES[name].foreign_keys
        if key.column.table.name not in of_a_circle()
    }

    assert leading == set(LEADS_OUT)
