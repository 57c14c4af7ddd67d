"""What the owner and the operator do: coupons, seasons, price campaigns, withdrawals."""

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from circle.billing.models import LedgerAccount
from circle.billing.payout_models import Payout
from circle.billing.providers.sandbox import Sandbox
from circle.billing.services import campaigns, coupons, payout_accounts, payouts
from circle.billing.states import PayoutStatus
from circle.circles.models import Price
from circle.memberships.services.offers import archive_price
from circle.simulation.luck import pick
from circle.simulation.scene import CURRENCY, Scene, offer

SEASON = timedelta(days=120)
# Long enough before for the notice of a rise, with a margin for zones.
_CAMPAIGN_AHEAD = timedelta(days=33)
_CAMPAIGN_EVERY, _SEASON_EVERY, _COUPON_EVERY = 4, 6, 2
_PAYEES = {"ok": 5, "pending_then_ok": 2, "lost_request": 1, "lost_answer": 1, "slow": 1, "closed_account": 1}
_CAMPAIGNS = ("reader month", "member month", "reader year", "member quarter", "mentor month")


def begin_month(scene: Scene, number: int, dice: random.Random) -> None:
    """Arrange what is new this month, the first being 0."""
    if number % _SEASON_EVERY == 0:
        _open_season(scene)
    if number % _COUPON_EVERY == 0:
        _make_coupon(scene, number, dice)
    if number % _CAMPAIGN_EVERY == 2:  # noqa: PLR2004 - when people have subscribed
        _change_price(scene, _CAMPAIGNS[number // _CAMPAIGN_EVERY % len(_CAMPAIGNS)], dice)
    _withdraw(scene, dice)


def _open_season(scene: Scene) -> None:
    """Offer a term to a fixed day."""
    _archive(scene, "season")
    with scene.units.read() as uow:
        tier_id = uow.session.get_one(Price, scene.prices["member month"]).tier_id
        ends_at = uow.now + SEASON
    offer(scene, "season", tier_id, amount=4900, interval="fixed", fixed_end_at=ends_at)


def _archive(scene: Scene, name: str) -> None:
    if name in scene.prices:
        with scene.units.write() as uow:
            archive_price(uow, scene.owner, scene.prices[name])


def _make_coupon(scene: Scene, number: int, dice: random.Random) -> None:
    """Make a coupon of one of the kinds, with few uses for one time and many for another."""
    duration = dice.choice(("once", "periods", "forever"))
    with scene.units.write() as uow:
        percent = dice.choice((None, 10, 33, 100))
        made = coupons.create_coupon(
            uow,
            scene.owner,
            scene.circle_id,
            code=f"SIM{number}",
            percent=percent,
            amount=700 if percent is None else None,
            currency=CURRENCY if percent is None else None,
            duration="once" if percent == 100 else duration,  # noqa: PLR2004 - nobody lives here for nothing
            periods=3 if duration == "periods" and percent != 100 else None,  # noqa: PLR2004
            price_ids=None,
            max_uses=dice.choice((None, 3, 20)),
            max_uses_per_user=1,
            valid_from=None,
            valid_until=uow.now + timedelta(days=100),
            note="",
        )
        scene.coupons.append(made.code)


def _change_price(scene: Scene, name: str, dice: random.Random) -> None:
    """Replace a price by one a bit higher or lower, and move those who have it."""
    before = scene.prices[name]
    with scene.units.read() as uow:
        old = uow.session.get_one(Price, before)
        day = (uow.now + _CAMPAIGN_AHEAD).astimezone(ZoneInfo("Asia/Shanghai")).date()
        amount = old.amount * dice.choice((90, 110, 120)) // 100
        terms = {"interval": old.interval, "interval_count": old.interval_count}
        phases = {key: getattr(old, key) for key in ("advance_percent", "grace_percent", "later_percent")}
        tier_id = old.tier_id
    _archive(scene, name)
    after = offer(scene, name, tier_id, amount=amount, renewal=phases, **terms)
    with scene.units.write() as uow:
        campaigns.start_campaign(
            uow, scene.owner, scene.circle_id, from_price_id=before, to_price_id=after, effective_on=day
        )


def _withdraw(scene: Scene, dice: random.Random) -> None:
    """Ask for some of what is available, to be sent by the provider or paid by hand."""
    with scene.units.write() as uow:
        if dice.randrange(4):
            payee = pick(dice, _PAYEES)
            payout_accounts.set_account(uow, scene.owner, scene.circle_id, provider=Sandbox.name, token=payee)
        else:
            payout_accounts.forget_account(uow, scene.owner, scene.circle_id)
        available = uow.session.scalar(
            select(LedgerAccount.balance).where(
                LedgerAccount.circle_id == scene.circle_id,
                LedgerAccount.kind == "creator_available",
                LedgerAccount.currency == CURRENCY,
            )
        )
        amount = (available or 0) * dice.randrange(40, 101) // 100
        if amount > 0:
            payouts.request_payout(uow, scene.owner, scene.circle_id, amount=amount, currency=CURRENCY, note="")


def decide_payouts(scene: Scene, dice: random.Random, *, asked_before: datetime) -> None:
    """Approve what waits, as the operator, pay by hand what has no provider; or refuse; or the owner takes it back."""
    with scene.units.read() as uow:
        waiting = uow.session.scalars(
            select(Payout).where(Payout.status == PayoutStatus.REQUESTED, Payout.created_at < asked_before)
        ).all()
    for payout in waiting:
        with scene.units.write() as uow:
            verdict = pick(dice, {"approve": 8, "refuse": 1, "cancel": 1})
            if verdict == "refuse":
                payouts.refuse_payout(uow, payout.number, reason="模拟")
            elif verdict == "cancel":
                payouts.cancel_payout(uow, scene.owner, payout.id)
            elif payouts.approve_payout(uow, payout.number).provider is None:
                payouts.mark_paid(uow, payout.number, reference="by hand")
