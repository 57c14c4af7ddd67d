"""Renewals: announced, charged once a period, counted from the anchor."""

from datetime import timedelta
from typing import Any

from circle.billing.services.charging import claim_charges
from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import World

# Of `World`'s clock, whose first day is 1 March 2026, 04:00 UTC.
DAY_OF_NOTICE = "2026-03-24T04:00:00Z"
END_OF_TERM = "2026-04-01T04:00:00Z"
NEXT_END = "2026-05-01T04:00:00Z"


def test_a_subscription_renews_by_itself_after_a_notice(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)

    world.live_until(clock, "2026-03-24T03:00:00Z", every=timedelta(days=8))
    assert world.renewals(member) == []
    world.live_until(clock, DAY_OF_NOTICE)
    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["due_at"], renewal["attempts"]) == ("open", END_OF_TERM, [])
    assert len(world.notices(member, "renewal_coming")) == 1
    world.live_until(clock, "2026-04-01T03:59:59Z", every=timedelta(days=4))
    assert world.renewals(member)[0]["attempts"] == []
    world.live_until(clock, END_OF_TERM)

    subscription = world.subscription(member)
    assert (subscription["status"], subscription["current_period_end"]) == ("active", NEXT_END)
    assert [one["status"] for one in world.renewals(member)] == ["paid"]
    assert world.membership(member, circle)["access_until"] == NEXT_END


def test_a_member_is_never_without_access_while_their_renewal_is_collected(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="pending_then_ok")

    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))
    under_way = world.membership(member, circle)
    world.live_for(clock, minutes=10)

    assert under_way["status"] == "active"
    assert world.membership(member, circle)["access_until"] == NEXT_END


def test_nobody_is_charged_who_was_not_told_in_time(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)

    clock.advance(timedelta(days=31))
    world.run_renewals()
    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["attempts"], renewal["due_at"]) == ("open", [], "2026-04-08T04:00:00Z")
    assert world.membership(member, circle)["status"] == "active"
    sql("UPDATE invoices SET charge_at = :now WHERE kind = 'renewal'", now=clock.now())
    world.run_renewals()
    assert world.renewals(member)[0]["attempts"] == []
    sql("UPDATE invoices SET charge_at = due_at WHERE kind = 'renewal'")
    world.live_until(clock, "2026-04-08T04:00:00Z", every=timedelta(days=7))

    assert world.renewals(member)[0]["status"] == "paid"
    assert world.subscription(member)["current_period_end"] == NEXT_END


def test_the_charger_itself_refuses_what_was_not_announced(world: World, clock: ManualClock, sql: Any) -> None:
    member = world.subscriber(world.circle())
    world.live_until(clock, "2026-04-01T03:00:00Z", every=timedelta(days=8))
    clock.advance(timedelta(hours=1))
    world.run_billing("bill")
    sql("UPDATE invoices SET noticed_at = :now WHERE kind = 'renewal'", now=clock.now())

    assert world.run_billing("charge") == 0

    assert [one["status"] for one in world.renewals(member)[0]["attempts"]] == ["created"]
    assert len(sql("SELECT 1 FROM sandbox_charges")) == 1


def test_renewing_early_by_hand_extends_from_the_end_of_the_term(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    clock.advance(timedelta(days=10))

    renewing = world.steer(member, "renew").ok(200)
    assert world.steer(member, "renew").ok(200)["checkout"]["id"] == renewing["checkout"]["id"]
    assert world.pay(member, renewing["checkout"])["status"] == "succeeded"

    subscription = world.subscription(member)
    assert (subscription["current_period_end"], subscription["renewal"]) == (NEXT_END, None)
    assert world.steer(member, "renew").code == "renewed_already"
    world.live_until(clock, "2026-04-20T00:00:00Z", every=timedelta(days=10))
    assert len(world.renewals(member)) == 1
    assert world.membership(member, circle)["access_until"] == NEXT_END


def test_a_price_change_does_not_touch_existing_subscriptions(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    tier = circle.tier(1)
    circle.owner.api.delete(f"/prices/{tier.price_id}").ok(204)
    circle.owner.api.post(f"/tiers/{tier.id}/prices", {"amount": 2900, "currency": "CNY", "interval": "month"}).ok(201)

    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))

    assert [one["amount"]["amount"] for one in world.renewals(member)] == [1900]


def test_fixed_and_lifetime_terms_do_not_renew(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=())
    end = clock.now() + timedelta(days=20)
    circle.tiers["训练营"] = world.tier(circle, "训练营", 1, 9900, interval="fixed", fixed_end_at=end)
    circle.tiers["终身"] = world.tier(circle, "终身", 2, 99900, interval="lifetime")
    camper = world.subscriber(circle, circle.tiers["训练营"])
    patron = world.subscriber(circle, circle.tiers["终身"])

    world.live_for(clock, days=24)

    assert world.subscription(camper)["status"] == "expired"
    assert world.subscription(patron)["status"] == "active"
    assert world.renewals(camper) == world.renewals(patron) == []
    assert world.steer(patron, "renew").code == "not_renewable"


def test_a_renewal_over_nothing_is_paid_without_an_attempt(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, DAY_OF_NOTICE, every=timedelta(days=23))
    sql("UPDATE invoices SET amount = 0 WHERE kind = 'renewal'")

    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))

    [renewal] = world.renewals(member)
    assert (renewal["status"], renewal["attempts"]) == ("paid", [])
    assert world.subscription(member)["current_period_end"] == NEXT_END


def test_a_lost_answer_is_asked_for_and_never_charged_again(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="lost_answer")
    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))
    assert world.renewals(member)[0]["status"] == "open"

    world.live_for(clock, minutes=5)

    [renewal] = world.renewals(member)
    assert (renewal["status"], len(renewal["attempts"])) == ("paid", 1)
    assert len(sql("SELECT 1 FROM sandbox_charges WHERE state = 'succeeded'")) == 2


def test_a_lease_outlives_its_worker(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, "2026-04-01T03:00:00Z", every=timedelta(days=8))
    clock.advance(timedelta(hours=1))
    world.run_billing("bill")
    with world.units.write() as uow:  # a worker that claims, and dies before it has sent anything
        assert len(claim_charges(uow, limit=50)) == 1

    world.run_billing("charge", "resolve")
    assert world.renewals(member)[0]["attempts"][0]["status"] == "processing"
    clock.advance(timedelta(minutes=3))
    world.run_renewals()

    assert world.renewals(member)[0]["status"] == "paid"
    assert len(sql("SELECT 1 FROM sandbox_charges WHERE state = 'succeeded'")) == 2


def test_a_paid_renewal_can_be_refunded_within_its_window(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))
    [renewal] = world.renewals(member)

    assert world.refund(member, renewal["id"]).ok(201)["status"] == "succeeded"

    assert world.subscription(member)["status"] == "canceled"
    assert world.membership(member, circle)["status"] == "expired"


def test_removing_the_method_is_told_and_a_new_one_is_charged(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    member.api.delete(f"/me/payment-methods/{member.extra['method_id']}").ok(204)

    world.live_until(clock, "2026-04-01T05:00:00Z", every=timedelta(days=8))
    assert world.subscription(member)["status"] == "past_due"
    assert len(world.notices(member, "payment_method_failed")) == 1
    world.method(member)
    world.run_renewals()

    assert world.subscription(member)["status"] == "active"


def test_a_circle_that_is_closed_charges_nobody(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    world.live_until(clock, DAY_OF_NOTICE, every=timedelta(days=23))
    circle.owner.api.patch(circle.path, {"closed": True}).ok()

    world.live_until(clock, "2026-04-02T04:00:00Z", every=timedelta(days=8))

    assert [one["status"] for one in world.renewals(member)] == ["void"]
    assert world.subscription(member)["status"] == "expired"


def test_a_new_owner_stops_paying_for_their_circle(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle)
    circle.owner.api.post(f"{circle.path}/transfer", {"user_id": str(member.id)}).ok()

    member.api.post(f"{circle.path}/transfer/accept").ok()

    assert world.subscription(member)["status"] == "canceled"


def test_a_checkout_and_a_renewal_by_itself_are_one_payment(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.subscriber(circle, way="slow")
    world.live_until(clock, END_OF_TERM, every=timedelta(days=8))
    checkout = world.steer(member, "renew").ok()["checkout"]

    sent = {"payment_method": world.method(member)}
    answer = member.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()).ok()
    world.live_for(clock, minutes=5)

    assert answer["status"] == "processing"
    assert world.renewals(member)[0]["status"] == "paid"
    assert len(sql("SELECT 1 FROM sandbox_charges WHERE state = 'succeeded'")) == 2
