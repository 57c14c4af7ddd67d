"""One payment's life in six events, two of them duplicates, told in every order: one end."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from circle.billing import steps
from circle.billing.providers.base import Outcome, OutcomeState
from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.client import Api, World
from tests.reliability.sizes import SIZES

# A notification, the same one again, another one of the same payment, the sweeper, the end of a slow payment at the
# provider, and the end of the checkout that it pays.
LIFE = ("news", "news again", "more news", "sweep", "end", "expiry")
ORDERS = tuple(permutations(LIFE))
WAYS = ("slow", "pending_then_ok", "lost_answer", "lost_request")


def live(world: World, api: Api, clock: ManualClock, circle: BuiltCircle, order: tuple[str, ...], way: str) -> None:
    """Join, live through the events in their order, and come to the one end: paid once, inside."""
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, way)
    number = world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]

    for step in order:
        happen(world, api, clock, step, number)
    clock.advance(timedelta(minutes=10))
    world.run_billing("sandbox", "inbox", "resolve")

    invoice = world.invoice(person, checkout["invoice_id"])
    assert (invoice["status"], [one["status"] for one in invoice["attempts"]]) == ("paid", ["succeeded"]), order
    assert world.membership(person, circle)["status"] == "active", order


def happen(world: World, api: Api, clock: ManualClock, step: str, number: str) -> None:
    if step in {"news", "news again", "more news"}:
        event_id = f"{'more' if step == 'more news' else 'news'} {number}"
        headers, body = world.sandbox.sealed({"id": event_id, "kind": "charge", "number": number}, clock.now())
        api.request("POST", "/webhooks/sandbox", headers=headers, data=body).ok(200)
        world.run_billing("inbox")
    elif step == "sweep":
        world.run_billing("resolve")
    elif step == "end":
        clock.advance(timedelta(minutes=3))
        world.run_billing("sandbox", "inbox")
    else:
        clock.advance(timedelta(minutes=31))
        world.run_billing("expire_checkouts")


@pytest.mark.parametrize("order", ORDERS[::40], ids="-".join)
def test_every_fortieth_order_of_news_ends_alike(
    world: World, api: Api, clock: ManualClock, order: tuple[str, ...]
) -> None:
    live(world, api, clock, world.circle(), order, WAYS[ORDERS.index(order) % len(WAYS)])


@pytest.mark.reliability
@pytest.mark.parametrize("first", LIFE)
def test_orders_of_news_end_alike(world: World, api: Api, clock: ManualClock, first: str) -> None:
    circle = world.circle()
    for index, order in enumerate(ORDERS):
        if order[0] == first and index % SIZES.each_order == 0:
            live(world, api, clock, circle, order, WAYS[index % len(WAYS)])


@pytest.mark.reliability
def test_news_that_is_believed_as_it_came_is_caught(
    world: World, api: Api, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: what the first try was told of is taken for the truth, whatever has become of it since."""
    declined = Outcome(OutcomeState.FAILED, code="declined")
    monkeypatch.setattr(steps, "_look_up", lambda _units, _waiting: declined)

    with pytest.raises(AssertionError):
        live(world, api, clock, world.circle(), LIFE, "slow")

    assert world.broken_rules() != []
    # So that the line with which every test of billing ends is true again.
    sql("DELETE FROM sandbox_charges")
