"""Races for a circle's money on its way out."""

from collections.abc import Iterator
from functools import partial

import pytest

from circle.billing.services import payouts
from circle.kernel.clock import ManualClock
from circle.kernel.state import WrongState
from circle.kernel.uow import Units
from tests.client import Reply, World
from tests.concurrency.conftest import Race

PRICE = 1900


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    assert world.broken_rules() == []


def test_parallel_withdrawals_never_exceed_what_is_available(world: World, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    world.earn(circle, clock, members=3)

    replies: list[Reply] = race.many(12, lambda _: world.withdraw(circle, PRICE))

    assert sorted(reply.status for reply in replies) == [201] * 3 + [409] * 9
    assert {reply.code for reply in replies} == {None, "balance_too_low"}
    assert world.balance(circle) == (0, 0, 3 * PRICE)


def test_a_request_is_either_canceled_or_approved(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    world.earn(circle, clock)
    payout = world.withdraw(circle, PRICE).ok(201)

    def approve() -> str:
        with units.write() as uow:
            return payouts.approve_payout(uow, payout["number"]).status

    canceled, approved = race.run(lambda: circle.owner.api.post(f"/payouts/{payout['id']}/cancel"), approve)

    assert (canceled.status == 200) is isinstance(approved, WrongState)
    assert sum(world.balance(circle)) == PRICE


def test_withdrawals_cancellations_and_refunds_at_once_lose_nothing(
    world: World, race: Race, clock: ManualClock
) -> None:
    circle = world.circle()
    members = world.earn(circle, clock, members=6)
    asked = [world.withdraw(circle, PRICE).ok(201) for _ in range(3)]

    replies: list[Reply] = race.run(
        *(partial(world.withdraw, circle, PRICE // 2) for _ in range(6)),
        *(partial(circle.owner.api.post, f"/payouts/{one['id']}/cancel") for one in asked),
        *(partial(world.refund, circle.owner, member.extra["invoice_id"]) for member in members[:3]),
    )

    assert {reply.status for reply in replies} <= {200, 201, 409}
    withdrawn = sum(reply.status == 201 for reply in replies[:6]) * (PRICE // 2)
    assert world.balance(circle) == (0, 3 * PRICE - withdrawn, withdrawn)


def test_two_workers_send_a_payout_once(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    circle = world.circle()
    world.earn(circle, clock)
    world.pay_out_to(circle, "ok")
    payout = world.withdraw(circle, PRICE).ok(201)
    with units.write() as uow:
        payouts.approve_payout(uow, payout["number"])

    race.many(6, lambda _: world.run_billing("pay_out"))

    lines = world.sandbox.settlement(clock.now().date())
    assert sum(line.number == payout["number"] for line in lines) == 1
    assert world.balance(circle) == (0, 0, 0)
