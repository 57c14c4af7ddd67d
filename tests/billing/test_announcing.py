"""Price campaigns are announced part by part: everybody once, and the campaign says how far it is."""

from typing import Any

from circle.billing.services import campaigns
from circle.jobs import load_job
from tests.builders.circles import BuiltCircle
from tests.client import World


def started(world: World, circle: BuiltCircle, rank: int) -> Any:
    """A campaign that lowers a tier's price and that nobody knows of yet."""
    tier = circle.tier(rank)
    sent = {"from_price_id": str(tier.price_id), "to_price_id": world.price(circle, tier, tier.amount - 100)}
    return circle.owner.api.post(f"{circle.path}/price-campaigns", {**sent, "effective_on": "2026-03-20"}).ok(201)


def test_everybody_is_told_once_however_small_the_parts(world: World) -> None:
    circle = world.circle()
    members = [world.paying_member(circle) for _ in range(2)]
    campaign = started(world, circle, 1)
    assert (campaign["withdrawn"], campaign["announced_at"], campaign["told"]) == (False, None, 0)

    told = []
    for _ in range(4):
        with world.units.write() as uow:
            told.append(campaigns.announce(uow, limit=1))

    assert told == [1, 1, 1, 0], "the third finds that everybody knows"
    assert [len(world.notices(member, "price_falls")) for member in members] == [1, 1]
    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert {name: shown[name] for name in ("told", "consented", "moved", "ending", "announced_at", "closed_at")} == {
        "told": 2,
        "consented": 0,
        "moved": 0,
        "ending": 0,
        "announced_at": "2026-03-01T04:00:00Z",
        "closed_at": None,
    }


def test_a_campaign_for_nobody_is_closed_at_once(world: World) -> None:
    circle = world.circle()
    started(world, circle, 2)

    rows = [load_job("billing.campaigns").run(world.units) for _ in range(3)]

    assert rows == [2, 0, 0], "announced and closed, once"
    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert (shown["told"], shown["closed_at"]) == (0, "2026-03-01T04:00:00Z")


def test_a_campaign_is_over_once_nobody_is_left_whom_it_changes(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    started(world, circle, 1)
    world.run_billing("campaigns")
    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert (shown["told"], shown["closed_at"]) == (1, None)

    world.refund(member, member.extra["invoice_id"]).ok(201)
    world.run_billing("campaigns")

    [shown] = circle.owner.api.get(f"{circle.path}/price-campaigns").ok()["items"]
    assert shown["closed_at"] == "2026-03-01T04:00:00Z"
    assert sql("SELECT outcome FROM price_changes") == [{"outcome": "left_alone"}]
