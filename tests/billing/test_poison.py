"""One bad row does not stop the others."""

from datetime import timedelta

import pytest

from circle.billing.providers.base import Outcome
from circle.kernel.clock import ManualClock
from tests.client import Api, World


def test_a_payment_that_can_not_be_asked_about_does_not_stop_the_others(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    people = [world.person() for _ in range(3)]
    for person in people:
        world.pay(person, world.checkout(person, circle), "slow")
    clock.advance(timedelta(minutes=3))
    ask, poison = world.sandbox.query, iter([True])

    def choke(number: str, reference: str | None = None) -> Outcome:
        if next(poison, False):
            raise RuntimeError("unforeseen")
        return ask(number, reference)

    with monkeypatch.context() as network:
        network.setattr(world.sandbox, "query", choke)
        assert world.run_billing("resolve") == 3

    assert sorted(world.membership(person, circle)["status"] for person in people) == ["active", "active", "pending"]


def test_news_that_can_not_be_looked_into_does_not_stop_the_others(
    world: World, api: Api, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    people = [world.person() for _ in range(3)]
    for person in people:
        world.pay(person, world.checkout(person, circle), "pending_then_ok")
    clock.advance(timedelta(minutes=2))
    ask, poison = world.sandbox.query, iter([True])

    def choke(number: str, reference: str | None = None) -> Outcome:
        if next(poison, False):
            raise RuntimeError("unforeseen")
        return ask(number, reference)

    with monkeypatch.context() as network:
        network.setattr(world.sandbox, "query", choke)
        world.run_billing("sandbox", "inbox")
    assert sorted(world.membership(person, circle)["status"] for person in people) == ["active", "active", "pending"]

    clock.advance(timedelta(minutes=3))
    world.run_billing("inbox")
    assert {world.membership(person, circle)["status"] for person in people} == {"active"}


def test_jobs_find_nothing_to_do_in_an_empty_installation(world: World) -> None:
    names = (
        "resolve",
        "inbox",
        "refund",
        "expire_checkouts",
        "release",
        "sandbox",
        "bill",
        "dun",
        "charge",
        "end",
        "remind",
    )

    assert world.run_billing(*names) == 0
