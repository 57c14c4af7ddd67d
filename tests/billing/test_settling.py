"""A batch of plain renewals is settled in one statement: it leaves behind what `apply` does, row by row."""

from datetime import timedelta
from typing import Any

import pytest

from circle.billing.services import settling
from circle.kernel.clock import ManualClock
from tests.builders.people import Person
from tests.client import World

# What differs from row to row by its nature.
_OWN = {"id", "number", "source_id", "invoice_id", "membership_id", "subscription_id", "user_id", "payer_id"}
_OWN |= {"transaction_id", "payment_method_id", "reference", "circle_id", "anchor_at", "created_at"}


def left_behind(sql: Any, member: Person) -> list[Any]:
    """All that a renewal has written about somebody, but for ids."""
    rows = [
        sql("SELECT * FROM subscriptions WHERE user_id = :user", user=member.id),
        sql("SELECT * FROM invoices WHERE payer_id = :user ORDER BY id", user=member.id),
        sql("SELECT * FROM grants WHERE user_id = :user ORDER BY starts_at, source", user=member.id),
        sql("SELECT * FROM seats JOIN memberships m ON m.id = membership_id WHERE user_id = :user", user=member.id),
        sql("SELECT status, review_at, version FROM memberships WHERE user_id = :user", user=member.id),
        sql(
            "SELECT a.* FROM payment_attempts a JOIN invoices i ON i.id = a.invoice_id"
            " WHERE payer_id = :user ORDER BY a.id",
            user=member.id,
        ),
        sql(
            "SELECT t.kind, t.at, l.kind AS account, e.amount, e.currency FROM ledger_transactions t"
            " JOIN ledger_entries e ON e.transaction_id = t.id JOIN ledger_accounts l ON l.id = e.account_id"
            " JOIN invoices i ON i.id = t.invoice_id WHERE i.payer_id = :user ORDER BY t.id, l.kind",
            user=member.id,
        ),
    ]
    return [[{name: value for name, value in row.items() if name not in _OWN} for row in part] for part in rows]


@pytest.mark.usefixtures("five_percent")
@pytest.mark.parametrize("overdue", [False, True])
def test_the_batch_and_the_single_apply_agree(
    world: World, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch, *, overdue: bool
) -> None:
    circle = world.circle()
    way = "decline_hard" if overdue else "ok"
    one_by_one, together = world.subscriber(circle, way=way), world.subscriber(circle, way=way)
    world.live_until(clock, "2026-04-01T04:00:00Z" if overdue else "2026-04-01T03:00:00Z", every=timedelta(days=8))
    clock.advance(timedelta(hours=1))
    if overdue:
        for member in (one_by_one, together):
            world.change_card(member, "ok")
    world.run_billing("bill", "dun")
    later = clock.now() + timedelta(minutes=1)
    sql(
        "UPDATE payment_attempts SET lease_until = :later WHERE status = 'created'"
        " AND invoice_id IN (SELECT id FROM invoices WHERE payer_id = :user)",
        user=together.id,
        later=later,
    )

    settle, done = settling.settle, list[int]()
    monkeypatch.setattr(settling, "settle", lambda _uow, _answers: set())
    world.run_billing("charge")

    def count(*args: Any) -> set[str]:
        done.append(len(found := settle(*args)))
        return found

    monkeypatch.setattr(settling, "settle", count)
    sql("UPDATE payment_attempts SET lease_until = :now WHERE status = 'created'", now=clock.now())
    world.run_billing("charge")

    assert sum(done) == 1
    assert left_behind(sql, together) == left_behind(sql, one_by_one)
    assert world.renewals(together)[0]["status"] == "paid"
