"""Who is shut out or gone pays nothing; who is let in gets what they asked for, if it is still to be had."""

from datetime import timedelta
from typing import Any

from circle.accounts.events import UserDeleted
from circle.accounts.services.operators import suspend_user
from circle.billing.services import departures
from circle.kernel.clock import ManualClock
from tests.client import World

LATE = timedelta(minutes=31)


def test_who_is_suspended_pays_no_more_and_keeps_what_is_paid(world: World, clock: ManualClock, sql: Any) -> None:
    circle, other, third = world.circle(), world.circle(), world.circle()
    person = world.person()
    world.checkout(person, other)
    clock.advance(LATE)
    world.run_billing("expire_checkouts")
    world.subscriber(circle, person=person)
    world.checkout(person, third)

    with world.units.write() as uow:
        suspend_user(uow, email=person.email)

    found = sql("SELECT circle_id, status, cancel_at_period_end FROM subscriptions WHERE user_id = :id", id=person.id)
    assert {row["circle_id"]: (row["status"], row["cancel_at_period_end"]) for row in found} == {
        circle.id: ("active", True),
        other.id: ("expired", False),
        third.id: ("incomplete", False),
    }
    assert sql("SELECT 1 FROM grants WHERE user_id = :id AND revoked_at IS NOT NULL", id=person.id) == []


def test_who_is_gone_pays_no_more_whatever_else_has_happened(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, other = world.person(), world.subscriber(circle)
    removed = world.method(person, "slow")
    person.api.delete(f"/me/payment-methods/{removed}").ok(204)
    clock.advance(LATE)
    world.subscriber(circle, person=person)
    world.gift(circle, person, message="生日快乐")

    with world.units.write() as uow:
        departures.on_user_deleted(uow, UserDeleted(person.id))

    assert sql("SELECT status FROM subscriptions WHERE user_id = :id", id=person.id) == [{"status": "canceled"}]
    statuses = sql("SELECT kind, status FROM invoices WHERE payer_id = :id ORDER BY kind", id=person.id)
    assert [(row["kind"], row["status"]) for row in statuses] == [("gift", "void"), ("join", "paid")]
    methods = sql("SELECT reference, removed_at FROM payment_methods WHERE user_id = :id ORDER BY id", id=person.id)
    assert [(row["reference"], row["removed_at"]) for row in methods] == [("", clock.now() - LATE), ("", clock.now())]
    assert sql("SELECT message FROM gifts") == [{"message": ""}]
    assert world.subscription(other)["status"] == "active"
    assert [one["label"] for one in other.api.get("/me/payment-methods").ok()["items"]] == ["ok"]


def test_who_pays_is_not_let_in_for_nothing_beside_it(world: World) -> None:
    circle = world.circle(tiers=(("读者", 1, 1900), ("免费", 2, 0)))
    member = world.paying_member(circle, circle.tier(1))

    sent = {"price_id": str(circle.tier(2).price_id), "collection": "manual"}

    assert member.api.post(f"{circle.path}/join", sent).code == "already_a_member"
    assert world.membership(member, circle)["tier"]["rank"] == 1


def test_who_has_it_for_nothing_goes_on_with_the_checkout_of_a_better_tier(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0), ("学员", 2, 9900)))
    person = world.person()
    world.join(person, circle)

    first, again = (world.checkout(person, circle, circle.tier(2)) for _ in range(2))

    assert first["id"] == again["id"]


def test_an_approval_stands_where_the_wish_can_not_be_had_any_more(world: World, clock: ManualClock) -> None:
    circle = world.circle(join_policy="approval")
    until = (clock.now() + timedelta(hours=1)).isoformat()
    world.coupon(circle, "ONCE", max_uses=1)
    world.coupon(circle, "SOON", valid_until=until)
    gone = world.coupon(circle, "GONE")
    # Rank and coupon of each wish; the second tier is archived before the approval.
    wishes = [(1, "ONCE"), (1, "ONCE"), (1, "SOON"), (1, "GONE"), (2, None)]
    people = []
    for rank, code in wishes:
        person = world.person()
        world.join(person, circle, circle.tier(rank), **({"coupon": code} if code else {}))
        people.append(person)
    circle.owner.api.delete(f"/coupons/{gone['id']}").ok(204)
    circle.owner.api.patch(f"/tiers/{circle.tier(2).id}", {"archived": True}).ok()
    clock.advance(timedelta(hours=1))

    for person in people:
        circle.owner.api.post(f"{circle.path}/members/{person.id}/approve").ok()

    found = [world.membership(person, circle)["subscription"] for person in people]
    assert [one and one["status"] for one in found] == ["incomplete", None, None, None, None]
    assert world.checkout(people[1], circle)["amount"]["amount"] == 1900, "they choose again themselves"
