"""What the database itself refuses, and the clone guard."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import DBAPIError, IntegrityError

from circle.billing.services.installation import confirm_installation
from circle.config import Settings
from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World

# Amounts differ, so they tell the rows apart.
_SAME_PERIOD_OTHER_DAYS = """
    UPDATE invoices SET subscription_id = (SELECT min(id::text)::uuid FROM subscriptions),
        period_start = period_start + amount * interval '1 day', period_end = period_end + amount * interval '1 day'
"""
_OTHER_PERIOD_SAME_DAYS = """
    UPDATE invoices SET subscription_id = (SELECT min(id::text)::uuid FROM subscriptions), period_no = amount
"""


@pytest.fixture
def savepoint(sql: Any) -> Iterator[None]:
    """Let a refused statement not spoil the test's transaction."""
    sql("SAVEPOINT before_refusal")
    yield
    sql("ROLLBACK TO SAVEPOINT before_refusal")


def test_entries_that_do_not_sum_to_zero_are_refused(world: World, sql: Any, savepoint: None) -> None:
    world.paying_member(world.circle())
    transaction = uuid4()
    sql("INSERT INTO ledger_transactions (id, kind, source_id, at) VALUES (:id, 'payment', :id, now())", id=transaction)

    with pytest.raises(DBAPIError, match="does not sum to zero"):
        sql(
            "INSERT INTO ledger_entries (transaction_id, account_id, currency, amount)"
            " SELECT :id, id, currency, 5 FROM ledger_accounts",
            id=transaction,
        )


@pytest.mark.parametrize("table", ["ledger_entries", "ledger_transactions", "audit_log"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_written_stays(world: World, sql: Any, savepoint: None, table: str, statement: str) -> None:
    column = {"ledger_entries": "amount = 1", "ledger_transactions": "kind = 'x'", "audit_log": "action = 'x'"}[table]

    with pytest.raises(DBAPIError, match="append-only"):
        sql(statement.format(table, column))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE payment_attempts SET status = 'processing', surplus = false", "uq_payment_attempts_open"),
        ("UPDATE payment_attempts SET status = 'succeeded', surplus = false", "uq_payment_attempts_paid"),
        ("UPDATE invoices SET refunded = 1, refunding = amount", "ck_invoices_refunds"),
        ("UPDATE subscriptions SET status = 'active'", "uq_subscriptions_live"),
        (_SAME_PERIOD_OTHER_DAYS, "uq_invoices_period"),
        (_OTHER_PERIOD_SAME_DAYS, "ex_invoices_period"),
    ],
)
def test_constraints_hold_what_code_promises(
    world: World, sql: Any, savepoint: None, change: str, constraint: str
) -> None:
    circle = world.circle()
    person = world.person()
    world.pay(person, world.checkout(person, circle, circle.tier(1)), "decline_soft")
    checkout = world.checkout(person, circle, circle.tier(2))
    world.pay(person, checkout, "decline_soft")
    world.pay(person, checkout)
    sql("UPDATE invoices SET status = 'open' WHERE status = 'void'")

    with pytest.raises(IntegrityError, match=constraint):
        sql(change)


def test_ids_made_in_sql_are_version_7(sql: Any) -> None:
    made = [row["id"] for row in sql("SELECT uuid_v7() AS id FROM generate_series(1, 50)")]

    assert {one.version for one in made} == {7}
    assert len(set(made)) == 50


@pytest.fixture
def moved(world: World, settings: Settings) -> Iterator[None]:
    """Call to make the installation a copy at another address."""
    before = world.units.adapters
    yield
    world.units.adapters = before


def test_a_copy_of_the_database_charges_nobody_until_confirmed(world: World, settings: Settings, moved: None) -> None:
    circle = world.circle()
    world.paying_member(circle)
    person = world.person()
    checkout = world.checkout(person, circle)
    sent, path = {"payment_method": world.method(person)}, f"/checkouts/{checkout['id']}/pay"
    copy = replace(settings, site_url="https://copy.example.org")
    world.units.adapters = {**world.units.adapters, Settings: copy}

    refused = person.api.post(path, sent, headers=idempotency_key())
    assert (refused.status, refused.code) == (503, "installation_moved")
    with world.units.write() as uow:
        confirm_installation(uow, "sandbox", confirmed_by=None)

    assert person.api.post(path, sent, headers=idempotency_key()).ok()["status"] == "succeeded"


def test_a_copy_of_the_database_refunds_nobody_until_confirmed(
    world: World, settings: Settings, moved: None, clock: ManualClock
) -> None:
    circle = world.circle()
    asking, removed = world.paying_member(circle), world.paying_member(circle)
    copy = replace(settings, site_url="https://copy.example.org")
    world.units.adapters = {**world.units.adapters, Settings: copy}

    refused = world.refund(asking, asking.extra["invoice_id"])
    assert (refused.status, refused.code) == (503, "installation_moved")
    circle.owner.api.post(f"{circle.path}/members/{removed.id}/remove", {"refund": True}).ok()
    clock.advance(timedelta(hours=30))
    assert world.run_billing("refund") == 0
    with world.units.write() as uow:
        confirm_installation(uow, "sandbox", confirmed_by=None)

    assert world.run_billing("refund") == 1
    assert world.invoice(removed, removed.extra["invoice_id"])["status"] == "refunded", "however long it has waited"


def test_another_port_of_ones_own_machine_is_no_copy(world: World, settings: Settings, moved: None) -> None:
    circle = world.circle()
    for port in (8000, 8001):
        here = replace(settings, site_url=f"http://127.0.0.1:{port}")
        world.units.adapters = {**world.units.adapters, Settings: here}
        world.paying_member(circle)


def test_how_many_rules_are_broken_is_a_metric(world: World, browser: FlaskClient, sql: Any) -> None:
    world.paying_member(world.circle())
    sql("UPDATE subscriptions SET renewal_open = true")
    world.run_billing("verify")
    assert "circle_money_rules_broken 1.0" in browser.get("/metrics").text

    sql("UPDATE subscriptions SET renewal_open = false")
    world.run_billing("verify")

    assert "circle_money_rules_broken 0.0" in browser.get("/metrics").text
