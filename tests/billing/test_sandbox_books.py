"""The sandbox keeps its books like a provider: nothing ripens early, and nothing goes back that was not paid."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from circle.billing.providers.base import Order, Outcome, OutcomeState, PayoutOrder, RefundOrder, number_of
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from tests.client import World

S = OutcomeState
INSTANT = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _closed_books(world: World, sql: Any) -> Iterator[None]:
    """These charges are nobody's: the books are emptied before they are compared."""
    yield
    for table in ("sandbox_refunds", "sandbox_charges", "sandbox_payouts", "sandbox_events"):
        sql(f"DELETE FROM {table}")  # noqa: S608 - our own words


def charged(world: World, method: str = "ok") -> Order:
    order = Order(number_of(new_id()), "sandbox", method, 1900, "CNY", "读书会", "", on_session=True)
    world.sandbox.start(order)
    return order


def given_back(world: World, charge: Order, amount: int, currency: str = "CNY", *, of: str | None = None) -> Outcome:
    order = RefundOrder(number_of(new_id()), "sandbox", of or charge.number, None, amount, currency, "买错了")
    return world.sandbox.refund(order)


def booked(world: World, clock: ManualClock) -> list[tuple[str, int]]:
    return [(line.kind, line.amount) for line in world.sandbox.settlement(clock.now().date())]


def test_no_more_goes_back_than_was_paid(world: World, clock: ManualClock) -> None:
    charge, declined = charged(world), charged(world, "decline_hard")

    refused = [
        given_back(world, charge, 1901),
        given_back(world, charge, 100, "USD"),
        given_back(world, declined, 100),
        given_back(world, charge, 100, of="0" * 32),
    ]
    assert [(one.state, one.code) for one in refused] == [
        (S.FAILED, "more_than_was_paid"),
        (S.FAILED, "more_than_was_paid"),
        (S.FAILED, "no_such_charge"),
        (S.FAILED, "no_such_charge"),
    ]

    assert [given_back(world, charge, amount).state for amount in (1000, 901, 900, 1)] == [
        S.SUCCEEDED,
        S.FAILED,
        S.SUCCEEDED,
        S.FAILED,
    ]
    assert sorted(booked(world, clock)) == [("charge", 1900), ("refund", -1000), ("refund", -900)]


@pytest.mark.parametrize(("method", "seconds"), [("pending_then_ok", 60), ("slow", 30)])
def test_what_takes_its_time_is_done_at_its_instant(
    world: World, clock: ManualClock, method: str, seconds: int
) -> None:
    charge = charged(world, method)
    clock.advance(timedelta(seconds=seconds - 1))
    world.sandbox.ripen()
    assert booked(world, clock) == []
    clock.advance(timedelta(seconds=1))
    world.sandbox.ripen()
    assert booked(world, clock) == [("charge", 1900)]

    given_back(world, charge, 500)
    world.sandbox.payout(PayoutOrder(number_of(new_id()), "sandbox", method, 300, "CNY", "读书会"))
    clock.advance(timedelta(seconds=seconds - 1))
    world.sandbox.ripen()
    assert booked(world, clock) == [("charge", 1900)]
    clock.advance(timedelta(seconds=1))
    world.sandbox.ripen()
    assert sorted(booked(world, clock)) == [("charge", 1900), ("payout", -300), ("refund", -500)]


def test_a_movement_stands_in_the_books_of_one_day(world: World, clock: ManualClock) -> None:
    midnight = datetime.fromisoformat("2026-03-02T00:00:00Z")
    for moment, amount in ((midnight - INSTANT, 100), (midnight, 200)):
        clock.set(moment)
        given_back(world, charged(world), amount)
        world.sandbox.payout(PayoutOrder(number_of(new_id()), "sandbox", "ok", amount, "CNY", "读书会"))

    days = [world.sandbox.settlement(date(2026, 3, day)) for day in (1, 2)]

    assert [sorted((line.kind, line.amount) for line in lines) for lines in days] == [
        [("charge", 1900), ("payout", -100), ("refund", -100)],
        [("charge", 1900), ("payout", -200), ("refund", -200)],
    ]


def test_what_was_delivered_is_not_posted_again(world: World) -> None:
    charges = [charged(world), charged(world, "decline_soft")]

    waiting = world.sandbox.waiting_webhooks()
    assert len({one.event_id for one in waiting}) == len(charges)
    world.sandbox.mark_delivered([waiting[0].event_id])
    assert [one.event_id for one in world.sandbox.waiting_webhooks()] == [waiting[1].event_id]
    world.sandbox.mark_delivered([])
    assert world.run_billing("sandbox") == 1

    assert world.sandbox.waiting_webhooks() == []
