"""A provider's books of a day against ours: found, asked about, repaired or frozen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from circle.billing import reconcile_steps
from circle.billing.oversight import books_agree, breaker_is_closed, installation_is_original, other_lines, reconciled
from circle.billing.providers.base import UNKNOWN, Outcome, SettlementLine
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import payouts
from circle.billing.services.reconciling import settle_finding
from circle.kernel.clock import ManualClock
from circle.kernel.errors import NotFound
from circle.kernel.state import WrongState
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

A_DAY_LATER = timedelta(days=1, hours=6)
REFUND_WINDOW = timedelta(hours=72)


def findings(sql: Any) -> list[tuple[str, str, int | None, int | None, str]]:
    rows = sql("SELECT kind, what, theirs, ours, status FROM reconciliation_findings ORDER BY found_at, number")
    return [tuple(row.values()) for row in rows]


def number_of(world: World, member: Person) -> str:
    return str(world.invoice(member, member.extra["invoice_id"])["attempts"][0]["number"])


@pytest.fixture
def circle(world: World) -> BuiltCircle:
    return world.circle()


@pytest.fixture
def doctored(sql: Any) -> Any:
    """Statements that make books disagree; they are undone before the invariants are asked."""
    undo: list[str] = []

    def change(statement: str, undone_by: str) -> None:
        sql(statement)
        undo.append(undone_by)

    yield change
    for statement in reversed(undo):
        sql(statement)


def test_books_that_agree_leave_no_finding(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    world.paying_member(circle)
    refunded = world.paying_member(circle)
    world.refund(refunded, refunded.extra["invoice_id"]).ok(201)
    assert world.run_billing("reconcile") == 0, "the day is not over"

    clock.advance(A_DAY_LATER)

    assert world.run_billing("reconcile") == 1
    assert findings(sql) == []
    assert sql("SELECT lines FROM reconciled_days") == [{"lines": 3}]
    assert sql("SELECT paid FROM charge_days") == [{"paid": 2}], "a refund is no payment"
    assert books_agree(world.units) is None


def test_a_day_compared_twice_changes_nothing(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    world.paying_member(circle)
    day = clock.now().date()
    clock.advance(A_DAY_LATER)

    for _ in range(2):
        assert reconcile_steps.reconcile_day(world.units, world.sandbox, day)

    assert findings(sql) == []
    assert len(sql("SELECT 1 FROM settlement_lines")) == 1


def test_theirs_only_is_applied_after_asking(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_answer")
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("charge", "theirs_only", 1900, None, "repaired")]
    assert world.invoice(person, checkout["invoice_id"])["status"] == "paid"
    assert world.membership(person, circle)["status"] == "active"


def test_a_payment_given_up_too_early_is_repaired(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_answer")
    sql("UPDATE payment_attempts SET status = 'failed', lease_until = NULL")
    sql("UPDATE provider_events SET processed_at = now()")
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("charge", "theirs_only", 1900, None, "repaired")]
    assert world.invoice(person, checkout["invoice_id"])["status"] == "paid"


def test_a_refund_that_only_they_know_is_applied(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_answer")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    world.refund(circle.owner, checkout["invoice_id"]).ok(201)
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("refund", "theirs_only", -1900, None, "repaired")]
    assert world.invoice(person, checkout["invoice_id"])["status"] == "refunded"


def test_a_charge_that_we_never_made_is_shown(
    world: World, circle: BuiltCircle, clock: ManualClock, doctored: Callable[[str, str], None], sql: Any
) -> None:
    world.paying_member(circle)
    doctored(
        "INSERT INTO sandbox_charges (number, token, amount, currency, state, settled_at, created_at)"
        " SELECT 'strange', token, 500, currency, state, settled_at, created_at FROM sandbox_charges",
        "DELETE FROM sandbox_charges WHERE number = 'strange'",
    )
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("charge", "theirs_only", 500, None, "frozen")]
    assert "strange: theirs_only" in (books_agree(world.units) or "")


def test_ours_only_is_frozen_until_an_operator_settles_it(
    world: World, circle: BuiltCircle, clock: ManualClock, doctored: Callable[[str, str], None], sql: Any
) -> None:
    number = number_of(world, world.paying_member(circle))
    world.paying_member(circle)
    doctored(
        f"UPDATE sandbox_charges SET state = 'lost' WHERE number = '{number}'",  # noqa: S608 - our own number
        f"UPDATE sandbox_charges SET state = 'succeeded' WHERE number = '{number}'",  # noqa: S608
    )
    clock.advance(A_DAY_LATER)
    world.run_billing("reconcile")
    assert findings(sql) == [("charge", "ours_only", None, 1900, "frozen")]

    clock.advance(REFUND_WINDOW)
    world.run_billing("release")
    assert world.balance(circle) == (1900, 1900, 0), "what is frozen stays pending"

    with world.units.write() as uow:
        assert settle_finding(uow, number, note="bank statement of 2 March") == 1
    world.run_billing("release")
    assert world.balance(circle) == (0, 3800, 0)
    assert world.run_billing("reconcile") == 3
    assert books_agree(world.units) is None
    with pytest.raises(WrongState), world.units.write() as uow:
        settle_finding(uow, number, note="again")
    with pytest.raises(NotFound), world.units.write() as uow:
        settle_finding(uow, "nothing", note="")


def test_an_amount_that_differs_is_frozen(
    world: World, circle: BuiltCircle, clock: ManualClock, doctored: Callable[[str, str], None], sql: Any
) -> None:
    world.paying_member(circle)
    doctored("UPDATE sandbox_charges SET amount = 1800", "UPDATE sandbox_charges SET amount = 1900")
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("charge", "amount_differs", 1800, 1900, "frozen")]


def test_what_stands_in_the_next_days_books_is_no_finding(
    world: World, circle: BuiltCircle, clock: ManualClock, sql: Any
) -> None:
    world.paying_member(circle)
    sql("UPDATE sandbox_charges SET settled_at = settled_at + interval '1 day'")
    clock.advance(2 * A_DAY_LATER)

    assert world.run_billing("reconcile") == 2

    assert findings(sql) == []


def test_a_payout_is_in_the_books(world: World, circle: BuiltCircle, clock: ManualClock, sql: Any) -> None:
    world.earn(circle, clock)
    world.pay_out_to(circle, "lost_answer")
    payout = world.withdraw(circle, 1000).ok(201)
    with world.units.write() as uow:
        payouts.approve_payout(uow, payout["number"])
    world.run_billing("pay_out")
    clock.advance(A_DAY_LATER)

    world.run_billing("reconcile")

    assert findings(sql) == [("payout", "theirs_only", -1000, None, "repaired")]
    assert world.payout(circle, payout)["status"] == "succeeded"


def test_a_provider_that_does_not_answer_is_asked_again(
    world: World, circle: BuiltCircle, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, sql: Any
) -> None:
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, "lost_answer")
    clock.advance(A_DAY_LATER)

    def silent(*_: Any) -> Outcome:
        return UNKNOWN

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "query", silent)
        assert world.run_billing("reconcile") == 0
    assert sql("SELECT * FROM reconciled_days") == []

    assert world.run_billing("reconcile") == 1
    assert world.invoice(person, checkout["invoice_id"])["status"] == "paid"


def test_lines_of_one_number_are_one_and_others_are_summed(
    world: World, circle: BuiltCircle, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, sql: Any
) -> None:
    number = number_of(world, world.paying_member(circle))
    at = clock.now()
    lines = [
        SettlementLine(number, "charge", 1000, "CNY", 3, at),
        SettlementLine(number, "charge", 900, "CNY", 2, at),
        SettlementLine("du_1", "dispute", -1900, "CNY", 0, at),
    ]
    clock.advance(A_DAY_LATER)

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "settlement", lambda *_: lines)
        world.run_billing("reconcile")

    assert findings(sql) == []
    with world.units.read() as uow:
        assert reconciled(uow) == [("sandbox", at.date(), 3, "CNY 5")]
        assert other_lines(uow) == [("sandbox", "dispute", "CNY", -1900)]


def test_the_doctor_has_nothing_to_say_where_all_is_well(world: World, circle: BuiltCircle) -> None:
    world.paying_member(circle)

    assert [check(world.units) for check in (books_agree, breaker_is_closed, installation_is_original)] == [None] * 3


def test_the_doctor_notices_books_that_nobody_compares(world: World, circle: BuiltCircle, clock: ManualClock) -> None:
    world.paying_member(circle)
    clock.advance(2 * timedelta(days=1) + timedelta(hours=6))
    assert books_agree(world.units) is None, "two days may be behind"
    clock.advance(timedelta(days=1))

    assert "were not compared" in (books_agree(world.units) or "")
    world.run_billing("reconcile")
    assert books_agree(world.units) is None
