"""Withdrawals: asked for by the owner, approved by the operator, sent once, given back where they fail."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from circle.billing.services import payouts
from circle.config import Settings
from circle.kernel.clock import ManualClock
from circle.kernel.state import WrongState
from tests.builders.billing import idempotency_key
from tests.builders.circles import BuiltCircle
from tests.client import World

PRICE = 1900


@pytest.fixture
def circle(world: World, clock: ManualClock) -> BuiltCircle:
    """A circle that has earned two memberships for good."""
    circle = world.circle()
    world.earn(circle, clock, members=2)
    return circle


def approve(world: World, payout: Any) -> None:
    with world.units.write() as uow:
        payouts.approve_payout(uow, payout["number"])


def sent(world: World, payout: Any) -> int:
    """How often the sandbox has sent a payout's money."""
    today = world.units.clock.now().date()
    return sum(line.number == payout["number"] for line in world.sandbox.settlement(today))


def test_what_is_asked_for_leaves_the_available_balance_at_once(world: World, circle: BuiltCircle) -> None:
    assert world.balance(circle) == (0, 2 * PRICE, 0)

    payout = world.withdraw(circle, 3000, note="请转到工资卡。").ok(201)

    assert (payout["status"], payout["amount"]) == ("requested", {"amount": 3000, "currency": "CNY"})
    assert world.balance(circle) == (0, 800, 3000)
    (movement, *_) = circle.owner.api.get(f"{circle.path}/ledger").ok()["items"]
    assert (movement["kind"], movement["payout_id"]) == ("payout", payout["id"])
    assert [(one["account"], one["amount"]["amount"]) for one in movement["entries"]] == [
        ("creator_available", -3000),
        ("creator_payout", 3000),
    ]


def test_no_more_than_is_available_can_be_asked_for(world: World, circle: BuiltCircle) -> None:
    world.paying_member(circle)

    refused = world.withdraw(circle, 2 * PRICE + 1)

    assert (refused.status, refused.code) == (409, "balance_too_low")
    assert world.withdraw(circle, PRICE, currency="USD").code == "balance_too_low", "no other currency pays for it"
    assert world.balance(circle) == (PRICE, 2 * PRICE, 0)
    world.paying_member(young := world.circle())
    assert world.withdraw(young, 1).code == "balance_too_low", "what may still be refunded is not available"
    assert circle.owner.api.get(f"{circle.path}/payouts").ok()["items"] == []


@pytest.mark.parametrize(
    ("amount", "code"),
    [(0, "out_of_range"), (-1, "out_of_range"), (1.5, "wrong_type"), ("5", "wrong_type"), (2**63, "out_of_range")],
)
def test_wrong_amounts_are_refused(world: World, circle: BuiltCircle, amount: Any, code: str) -> None:
    refused = world.withdraw(circle, amount)

    assert (refused.status, refused.fields) == (422, {"amount": code})
    assert world.balance(circle) == (0, 2 * PRICE, 0)


def test_an_unknown_currency_is_refused(world: World, circle: BuiltCircle) -> None:
    assert world.withdraw(circle, 100, currency="XXX").fields == {"currency": "not_a_choice"}


def test_the_key_is_required_and_a_second_asking_is_the_first(world: World, circle: BuiltCircle) -> None:
    path, body = f"{circle.path}/payouts", {"amount": 1000, "currency": "CNY"}
    key = idempotency_key()

    assert circle.owner.api.post(path, body).code == "idempotency_key_required"
    first = circle.owner.api.post(path, body, headers=key).ok(201)

    assert circle.owner.api.post(path, body, headers=key).ok(201) == first
    assert world.balance(circle) == (0, 2 * PRICE - 1000, 1000)


def test_an_approved_payout_is_sent_by_the_provider_once(world: World, circle: BuiltCircle) -> None:
    world.pay_out_to(circle, "ok")
    payout = world.withdraw(circle, 3000).ok(201)
    assert world.run_billing("pay_out") == 0, "nobody has approved it"

    approve(world, payout)
    assert world.run_billing("pay_out") == 1

    assert world.payout(circle, payout)["status"] == "succeeded"
    assert world.balance(circle) == (0, 800, 0)
    assert sent(world, payout) == 1
    assert len(world.notices(circle.owner, "payout_sent")) == 1


@pytest.mark.parametrize("payee", ["lost_request", "lost_answer", "slow", "pending_then_ok"])
def test_a_payout_without_an_answer_is_asked_about_and_sent_once(
    world: World, circle: BuiltCircle, clock: ManualClock, payee: str
) -> None:
    world.pay_out_to(circle, payee)
    payout = world.withdraw(circle, 3000).ok(201)
    approve(world, payout)

    world.run_billing("pay_out")
    assert world.payout(circle, payout)["status"] == "in_transit"
    clock.advance(timedelta(minutes=3))
    world.run_billing("pay_out")

    assert world.payout(circle, payout)["status"] == "succeeded"
    assert world.balance(circle) == (0, 800, 0)
    assert sent(world, payout) == 1


def test_the_sandbox_tells_of_a_payout_by_webhook(world: World, circle: BuiltCircle, clock: ManualClock) -> None:
    world.pay_out_to(circle, "pending_then_ok")
    payout = world.withdraw(circle, 3000).ok(201)
    approve(world, payout)
    world.run_billing("pay_out")

    clock.advance(timedelta(minutes=1))
    world.run_billing("sandbox", "inbox")

    assert world.payout(circle, payout)["status"] == "succeeded"


def test_a_failed_payout_is_available_again(world: World, circle: BuiltCircle) -> None:
    world.pay_out_to(circle, "closed_account")
    payout = world.withdraw(circle, 3000).ok(201)
    approve(world, payout)

    world.run_billing("pay_out")

    shown = world.payout(circle, payout)
    assert (shown["status"], shown["failure_code"]) == ("failed", "account_closed")
    assert len(world.notices(circle.owner, "payout_failed")) == 1
    assert world.balance(circle) == (0, 2 * PRICE, 0)
    assert world.withdraw(circle, 2 * PRICE).status == 201


def test_what_was_never_seen_is_given_up_after_a_day(world: World, circle: BuiltCircle, clock: ManualClock) -> None:
    world.pay_out_to(circle, "lost_request")
    payout = world.withdraw(circle, 3000).ok(201)
    approve(world, payout)
    world.run_billing("pay_out")

    clock.advance(timedelta(hours=20))
    world.run_billing("pay_out")

    shown = world.payout(circle, payout)
    assert (shown["status"], shown["failure_code"]) == ("failed", "never_sent")
    assert world.balance(circle) == (0, 2 * PRICE, 0)
    assert sent(world, payout) == 0


def test_an_operator_pays_by_hand_where_there_is_no_account(world: World, circle: BuiltCircle) -> None:
    payout = world.withdraw(circle, 3000).ok(201)
    with pytest.raises(WrongState), world.units.write() as uow:
        payouts.mark_paid(uow, payout["number"], reference="transfer 17")

    approve(world, payout)
    assert world.run_billing("pay_out") == 0, "nothing for a provider"
    with world.units.write() as uow:
        payouts.mark_paid(uow, payout["number"], reference="transfer 17")

    assert world.payout(circle, payout)["status"] == "succeeded"
    assert world.balance(circle) == (0, 800, 0)


def test_an_operator_refuses(world: World, circle: BuiltCircle) -> None:
    payout = world.withdraw(circle, 3000).ok(201)

    with world.units.write() as uow:
        payouts.refuse_payout(uow, payout["number"], reason="unknown account")

    assert world.payout(circle, payout)["failure_code"] == "refused"
    assert world.balance(circle) == (0, 2 * PRICE, 0)


def test_a_request_is_taken_back_until_it_is_approved(world: World, circle: BuiltCircle) -> None:
    first, second = world.withdraw(circle, 1000).ok(201), world.withdraw(circle, 500).ok(201)
    approve(world, second)

    assert circle.owner.api.post(f"/payouts/{first['id']}/cancel").ok()["status"] == "canceled"
    assert circle.owner.api.post(f"/payouts/{first['id']}/cancel").code == "wrong_state"
    assert circle.owner.api.post(f"/payouts/{second['id']}/cancel").code == "wrong_state"

    assert world.balance(circle) == (0, 2 * PRICE - 500, 500)
    listed = circle.owner.api.get(f"{circle.path}/payouts").ok()["items"]
    assert [one["status"] for one in listed] == ["approved", "canceled"]


def test_a_refund_after_the_payout_makes_the_balance_negative(
    world: World, clock: ManualClock, five_percent: None
) -> None:
    circle = world.circle()
    (member,) = world.earn(circle, clock)
    payout = world.withdraw(circle, 1805).ok(201)
    approve(world, payout)
    with world.units.write() as uow:
        payouts.mark_paid(uow, payout["number"], reference="transfer 18")

    world.refund(circle.owner, member.extra["invoice_id"]).ok(201)

    assert world.balance(circle) == (0, -1805, 0)
    assert world.withdraw(circle, 1).code == "balance_too_low"
    world.earn(circle, clock, members=2)
    assert world.balance(circle) == (0, 1805, 0), "the next earnings pay it back first"


def test_a_new_owner_gets_what_the_old_one_had_only_asked_for(
    world: World, circle: BuiltCircle, clock: ManualClock
) -> None:
    world.pay_out_to(circle, "ok")
    payout = world.withdraw(circle, 3000).ok(201)
    heir = world.paying_member(circle)

    offer = circle.owner.api.post(f"{circle.path}/transfer", {"user_id": str(heir.id)}).ok(201)
    heir.api.post(f"{circle.path}/transfer/accept", {}).ok()

    assert offer is not None
    assert heir.api.get(f"/payouts/{payout['id']}").ok()["status"] == "canceled"
    assert heir.api.get(f"{circle.path}/payout-account").status == 404


def test_where_money_goes_is_said_by_the_owner(world: World, circle: BuiltCircle) -> None:
    path = f"{circle.path}/payout-account"
    assert circle.owner.api.get(path).status == 404

    for sent_body, code in (
        ({"provider": "sandbox", "token": "nowhere"}, "unknown_payee"),
        ({"provider": "paypal", "token": "ok"}, "unknown_provider"),
    ):
        assert circle.owner.api.put(path, sent_body).code == code
    world.pay_out_to(circle, "ok")

    assert circle.owner.api.get(path).ok()["label"] == "ok"
    circle.owner.api.delete(path).ok(204)
    assert circle.owner.api.get(path).status == 404


def test_strangers_and_members_see_nothing_of_it(world: World, circle: BuiltCircle) -> None:
    payout = world.withdraw(circle, 1000).ok(201)
    member = world.paying_member(circle)

    for path in (f"/payouts/{payout['id']}", f"/payouts/{payout['id']}/cancel"):
        ask = member.api.post if path.endswith("cancel") else member.api.get
        assert ask(path).status == 404
    assert member.api.get(f"{circle.path}/payouts").code == "missing_permission"
    refused = member.api.post(f"{circle.path}/payouts", {"amount": 1, "currency": "CNY"}, headers=idempotency_key())
    assert refused.code == "missing_permission"


@pytest.fixture
def moved(world: World, settings: Settings) -> Iterator[Any]:
    """Call to make the installation a copy at another address."""
    before = world.units.adapters

    def move() -> None:
        copy = replace(settings, site_url="https://copy.example.org")
        world.units.adapters = {**world.units.adapters, Settings: copy}

    yield move
    world.units.adapters = before


def test_a_copy_of_the_database_pays_nobody(world: World, circle: BuiltCircle, moved: Any, clock: ManualClock) -> None:
    world.pay_out_to(circle, "ok")
    payout = world.withdraw(circle, 3000).ok(201)
    approve(world, payout)

    moved()
    assert world.run_billing("pay_out") == 0

    assert world.payout(circle, payout)["status"] == "approved"
    assert sent(world, payout) == 0
