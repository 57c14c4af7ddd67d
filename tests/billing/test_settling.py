"""Answers are applied in batches: each member is left with what an answer alone would have left, poison or not."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from circle.billing import batches as batches_module
from circle.billing.services import outcomes
from circle.billing.services.checkouts import expire_each
from circle.billing.services.leases import LEASE
from circle.kernel.clock import ManualClock
from circle.kernel.uow import UnitOfWork
from tests.builders.circles import BuiltCircle
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


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many answers came together, and how many of them were left to be applied alone."""
    apply_each, seen = outcomes.apply_each, list[tuple[int, int]]()

    def counted(uow: UnitOfWork, news: Any) -> list[str]:
        seen.append((len(news), len(left := apply_each(uow, news))))
        return left

    monkeypatch.setattr(outcomes, "apply_each", counted)
    return seen


def due_renewals(world: World, clock: ManualClock, circle: BuiltCircle, *ways: str) -> list[Person]:
    """Members whose renewals are planned to be charged now."""
    people = [world.subscriber(circle, way=way) for way in ways]
    world.live_until(clock, "2026-04-01T03:00:00Z", every=timedelta(days=8))
    clock.advance(timedelta(hours=1))
    world.run_billing("bill")
    return people


@pytest.mark.usefixtures("five_percent")
@pytest.mark.parametrize("overdue", [False, True])
def test_answers_together_and_one_alone_leave_the_same(
    world: World, clock: ManualClock, sql: Any, batches: list[tuple[int, int]], *, overdue: bool
) -> None:
    circle = world.circle()
    way = "decline_hard" if overdue else "ok"
    alone, *together = (world.subscriber(circle, way=way) for _ in range(4))
    world.live_until(clock, "2026-04-01T04:00:00Z" if overdue else "2026-04-01T03:00:00Z", every=timedelta(days=8))
    clock.advance(timedelta(hours=1))
    if overdue:
        for member in (alone, *together):
            world.change_card(member, "ok")
    world.run_billing("bill", "dun")
    wait_a_minute(sql, clock, together)
    batches.clear()

    world.run_billing("charge")
    sql("UPDATE payment_attempts SET lease_until = :now WHERE status = 'created'", now=clock.now())
    world.run_billing("charge")

    assert [size for size in batches if size[0]] == [(1, 0), (3, 0)]
    assert left_behind(sql, alone) == left_behind(sql, together[0]) == left_behind(sql, together[2])
    assert world.renewals(alone)[0]["status"] == "paid"


def wait_a_minute(sql: Any, clock: ManualClock, members: list[Person]) -> None:
    sql(
        "UPDATE payment_attempts SET lease_until = :later WHERE status = 'created'"
        " AND invoice_id IN (SELECT id FROM invoices WHERE payer_id = ANY (:users))",
        users=[member.id for member in members],
        later=clock.now() + timedelta(minutes=1),
    )


def test_a_batch_takes_every_kind_of_answer(world: World, clock: ManualClock, batches: list[tuple[int, int]]) -> None:
    circle = world.circle()
    people = due_renewals(world, clock, circle, "ok", "decline_soft", "decline_hard", "lost_answer", "ok")

    world.run_billing("charge")

    assert (5, 0) in batches
    statuses = [world.renewals(person)[0]["status"] for person in people]
    assert statuses == ["paid", "open", "open", "open", "paid"]
    subscriptions = [world.subscription(person)["status"] for person in people]
    assert subscriptions == ["active", "past_due", "past_due", "active", "active"]


def test_who_needs_a_seat_again_is_left_to_be_applied_alone(
    world: World, clock: ManualClock, sql: Any, batches: list[tuple[int, int]]
) -> None:
    circle = world.circle()
    seated, seatless, other = due_renewals(world, clock, circle, "ok", "ok", "ok")
    sql(
        "UPDATE seats SET released_at = now() FROM memberships m WHERE m.id = membership_id AND m.user_id = :user",
        user=seatless.id,
    )
    sql("UPDATE tiers SET seats_taken = seats_taken - 1 WHERE id = :id", id=circle.tier(1).id)

    world.run_billing("charge")

    assert (3, 1) in batches
    assert {world.renewals(person)[0]["status"] for person in (seated, seatless, other)} == {"paid"}
    assert len(sql("SELECT FROM seats WHERE released_at IS NULL AND tier_id = :id", id=circle.tier(1).id)) == 3


def test_a_poison_answer_does_not_stop_the_others(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    people = due_renewals(world, clock, circle, *["ok"] * 5)
    poison = people[2]
    sql(f"ALTER TABLE grants ADD CONSTRAINT poison CHECK (user_id <> '{poison.id}') NOT VALID")

    world.run_billing("charge")

    paid = [world.renewals(person)[0]["status"] for person in people]
    assert paid == ["paid", "paid", "open", "paid", "paid"]

    sql("ALTER TABLE grants DROP CONSTRAINT poison")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    assert world.renewals(poison)[0]["status"] == "paid"


@pytest.mark.parametrize(("is_mutant", "begun"), [(False, 1), (True, 3)])
def test_nothing_is_begun_that_could_outlive_its_lease(
    world: World, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch, *, is_mutant: bool, begun: int
) -> None:
    if is_mutant:  # nobody looks at the lease
        monkeypatch.setattr(batches_module.Stretch, "is_over", False)
    members = due_renewals(world, clock, world.circle(), "ok", "ok", "ok")
    # The first call takes more than a minute.
    moments = iter([0.0, 0.0])  # when it claims, and when it begins the first
    with monkeypatch.context() as slow:
        slow.setattr(batches_module, "elapsed", lambda: next(moments, 61.0))
        assert world.run_billing("charge") == 3
    assert sql("SELECT count(*) AS n FROM sandbox_charges WHERE created_at = :now", now=clock.now()) == [{"n": begun}]

    clock.advance(LEASE)
    assert world.run_billing("resolve") == 3 - begun

    assert {world.renewals(member)[0]["status"] for member in members} == {"paid"}


def test_money_of_many_is_released_together(world: World, clock: ManualClock, sql: Any) -> None:
    circle, other = world.circle(), world.circle()
    members = [world.paying_member(circle), world.paying_member(circle), world.paying_member(other)]
    world.refund(circle.owner, members[0].extra["invoice_id"], amount=500).ok(201)

    clock.advance(timedelta(hours=72))
    assert world.run_billing("release") == 3

    available = [one.owner.api.get(f"{one.path}/balance").ok()["available"]["amount"] for one in (circle, other)]
    assert available == [1900 - 500 + 1900, 1900]
    assert sql("SELECT count(DISTINCT source_id) AS n FROM ledger_transactions WHERE kind = 'release'") == [{"n": 3}]


def test_checkouts_expire_together_but_for_one_that_is_being_paid(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    people = [world.person() for _ in range(3)]
    checkouts = [world.checkout(person, circle) for person in people]
    ids = [UUID(checkout["id"]) for checkout in checkouts]
    clock.advance(timedelta(minutes=29))
    world.pay(people[0], checkouts[0], "slow")
    clock.advance(timedelta(minutes=2))

    with world.units.write() as uow:
        # It was found before the payment began.
        expire_each(uow, ids)

    invoices = [world.invoice(person, one["invoice_id"]) for person, one in zip(people, checkouts, strict=True)]
    assert [one["status"] for one in invoices] == ["open", "void", "void"]
