"""Single charges that other rooms ask for, such as a paid question; here of a kind that nobody else listens to."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from circle.billing import events
from circle.billing.errors import ChargedAlready
from circle.billing.services.charges import invoice_for, start_charge
from circle.billing.services.refunds import request_refund
from circle.kernel.clock import ManualClock
from circle.kernel.errors import Invalid
from circle.kernel.uow import UnitOfWork
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

EVENTS = (events.InvoicePaid, events.InvoiceRefunded, events.CheckoutExpired)


@pytest.fixture
def heard(world: World) -> Iterator[list[Any]]:
    """What billing announced, in order."""
    happened: list[Any] = []

    def listen(_uow: UnitOfWork, event: object) -> None:
        happened.append(event)

    before = world.units.handlers
    world.units.handlers = {**before, **{kind: (*before.get(kind, ()), listen) for kind in EVENTS}}
    yield happened
    world.units.handlers = before


def ask(world: World, person: Person, circle: BuiltCircle, subject: UUID, amount: int = 500) -> str:
    membership_id = UUID(world.membership(person, circle)["id"])
    with world.units.write() as uow:
        checkout = start_charge(
            uow,
            payer_id=person.id,
            circle_id=circle.id,
            membership_id=membership_id,
            kind="workshop",
            subject_id=subject,
            amount=amount,
            currency="CNY",
        )
        return str(checkout.id)


def open_checkout(person: Person, checkout_id: str) -> Any:
    return person.api.get(f"/checkouts/{checkout_id}").ok()


def test_a_charge_is_paid(world: World, heard: list[Any]) -> None:
    circle = world.circle()
    member, subject = world.member(circle), uuid4()
    checkout = open_checkout(member, ask(world, member, circle, subject))

    assert (checkout["kind"], checkout["tier"], checkout["price"]) == ("workshop", None, None)
    assert world.pay(member, checkout)["status"] == "succeeded"

    invoice_id = UUID(checkout["invoice_id"])
    assert heard == [events.InvoicePaid(invoice_id, circle.id, member.id, "workshop", subject)]
    assert circle.owner.api.get(f"{circle.path}/balance").ok()["pending"]["amount"] == 500
    assert world.membership(member, circle)["subscription"] is None


def test_asking_again_returns_the_same_checkout_until_it_is_paid(world: World) -> None:
    circle = world.circle()
    member, subject = world.member(circle), uuid4()

    first, second = ask(world, member, circle, subject), ask(world, member, circle, subject)
    assert first == second
    world.pay(member, open_checkout(member, first))

    with pytest.raises(ChargedAlready):
        ask(world, member, circle, subject)


def test_an_unpaid_charge_expires(world: World, heard: list[Any], clock: ManualClock) -> None:
    circle = world.circle()
    member, subject = world.member(circle), uuid4()
    checkout_id = ask(world, member, circle, subject)
    invoice_id = UUID(open_checkout(member, checkout_id)["invoice_id"])

    clock.advance(timedelta(minutes=31))
    world.run_billing("expire_checkouts")

    expired = events.CheckoutExpired(UUID(checkout_id), invoice_id, circle.id, member.id, "workshop", subject)
    assert heard == [expired]
    assert ask(world, member, circle, subject) != checkout_id


def test_a_charge_is_refunded_by_the_system(world: World, heard: list[Any]) -> None:
    circle = world.circle()
    member, subject = world.member(circle), uuid4()
    checkout = open_checkout(member, ask(world, member, circle, subject))
    world.pay(member, checkout)

    with world.units.write() as uow:
        invoice = invoice_for(uow, "workshop", subject)
        assert invoice is not None
        request_refund(uow, invoice_id=invoice.id, amount=None, reason="unanswered", actor=None)
    world.run_billing("refund")

    assert world.invoice(member, checkout["invoice_id"])["status"] == "refunded"
    assert heard[-1] == events.InvoiceRefunded(
        UUID(checkout["invoice_id"]), circle.id, member.id, "workshop", subject, 500, "CNY", full=True
    )
    assert world.membership(member, circle)["status"] == "active"


@pytest.mark.parametrize("amount", [0, -1, 2**63])
def test_a_charge_is_a_positive_amount(world: World, amount: int) -> None:
    circle = world.circle()

    with pytest.raises(Invalid):
        ask(world, world.member(circle), circle, uuid4(), amount)
