"""Races for offers: the last use of a coupon, one gift, one quote."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from circle.kernel.uow import Units
from tests.builders.billing import idempotency_key
from tests.client import Reply, World
from tests.concurrency.conftest import Race

THREADS = 20


@pytest.fixture(autouse=True)
def _money_adds_up(world: World) -> Iterator[None]:
    yield
    assert world.broken_rules() == []


def look(units: Units, sql: str, **params: Any) -> list[Any]:
    with units.read() as uow:
        return list(uow.session.execute(text(sql), params).mappings())


def codes(replies: list[Reply]) -> list[str]:
    return sorted(reply.code or "" for reply in replies)


def test_a_coupon_for_ten_is_used_by_ten_of_forty(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    coupon = world.coupon(circle, max_uses=10)
    people = [world.person() for _ in range(2 * THREADS)]
    sent = {"price_id": str(circle.tier(1).price_id), "collection": "manual", "coupon": "SPRING"}

    def join_two(number: int) -> list[Reply]:
        return [one.api.post(f"{circle.path}/join", sent) for one in people[2 * number : 2 * number + 2]]

    replies = [reply for pair in race.many(THREADS, join_two) for reply in pair]

    assert codes(replies) == [""] * 10 + ["coupon_used_up"] * 30
    assert {reply.json["checkout"]["amount"]["amount"] for reply in replies if reply.code is None} == {1520}
    [used] = look(units, "SELECT uses FROM coupons WHERE id = :id", id=coupon["id"])
    assert used["uses"] == 10


def test_one_person_has_a_coupon_once_however_often_they_ask(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    coupon = world.coupon(circle)
    person = world.person()
    sent = {"price_id": str(circle.tier(1).price_id), "collection": "manual", "coupon": "SPRING"}

    replies = race.many(8, lambda _: person.api.post(f"{circle.path}/join", sent))

    assert len({reply.ok(201)["checkout"]["id"] for reply in replies}) == 1
    assert len(look(units, "SELECT 1 FROM discounts WHERE coupon_id = :id", id=coupon["id"])) == 1


def test_a_gift_that_twenty_claim_at_once_is_one_persons(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    gift = world.paid_gift(circle, world.person())
    crowd = [world.person() for _ in range(THREADS)]

    replies = race.many(THREADS, lambda number: world.claim(crowd[number], gift["code"]))

    assert codes(replies) == [""] + ["gift_claimed"] * (THREADS - 1)
    grants = look(units, "SELECT user_id FROM grants WHERE source = 'gift' AND source_id = :id", id=gift["id"])
    assert len(grants) == 1


def test_a_gift_is_claimed_or_given_back_never_both(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    for _ in range(4):
        buyer, receiver = world.person(), world.person()
        gift = world.paid_gift(circle, buyer)

        claimed, refunded = race.run(
            lambda: world.claim(receiver, gift["code"]),  # noqa: B023 - called at once
            lambda: world.refund(buyer, gift["invoice_id"]),  # noqa: B023
        )

        assert sorted([claimed.status < 400, refunded.status < 400]) == [False, True]


def test_a_quote_that_is_sent_many_times_is_one_upgrade(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    quote = world.quote(member, circle.tier(2).price_id).ok(201)

    replies = race.many(8, lambda _: world.change(member, quote))

    assert codes(replies) == [""] + ["quote_used"] * 7
    made = look(
        units, "SELECT 1 FROM invoices WHERE kind = 'upgrade' AND payer_id = :id AND status = 'open'", id=member.id
    )
    assert len(made) == 1


def test_two_quotes_at_once_leave_one_upgrade_to_pay(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    quotes = [world.quote(member, circle.tier(2).price_id).ok(201) for _ in range(6)]

    race.many(6, lambda number: world.change(member, quotes[number]))

    open_ones = look(
        units, "SELECT 1 FROM invoices WHERE kind = 'upgrade' AND payer_id = :id AND status = 'open'", id=member.id
    )
    assert len(open_ones) == 1


def test_an_upgrade_paid_while_its_term_is_given_back_ends_paid_or_refunded(world: World, race: Race) -> None:
    circle = world.circle()
    for _ in range(4):
        member = world.paying_member(circle)
        checkout = world.change(member, world.quote(member, circle.tier(2).price_id).ok(201)).ok(200)["checkout"]
        method = world.method(member)
        sent = {"payment_method": method}

        race.run(
            lambda: member.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=idempotency_key()),  # noqa: B023
            lambda: world.refund(circle.owner, member.extra["invoice_id"]),  # noqa: B023
        )
        world.run_billing("refund")

        assert world.membership(member, circle)["tier"] is None
        assert world.invoice(member, checkout["invoice_id"])["status"] in {"refunded", "void"}


def test_two_workers_settle_a_campaign_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    members = [world.paying_member(circle) for _ in range(5)]
    price = world.price(circle, circle.tier(1), 900)
    sent = {"from_price_id": str(circle.tier(1).price_id), "to_price_id": price, "effective_on": "2026-03-02"}
    circle.owner.api.post(f"{circle.path}/price-campaigns", sent).ok(201)

    race.many(4, lambda _: world.run_billing("campaigns"))

    rows = look(
        units,
        "SELECT 1 FROM price_changes c JOIN price_campaigns p ON p.id = c.campaign_id WHERE p.circle_id = :id",
        id=circle.id,
    )
    assert len(rows) == 5
    for member in members:
        assert len(member.api.get("/me/notifications").ok()["items"]) == 1
