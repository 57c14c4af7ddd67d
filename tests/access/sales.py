"""What the circle of the scene sells besides its prices; `tier1` subscribes, is quoted, and told of a dearer price."""

from tests.access.maker import Maker
from tests.access.people import TIER1, TIER2

_DAY = "2026-06-01"


def sell(make: Maker) -> None:
    """A coupon, a gift that anybody may claim, a quote, a price campaign, and what another would be started with."""
    world, circle, payer = make.world, make.cast.open, make.by("tier1")
    note = make.secrets.of("GET /v1/circles/{circle_id}/coupons", "the note of a coupon")
    coupon = world.coupon(circle, note=note)
    gift = world.paid_gift(circle, world.person("送礼人"), circle.tier(TIER1))
    payer.extra["subscription_id"] = make.things[""]["subscription_id"]
    quote = world.quote(payer, circle.tier(TIER2).price_id).ok(201)
    before, after = (circle.tier(rank).price_id for rank in (TIER1, TIER2))
    campaign = world.campaign(circle, before, world.price(circle, circle.tier(TIER1), 2900), _DAY)
    dearer = world.price(circle, circle.tier(TIER2), 19900)
    make.things[""] |= {"coupon_id": coupon["id"], "campaign_id": campaign["id"]}
    make.things["sales"] = {
        "gift_code": gift["code"],
        "change": {"price_id": quote["to_price"]["id"], "quote_id": quote["id"]},
        "campaign": {"from_price_id": str(after), "to_price_id": dearer, "effective_on": _DAY},
    }
