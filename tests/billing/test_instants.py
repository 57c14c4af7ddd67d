"""Where a rule names a time, the instant itself is on one side of it, always the same."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from circle.billing.services.checkouts import CHECKOUT_LIFE
from circle.billing.services.leases import SEND_FOR
from circle.billing.services.quotes import QUOTE_LIFE
from circle.kernel.clock import ManualClock
from tests.client import World

INSTANT = timedelta(microseconds=1)


def test_a_quote_is_true_for_half_an_hour(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    quotes = [world.quote(member, circle.tier(2).price_id).ok(201) for _ in range(2)]

    clock.advance(QUOTE_LIFE)
    assert world.change(member, quotes[0]).code == "quote_expired"
    clock.set(clock.now() - INSTANT)

    upgrade = world.change(member, quotes[1]).ok(200)["checkout"]
    assert world.invoice(member, upgrade["invoice_id"])["subject_id"] == quotes[1]["id"]


@pytest.mark.parametrize(("early", "sent_again"), [(INSTANT, True), (timedelta(), False)])
def test_what_was_lost_is_sent_again_for_twenty_hours(
    world: World, clock: ManualClock, sql: Any, early: timedelta, *, sent_again: bool
) -> None:
    person = world.person()
    checkout = world.checkout(person, world.circle())
    world.pay(person, checkout, "lost_request")
    clock.advance(SEND_FOR - early)
    world.run_billing("resolve")

    [attempt] = world.invoice(person, checkout["invoice_id"])["attempts"]
    assert attempt["status"] == ("succeeded" if sent_again else "failed")
    if not sent_again:
        return
    world.refund(person, checkout["invoice_id"]).ok(201)
    clock.advance(SEND_FOR)
    world.run_billing("refund")
    [back] = world.invoice(person, checkout["invoice_id"])["refunds"]
    assert (back["status"], back["failure_code"]) == ("failed", "never_sent")
    assert world.refund(person, checkout["invoice_id"]).status == 201, "it can be asked for again"


def test_a_checkout_and_its_confirmation_wait_for_half_an_hour(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    idle, asked = world.person(), world.person()
    unpaid, waiting = (world.checkout(person, circle) for person in (idle, asked))
    world.pay(asked, waiting, "needs_auth")

    clock.advance(CHECKOUT_LIFE - INSTANT)
    assert world.run_billing("expire_checkouts") == 0
    world.run_billing("resolve")
    assert world.invoice(asked, waiting["invoice_id"])["attempts"][0]["status"] == "requires_action"
    clock.advance(INSTANT)
    assert idle.api.get(f"/checkouts/{unpaid['id']}").ok()["status"] == "expired"
    assert world.run_billing("expire_checkouts") == 1

    clock.advance(CHECKOUT_LIFE)
    world.run_billing("resolve", "expire_checkouts")
    assert world.invoice(asked, waiting["invoice_id"])["status"] == "void"


def test_a_term_is_over_at_its_end(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    paused, lapsed = (world.paying_member(circle) for _ in range(2))
    world.steer(paused, "pause").ok()
    end = datetime.fromisoformat(world.subscription(lapsed)["current_period_end"])
    wish = {"price_id": str(circle.tier(2).price_id), "collection": "manual"}

    clock.set(end - INSTANT)
    assert world.quote(lapsed, circle.tier(2).price_id).status == 201
    assert lapsed.api.post(f"{circle.path}/join", wish).code == "already_a_member"
    assert world.steer(paused, "resume").ok()["status"] == "active"
    world.steer(paused, "pause").ok()
    clock.set(end)

    assert world.quote(lapsed, circle.tier(2).price_id).code == "change_not_possible"
    assert world.steer(paused, "resume").code == "wrong_state"
    assert lapsed.api.post(f"{circle.path}/join", wish).status == 201


def test_the_books_of_a_day_are_compared_six_hours_after_its_end(world: World, clock: ManualClock, sql: Any) -> None:
    world.paying_member(world.circle())
    closed = datetime.fromisoformat("2026-03-02T06:00:00Z")

    clock.set(closed - INSTANT)
    assert world.run_billing("reconcile") == 0
    clock.set(closed)
    assert world.run_billing("reconcile") == 1
    clock.advance(timedelta(days=20))
    assert [world.run_billing("reconcile") for _ in range(2)] == [7, 6], "a week at a time"

    assert sql("SELECT min(day)::text AS first, max(day)::text AS last FROM reconciled_days") == [
        {"first": "2026-03-01", "last": "2026-03-21"}
    ]


@pytest.mark.parametrize(
    ("amount", "day", "status"),
    [
        (2900, "2026-03-31", 422),
        (2900, "2026-04-01", 201),
        (900, "2026-03-01", 422),
        (900, "2026-03-02", 201),
        (900, "2028-03-01", 201),
        (900, "2028-03-02", 422),
    ],
)
def test_a_campaign_begins_within_two_years_and_a_rise_after_thirty_days(
    world: World, clock: ManualClock, amount: int, day: str, status: int
) -> None:
    circle = world.circle()
    before, after = str(circle.tier(1).price_id), world.price(circle, circle.tier(1), amount)
    clock.set(datetime.fromisoformat("2026-03-01T16:00:00Z"))  # midnight in Shanghai

    sent = {"from_price_id": before, "to_price_id": after, "effective_on": day}

    assert circle.owner.api.post(f"{circle.path}/price-campaigns", sent).status == status
