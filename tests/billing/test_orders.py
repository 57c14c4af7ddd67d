"""What a provider is told and asked: all that it needs, and before anything is sent again, what became of it."""

from datetime import timedelta
from typing import Any

import pytest

from circle.billing.providers.base import UNKNOWN, Order, Outcome, PayoutOrder, RefundOrder
from circle.billing.services import payouts
from circle.kernel.clock import ManualClock
from tests.client import Api, World

LEASE_IS_OVER = timedelta(minutes=3)
BOOKS_ARE_CLOSED = timedelta(days=1, hours=6)
_CALLS = ("start", "charge", "query", "close", "refund", "query_refund", "payout", "query_payout")


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the sandbox was asked, in order: by which call, and with what."""
    made = list[tuple[str, Any]]()

    def listen(name: str) -> None:
        act = getattr(world.sandbox, name)

        def call(*said: Any) -> Outcome:
            made.append((name, *said))
            outcome: Outcome = act(*said)
            return outcome

        monkeypatch.setattr(world.sandbox, name, call)

    for name in _CALLS:
        listen(name)
    return made


def number_of(sql: Any, table: str = "payment_attempts") -> str:
    """The newest number of ours."""
    return str(sql(f"SELECT number FROM {table} ORDER BY id DESC LIMIT 1")[0]["number"])  # noqa: S608 - our own words


def test_a_payer_is_charged_and_given_back_as_it_was_agreed(
    world: World, clock: ManualClock, sql: Any, calls: list[Any]
) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)

    world.pay(person, checkout, "lost_request")
    clock.advance(LEASE_IS_OVER)
    world.run_billing("resolve")
    world.refund(person, checkout["invoice_id"], reason="买错了等级").ok(201)
    clock.advance(LEASE_IS_OVER)
    world.run_billing("refund")

    number, back = number_of(sql), number_of(sql, "refunds")
    order = Order(number, "sandbox", "lost_request", 1900, "CNY", "写作圈", checkout["url"], on_session=True)
    returned = RefundOrder(back, "sandbox", number, f"sb_{number}", 1900, "CNY", "买错了等级")
    assert calls == [
        ("start", order),
        ("query", number, None),
        ("start", order),
        ("refund", returned),
        ("query_refund", back, f"sb_{number}"),
        ("refund", returned),
    ]


def test_a_renewal_is_charged_in_the_same_words_each_time(
    world: World, clock: ManualClock, sql: Any, calls: list[Any]
) -> None:
    world.subscriber(world.circle(), way="lost_request")
    clock.advance(timedelta(days=23))
    world.run_billing("bill")
    clock.advance(timedelta(days=8))
    calls.clear()

    world.run_billing("bill", "charge")
    clock.advance(LEASE_IS_OVER)
    world.run_billing("resolve")

    number = number_of(sql)
    order = Order(number, "sandbox", "lost_request", 1900, "CNY", "写作圈", "", on_session=False)
    assert calls == [("charge", order), ("query", number, None), ("charge", order)]


def test_a_payout_is_sent_to_the_account_that_it_was_asked_for_with(
    world: World, clock: ManualClock, calls: list[Any]
) -> None:
    circle = world.circle()
    world.earn(circle, clock)
    world.pay_out_to(circle, "lost_request")
    number = world.withdraw(circle, 500).ok(201)["number"]
    world.pay_out_to(circle, "ok")
    with world.units.write() as uow:
        payouts.approve_payout(uow, number)
    calls.clear()

    world.run_billing("pay_out")
    clock.advance(LEASE_IS_OVER)
    world.run_billing("pay_out")

    order = PayoutOrder(number, "sandbox", "lost_request", 500, "CNY", "写作圈")
    assert calls == [("payout", order), ("query_payout", number), ("payout", order)]


def test_a_doubt_is_asked_about_by_what_the_provider_calls_it(
    world: World, clock: ManualClock, sql: Any, calls: list[Any]
) -> None:
    member = world.paying_member(world.circle())
    world.refund(member, member.extra["invoice_id"]).ok(201)
    sql("UPDATE sandbox_charges SET state = 'lost'")
    sql("UPDATE sandbox_refunds SET state = 'lost'")
    clock.advance(BOOKS_ARE_CLOSED)
    calls.clear()

    world.run_billing("reconcile")

    number, back = number_of(sql), number_of(sql, "refunds")
    assert sorted(calls) == [("query", number, f"sb_{number}"), ("query_refund", back, f"sbr_{back}")]
    sql("UPDATE sandbox_charges SET state = 'succeeded'")
    sql("UPDATE sandbox_refunds SET state = 'succeeded'")


def test_news_that_can_not_be_looked_into_is_asked_about_ever_more_rarely(
    world: World, api: Api, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, sql: Any
) -> None:
    person = world.person()
    world.pay(person, world.checkout(person, world.circle()), "slow")
    headers, body = world.sandbox.sealed({"id": "evt_1", "kind": "charge", "number": number_of(sql)}, clock.now())
    api.request("POST", "/webhooks/sandbox", headers=headers, data=body).ok(200)
    monkeypatch.setattr(world.sandbox, "query", lambda *_: UNKNOWN)
    begun = clock.now()

    asked = list[int]()
    for minute in (0, 1, 2, 5, 6, 13, 14, 29, 30):
        clock.set(begun + timedelta(minutes=minute))
        asked += [minute] * world.run_billing("inbox")

    assert asked == [0, 2, 6, 14, 30]
