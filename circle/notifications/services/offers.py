"""Who is told of gifts and of prices that change."""

from zoneinfo import ZoneInfo

from circle.accounts.models import User
from circle.billing.offer_events import GiftClaimed, PriceChangeAnnounced
from circle.circles.models import Circle
from circle.kernel.clock import local_day
from circle.kernel.money import Money
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify


def on_gift_claimed(uow: UnitOfWork, claimed: GiftClaimed) -> None:
    notify(
        uow,
        claimed.buyer_id,
        Kind.GIFT_CLAIMED,
        key=f"gift:{claimed.gift_id}",
        circle_id=claimed.circle_id,
        subject=("gift", claimed.gift_id),
        actor=uow.session.get_one(User, claimed.claimed_by).display_name,
    )


def on_price_change_announced(uow: UnitOfWork, announced: PriceChangeAnnounced) -> None:
    notify(
        uow,
        announced.user_ids,
        Kind.PRICE_RISES if announced.rises else Kind.PRICE_FALLS,
        key=f"price_campaign:{announced.campaign_id}",
        circle_id=announced.circle_id,
        subject=("price_campaign", announced.campaign_id),
        before=str(Money(announced.before, announced.currency)),
        after=str(Money(announced.after, announced.currency)),
        on=_day(uow, announced),
    )


def _day(uow: UnitOfWork, announced: PriceChangeAnnounced) -> str:
    circle = uow.session.get_one(Circle, announced.circle_id)
    return local_day(announced.effective_at, ZoneInfo(circle.timezone)).isoformat()
