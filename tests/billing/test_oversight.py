"""What operators see: how much is in each state."""

from datetime import timedelta

from circle.billing import oversight
from circle.billing.services import payouts
from circle.kernel.clock import ManualClock
from tests.client import World

PRICE = 1900
HOUR = timedelta(hours=1)


def figures(world: World) -> dict[str, int]:
    """What is not nought."""
    with world.units.read() as uow:
        return {name: count for name, count in oversight.figures(uow).items() if count}


def test_a_renewal_is_counted_where_it_stands(world: World, clock: ManualClock) -> None:
    world.subscriber(world.circle(), way="lost_request")
    assert figures(world) == {}

    clock.advance(timedelta(days=23))
    assert world.run_billing("bill") == 1
    assert figures(world) == {}, "billed, and not due yet"

    clock.advance(timedelta(days=8))
    assert figures(world) == {"renewals_due": 1}
    world.run_renewals()
    assert figures(world) == {"charges_processing": 1}
    clock.advance(HOUR - timedelta(seconds=1))
    assert figures(world) == {"charges_processing": 1}
    clock.advance(timedelta(seconds=1))
    assert figures(world) == {"charges_processing": 1, "charges_stuck": 1}
    world.run_renewals()
    assert figures(world) == {}


def test_a_renewal_that_was_given_up_is_not_due(world: World, clock: ManualClock) -> None:
    member = world.subscriber(world.circle())
    clock.advance(timedelta(days=23))
    world.run_billing("bill")
    world.steer(member, "cancel").ok()

    clock.advance(timedelta(days=8))

    assert figures(world) == {}


def test_a_decline_leaves_a_subscription_past_due(world: World, clock: ManualClock) -> None:
    world.subscriber(world.circle(), way="decline_hard")

    world.live_until(clock, "2026-04-01T04:00:00Z", every=timedelta(days=8))

    assert figures(world) == {"subscriptions_past_due": 1}


def test_money_on_its_way_out_is_counted_where_it_stands(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.earn(circle, clock)
    world.pay_out_to(circle, "pending_then_ok")
    payout = world.withdraw(circle, 500).ok(201)
    assert figures(world) == {"payouts_requested": 1}

    with world.units.write() as uow:
        payouts.approve_payout(uow, payout["number"])
    assert figures(world) == {"payouts_approved": 1}
    with world.units.read() as uow:
        [waiting] = oversight.payouts_waiting(uow)
    assert (waiting["number"], waiting["available"]) == (payout["number"], PRICE - 500)

    world.run_billing("pay_out")
    assert figures(world) == {"payouts_in_transit": 1}


def test_a_refund_is_counted_until_it_is_through(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    checkout = world.checkout(member := world.person(), circle)
    world.pay(member, checkout, "lost_answer")
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    world.refund(member, checkout["invoice_id"]).ok()
    assert figures(world) == {"refunds_waiting": 1}

    clock.advance(timedelta(minutes=10))
    world.run_billing("refund")
    assert figures(world) == {}
