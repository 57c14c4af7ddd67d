"""Rows that are done together: in one unit where all goes well, and each in one of its own where it does not."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from circle.billing.batches import together
from circle.billing.providers.base import Outcome, OutcomeState
from circle.billing.services import outcomes
from circle.kernel.clock import ManualClock
from circle.kernel.uow import UnitOfWork
from tests.client import World


@pytest.mark.parametrize(
    ("left", "poison", "batches", "done"),
    [
        ((), (), [[1, 2, 3]], [1, 2, 3]),
        ((2,), (), [[1, 2, 3], [2]], [1, 3, 2]),
        ((), (2,), [[1, 2, 3], [1], [2], [3]], [1, 3]),
    ],
)
def test_what_a_batch_leaves_has_units_of_its_own(
    world: World, left: tuple[int, ...], poison: tuple[int, ...], batches: list[list[int]], done: list[int]
) -> None:
    acted = list[list[int]]()

    def act(uow: UnitOfWork, rows: Sequence[int]) -> list[int]:
        acted.append(list(rows))
        uow.session.execute(text("SELECT 1"))
        if set(rows) & set(poison):
            raise RuntimeError("unforeseen")
        return [row for row in left if len(rows) > 1]

    assert together(world.units, "poison", [1, 2, 3], act) == done
    assert acted == batches
    assert together(world.units, "poison", [], act) == []
    assert acted == batches, "of nothing there is no unit"


def test_first_payments_are_applied_alone_even_where_only_two_come_together(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    people = [world.person(), world.person()]
    checkouts = [world.checkout(person, circle) for person in people]
    for person, checkout in zip(people, checkouts, strict=True):
        world.pay(person, checkout, "pending_then_ok")
    numbers = [
        world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]
        for person, checkout in zip(people, checkouts, strict=True)
    ]
    clock.advance(timedelta(minutes=1))
    world.sandbox.ripen()
    paid = Outcome(OutcomeState.SUCCEEDED, "sb_1", 1900, "CNY")

    with world.units.write() as uow:
        assert sorted(outcomes.apply_each(uow, dict.fromkeys(numbers, paid))) == sorted(numbers)
    assert [world.membership(person, circle)["status"] for person in people] == ["pending", "pending"]
    for number in numbers:
        with world.units.write() as uow:
            assert outcomes.apply_each(uow, {number: paid}) == []

    assert [world.membership(person, circle)["status"] for person in people] == ["active", "active"]
