"""Quotes: the exact figures of a change, shown before it, and the charge that equals them."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from circle.kernel.clock import ManualClock
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World
from tests.conftest import START

_SECOND = timedelta(seconds=1)


def half_up(amount: Fraction) -> int:
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_an_upgrade_costs_the_rest_of_the_term_less_what_was_paid_for_it(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    clock.advance(timedelta(days=15, hours=12))  # half of the 31 days

    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    assert {name: quote[name]["amount"] for name in ("cost", "credit", "due", "renewal_amount")} == {
        "cost": 4950,
        "credit": 950,
        "due": 4000,
        "renewal_amount": 9900,
    }
    assert (quote["effective"], quote["renews_at"]) == ("now", "2026-04-01T04:00:00Z")
    assert (quote["to_tier"]["rank"], quote["expires_at"]) == (2, "2026-03-16T16:30:00Z")
    assert world.subscription(member)["tier"]["rank"] == 1


def test_a_downgrade_costs_nothing_and_waits_for_the_end_of_the_term(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle, circle.tier(2))

    quote = world.quote(member, circle.tier(1).price_id).ok(201)

    assert (quote["effective"], quote["effective_at"], quote["due"]["amount"]) == (
        "period_end",
        "2026-04-01T04:00:00Z",
        0,
    )
    assert quote["renewal_amount"]["amount"] == 1900


def test_another_interval_of_the_same_tier_waits_too(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    yearly = world.price(circle, circle.tier(1), 19900, interval="year")

    quote = world.quote(member, yearly).ok(201)

    assert (quote["effective"], quote["due"]["amount"], quote["renewal_amount"]["amount"]) == ("period_end", 0, 19900)


def test_more_paid_than_the_better_tier_costs_is_not_paid_out(world: World, clock: ManualClock) -> None:
    circle = world.circle(tiers=(("旧", 1, 9900), ("新", 2, 1900)))
    member = world.paying_member(circle)

    quote = world.quote(member, circle.tier(2).price_id).ok(201)
    changed = world.change(member, quote).ok(200)

    assert (quote["cost"]["amount"], quote["credit"]["amount"], quote["due"]["amount"]) == (1900, 9900, 0)
    assert (changed["checkout"], changed["subscription"]["tier"]["rank"]) == (None, 2)


def test_a_coupon_counts_in_what_was_paid_and_what_it_costs(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.coupon(circle, percent=50, duration="forever")
    member = world.person()
    joined = world.join(member, circle, coupon="SPRING")
    world.pay(member, joined["checkout"])
    member.extra["subscription_id"] = joined["subscription"]["id"]

    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    assert (quote["cost"]["amount"], quote["credit"]["amount"], quote["renewal_amount"]["amount"]) == (4950, 950, 4950)


def test_a_renewal_is_quoted_as_it_will_be_charged(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.subscriber(circle, circle.tier(2))
    terms = {"renewal": {"advance_percent": 80, "grace_percent": 90, "later_percent": 100}}
    cheaper = world.price(circle, circle.tier(1), 1000, **terms)

    quote = world.quote(member, cheaper).ok(201)
    world.change(member, quote).ok(200)
    world.live_for(clock, days=32)
    world.log_in(member)

    assert quote["renewal_amount"]["amount"] == 800
    assert [(one["amount"]["amount"], one["status"]) for one in world.renewals(member)] == [(800, "paid")]


def test_what_was_given_back_is_no_credit(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    world.refund(circle.owner, member.extra["invoice_id"], amount=900).ok(201)

    assert world.quote(member, circle.tier(2).price_id).ok(201)["credit"]["amount"] == 1000


def test_the_days_of_a_gift_are_paid_by_whoever_gave_them(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    world.claim(member, world.paid_gift(circle, world.person())["code"]).ok(200)

    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    assert (quote["cost"]["amount"], quote["credit"]["amount"]) == (2 * 9900, 2 * 1900)
    assert quote["renews_at"] == "2026-05-01T04:00:00Z"


@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    joined_on=st.integers(0, 400),
    seconds=st.integers(0, 27 * 86400),
    amounts=st.tuples(st.integers(1, 10_000_000), st.integers(1, 10_000_000)),
    months=st.tuples(st.sampled_from([1, 3, 12]), st.sampled_from([1, 3, 12])),
    percent=st.sampled_from([0, 1, 33, 100]),
)
def test_the_charge_equals_the_quote(
    world: World,
    clock: ManualClock,
    joined_on: int,
    seconds: int,
    amounts: tuple[int, int],
    months: tuple[int, int],
    percent: int,
) -> None:
    clock.set(START + timedelta(days=joined_on))
    circle, member = _subscriber(world, amounts, months, percent)
    clock.advance(seconds * _SECOND)

    quote = world.quote(member, circle.tier(2).price_id).ok(201)
    paid = world.subscription(member)
    checkout = world.change(member, quote).ok(200)["checkout"]

    start, end = instant(paid["current_period_start"]), instant(paid["current_period_end"])
    left = Fraction((end - clock.now()) // _SECOND)
    kept = world.invoice(member, member.extra["invoice_id"])["amount"]["amount"]
    credit = half_up(kept * left / Fraction((end - start) // _SECOND))
    due = max(quote["cost"]["amount"] - credit, 0)
    assert (quote["credit"]["amount"], quote["due"]["amount"]) == (credit, due)
    assert quote["cost"]["amount"] >= 0
    if months[0] == months[1]:
        assert quote["cost"]["amount"] == half_up(amounts[1] * left / Fraction((end - start) // _SECOND))
    assert (checkout["amount"]["amount"] if checkout else 0) == due
    if checkout:
        world.pay(member, checkout)
        assert world.invoice(member, checkout["invoice_id"])["amount"]["amount"] == due
    after = world.subscription(member)
    assert (after["tier"]["rank"], after["current_period_end"]) == (2, paid["current_period_end"])
    member.api.post(f"{circle.path}/leave").ok()  # the next example may be years away
    assert world.broken_rules() == []


def _subscriber(
    world: World, amounts: tuple[int, int], months: tuple[int, int], percent: int
) -> tuple[BuiltCircle, Person]:
    circle = world.circle(tiers=())
    for rank, (amount, count) in enumerate(zip(amounts, months, strict=True), 1):
        circle.tiers[str(rank)] = world.tier(circle, str(rank), rank, amount, interval_count=count)
    member, more = world.person(), {}
    if percent:
        world.coupon(circle, percent=percent, price_ids=[str(circle.tier(1).price_id)])
        more = {"coupon": "SPRING"}
    joined = world.join(member, circle, **more)
    if joined["checkout"]:
        world.pay(member, joined["checkout"])
    invoice_id = member.api.get("/me/invoices").ok()["items"][0]["id"]
    member.extra |= {"subscription_id": joined["subscription"]["id"], "invoice_id": invoice_id}
    return circle, member


def test_nobody_else_is_quoted(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    sent = {"price_id": str(circle.tier(2).price_id)}
    path = f"/subscriptions/{member.extra['subscription_id']}/quote"

    assert world.paying_member(circle).api.post(path, sent).status == 404
    assert circle.owner.api.post(path, sent).code == "not_your_subscription"


def test_what_does_not_renew_or_costs_nothing_is_no_change(world: World) -> None:
    circle = world.circle(tiers=(("免费", 1, 0), ("读者", 2, 1900)))
    other = world.circle()
    member = world.paying_member(circle, circle.tier(2))
    life = world.price(circle, circle.tier(2), 99900, interval="lifetime")

    codes = {
        "change_not_possible": [life, circle.tier(2).price_id],
        "unknown_price": [circle.tier(1).price_id, other.tier(2).price_id],
    }
    for code, prices in codes.items():
        assert [world.quote(member, price).code for price in prices] == [code] * len(prices)


@pytest.mark.parametrize("way", ["cancelled", "trial", "unpaid"])
def test_only_a_subscription_that_goes_on_is_changed(world: World, way: str) -> None:
    circle = world.circle()
    circle.tiers["试用"] = world.tier(circle, "试用", 5, 5900, trial_days=7)
    member = world.person()
    rank = 5 if way == "trial" else 1
    joined = world.join(member, circle, circle.tier(rank))
    member.extra["subscription_id"] = joined["subscription"]["id"]
    if way == "cancelled":
        world.pay(member, joined["checkout"])
        member.api.post(f"/subscriptions/{member.extra['subscription_id']}/cancel").ok()

    assert world.quote(member, circle.tier(2).price_id).code == "change_not_possible"


@pytest.mark.parametrize("extra", [{"amount": 1}, {"due": 0}, {"price_id": None}, {"price_id": 2**63}])
def test_nobody_names_their_own_figures(world: World, sql: Any, extra: dict[str, object]) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    sent = {"price_id": str(circle.tier(2).price_id), **extra}

    assert member.api.post(f"/subscriptions/{member.extra['subscription_id']}/quote", sent).status == 422
    assert sql("SELECT 1 FROM quotes") == []
