"""Lists of money and offers: every row on one page, even where many are of one instant."""

from typing import Any

from circle.kernel.clock import ManualClock
from tests.client import Api, World


def every_row(api: Api, path: str) -> list[str]:
    """The ids of a list that is read row by row."""
    found, cursor = list[str](), ""
    while True:
        page = api.get(path, query_string={"limit": 1, **({"cursor": cursor} if cursor else {})}).ok()
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_rows_of_one_instant_are_each_on_one_page(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    [member] = world.earn(circle, clock)
    for number in range(2):
        world.coupon(circle, f"CODE{number}")
        world.gift(circle, member)
        world.withdraw(circle, 100).ok(201)
        tier = circle.tier(number + 1)
        sent = {"from_price_id": str(tier.price_id), "to_price_id": world.price(circle, tier, tier.amount - 100)}
        circle.owner.api.post(f"{circle.path}/price-campaigns", {**sent, "effective_on": "2026-04-15"}).ok(201)

    lists = {
        f"{circle.path}/coupons": (circle.owner, 2),
        f"{circle.path}/price-campaigns": (circle.owner, 2),
        f"{circle.path}/payouts": (circle.owner, 2),
        f"{circle.path}/ledger": (circle.owner, 4),
        "/me/invoices": (member, 3),
        "/me/gifts": (member, 2),
    }
    for path, (reader, count) in lists.items():
        rows = every_row(reader.api, path)
        assert len(set(rows)) == len(rows) == count, path
        assert rows == sorted(rows, reverse=True), f"{path}: newest first"


def test_payment_methods_are_listed_newest_first(world: World) -> None:
    person = world.person()

    added = [world.method(person, way) for way in ("ok", "slow", "decline_soft")]

    assert [one["id"] for one in person.api.get("/me/payment-methods").ok()["items"]] == added[::-1]
