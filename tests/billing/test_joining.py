"""The ways into a circle: free, on trial, by approval, by invitation; and what is refused at the door."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from circle.circles.models import Price
from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World


def with_trial(world: World, days: int = 7) -> Any:
    circle = world.circle(tiers=())
    circle.tiers["读者"] = world.tier(circle, "读者", 1, 1900, trial_days=days)
    return circle


def test_a_free_tier_needs_no_checkout(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0), ("学员", 2, 9900)))
    person = world.person()

    joined = world.join(person, circle)

    assert joined["membership"]["status"] == "active"
    assert (joined["subscription"], joined["checkout"]) == (None, None)


def test_a_free_member_may_buy_a_better_tier(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0), ("学员", 2, 9900)))
    person = world.person()
    world.join(person, circle)

    world.paying_member(circle, circle.tier(2), person=person)

    assert world.membership(person, circle)["tier"]["rank"] == 2
    again = person.api.post(f"{circle.path}/join", {"price_id": str(circle.tier(1).price_id), "collection": "auto"})
    assert again.code == "already_a_member"


def test_a_trial_begins_without_paying(world: World) -> None:
    circle = with_trial(world)
    person = world.person()

    joined = world.join(person, circle)

    assert joined["checkout"] is None
    assert joined["subscription"]["status"] == "trialing"
    assert joined["membership"]["status"] == "active"
    assert joined["membership"]["access_until"] == "2026-03-08T04:00:00Z"


def test_a_trial_is_had_once(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    person = world.person()
    world.join(person, circle)
    assert person.api.post(f"{circle.path}/leave").status in {200, 204}

    again = world.join(person, circle)
    if again["checkout"] is None:  # the trial still runs
        clock.advance(timedelta(days=8))
        world.run_billing("bill", "end")
        again = world.join(person, circle)

    assert again["subscription"]["status"] == "incomplete"
    assert again["checkout"]["amount"]["amount"] == 1900


def test_a_trial_that_has_ended_is_over(world: World, clock: ManualClock) -> None:
    circle = with_trial(world)
    person = world.person()
    subscription = world.join(person, circle)["subscription"]

    clock.advance(timedelta(days=7))
    assert world.run_billing("bill", "end") == 1

    assert person.api.get(f"/subscriptions/{subscription['id']}").ok()["status"] == "expired"
    assert world.membership(person, circle)["tier"] is None


def test_an_applicant_pays_after_the_approval(world: World) -> None:
    circle = world.circle(join_policy="approval")
    person = world.person()

    applied = world.join(person, circle)
    assert (applied["membership"]["status"], applied["checkout"]) == ("pending", None)
    circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()
    joined = world.join(person, circle)

    assert joined["checkout"]["status"] == "open"
    assert world.pay(person, joined["checkout"])["status"] == "succeeded"
    assert world.membership(person, circle)["status"] == "active"


def test_the_approval_opens_the_checkout_that_was_asked_for(world: World, sql: Any, clock: ManualClock) -> None:
    circle = world.circle(join_policy="approval")
    person = world.person()
    world.join(person, circle, circle.tier(2))

    circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()

    assert world.membership(person, circle)["subscription"]["status"] == "incomplete"
    assert [row["amount"] for row in sql("SELECT amount FROM invoices")] == [9900]
    clock.advance(timedelta(hours=3))
    assert world.pay(person, world.checkout(person, circle, circle.tier(2)))["status"] == "succeeded"


def test_the_approval_lets_in_who_asked_for_a_free_tier(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0),), join_policy="approval")
    person = world.person()
    world.join(person, circle)

    circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()

    assert world.membership(person, circle)["status"] == "active"


def test_the_approval_stands_where_the_seats_are_gone(world: World) -> None:
    circle = world.circle(tiers=(), join_policy="approval")
    tier = circle.tiers["小班"] = world.tier(circle, "小班", 1, 1900, seats=1)
    first, second = world.person(), world.person()
    for person in (first, second):
        world.join(person, circle, tier)
        circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()

    sent = {"price_id": str(tier.price_id), "collection": "manual"}
    assert second.api.post(f"{circle.path}/join", sent).code == "seats_taken"
    assert world.pay(first, world.checkout(first, circle, tier))["status"] == "succeeded"


def test_a_banned_member_does_not_come_back(world: World) -> None:
    circle = world.circle()
    banned = world.banned_member(circle)

    sent = {"price_id": str(circle.tier(1).price_id), "collection": "manual"}
    assert banned.api.post(f"{circle.path}/join", sent).code == "banned"


def test_an_unknown_coupon_is_refused(world: World) -> None:
    circle = world.circle()
    sent = {"price_id": str(circle.tier(1).price_id), "collection": "manual", "coupon": "SPRING"}

    assert world.person().api.post(f"{circle.path}/join", sent).code == "unknown_coupon"


def test_prices_of_other_circles_and_archived_ones_are_refused(world: World) -> None:
    circle, other = world.circle(), world.circle()
    archived = circle.tier(2).price_id
    circle.owner.api.delete(f"/prices/{archived}").ok(204)
    api = world.person().api

    for price_id in (other.tier(1).price_id, archived, uuid4()):
        assert (
            api.post(f"{circle.path}/join", {"price_id": str(price_id), "collection": "auto"}).code == "unknown_price"
        )


def test_a_price_that_is_archived_while_somebody_pays_is_still_theirs(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    circle.owner.api.delete(f"/prices/{circle.tier(1).price_id}").ok(204)

    assert world.pay(person, checkout)["status"] == "succeeded"


@pytest.mark.parametrize(
    "extra",
    [
        {"amount": 1},
        {"currency": "JPY"},
        {"user_id": str(uuid4())},
        {"collection": "never"},
        {"price_id": None},
        {"price_id": 7},
        {"price_id": "x" * 36},
        {"coupon": "x" * 41},
        {"answers": "all"},
        {"trial_days": 365},
    ],
)
def test_what_a_client_may_not_say_is_refused(world: World, sql: Any, extra: dict[str, object]) -> None:
    circle = world.circle()
    sent = {"price_id": str(circle.tier(1).price_id), "collection": "manual", **extra}

    assert world.person().api.post(f"{circle.path}/join", sent).status == 422
    assert sql("SELECT 1 FROM invoices") == []


@pytest.mark.parametrize("gift", ["days", "role"])
def test_an_invitation_that_lets_in_without_paying_needs_no_price(world: World, gift: str) -> None:
    circle, lin = world.circle(join_policy="invite"), world.person()
    gives = {"tier_id": str(circle.tier(2).id), "comp_days": 10} if gift == "days" else {"role": "guest"}
    code = circle.owner.api.post(f"{circle.path}/invitations", gives).ok(201)["code"]

    joined = lin.api.post(f"{circle.path}/join", {"invitation": code}).ok(201)

    assert (joined["subscription"], joined["checkout"]) == (None, None)
    assert world.membership(lin, circle)["status"] == "active"
    assert lin.api.post(f"{circle.path}/join", {"invitation": code}).code == "already_a_member"


def test_who_has_to_pay_names_a_price(world: World, sql: Any) -> None:
    circle = world.circle()
    code = circle.owner.api.post(f"{circle.path}/invitations", {}).ok(201)["code"]

    for sent in ({}, {"invitation": code}):
        refused = world.person().api.post(f"{circle.path}/join", sent)
        assert (refused.status, refused.fields) == (422, {"price_id": "required"})
    assert sql("SELECT 1 FROM memberships WHERE status = 'pending'") == []


@pytest.mark.parametrize("extra", [{"amount": 1}, {"payment_method": None}, {"payment_method": str(uuid4())}])
def test_nobody_names_the_amount_they_pay(world: World, extra: dict[str, object]) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    sent = {"payment_method": world.method(person), **extra}

    assert person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()).status == 422
    assert world.invoice(person, checkout["invoice_id"])["attempts"] == []


def test_nobody_pays_with_somebody_elses_method(world: World) -> None:
    circle = world.circle()
    person, other = world.person(), world.person()
    checkout = world.checkout(person, circle)
    removed = world.method(person)
    person.api.delete(f"/me/payment-methods/{removed}").ok(204)

    for method in (world.method(other), removed):
        paying = person.api.post(
            f"/checkouts/{checkout['id']}/pay", {"payment_method": method}, headers=idempotency_key()
        )
        assert (paying.status, paying.code) == (422, "unknown_payment_method")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"provider": "sandbox", "token": "free money"}, "invalid"),
        ({"provider": "sandbox", "token": "page"}, "invalid"),
        ({"provider": "stripe", "token": "ok"}, "unknown_provider"),
        ({"provider": "sandbox"}, "invalid"),
        ({"provider": "sandbox", "token": "\x00"}, "invalid"),
    ],
)
def test_unknown_methods_are_refused(world: World, sent: dict[str, str], code: str) -> None:
    reply = world.person().api.post("/me/payment-methods", sent)

    assert (reply.status, reply.code) == (422, code)


def test_a_fixed_end_is_everybodys_end(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    end = clock.now() + timedelta(minutes=20)
    tier = circle.tiers["训练营"] = world.tier(circle, "训练营", 1, 9900, interval="fixed", fixed_end_at=end)
    early, late = world.person(), world.person()
    world.pay(early, world.checkout(early, circle, tier))
    checkout = world.checkout(late, circle, tier)

    assert world.membership(early, circle)["access_until"] == "2026-03-01T04:20:00Z"
    assert checkout["expires_at"] == "2026-03-01T04:20:00Z"
    clock.advance(timedelta(minutes=21))
    world.run_billing("expire_checkouts", "bill", "end")
    sent = {"price_id": str(tier.price_id), "collection": "manual"}
    assert world.person().api.post(f"{circle.path}/join", sent).code == "unknown_price"


def test_a_lifetime_never_ends(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    circle.tiers["终身"] = world.tier(circle, "终身", 1, 99900, interval="lifetime")
    member = world.paying_member(circle)

    clock.advance(timedelta(days=80))
    assert world.run_billing("bill", "end") == 0

    membership = world.membership(member, circle)
    assert (membership["status"], membership["access_until"]) == ("active", None)
    assert membership["subscription"]["current_period_end"] is None


def test_a_month_from_the_31st_ends_with_the_shorter_month(world: World, clock: ManualClock) -> None:
    clock.advance(timedelta(days=30))
    circle = world.circle()

    member = world.paying_member(circle)

    assert world.membership(member, circle)["access_until"] == "2026-04-30T04:00:00Z"


def test_prices_are_read_from_the_offer_alone(world: World) -> None:
    circle = world.circle()
    with world.units.read() as uow:
        amounts = set(uow.session.scalars(select(Price.amount).where(Price.circle_id == UUID(str(circle.id)))))

    assert world.checkout(world.person(), circle)["amount"]["amount"] in amounts
