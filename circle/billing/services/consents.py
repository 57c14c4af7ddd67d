"""Price changes that a subscriber has to agree to: without a word the subscription ends with its term."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from circle.billing.models import Subscription
from circle.billing.offer_errors import ConsentNeeded, NothingToConsentTo
from circle.billing.offer_models import ChangeOutcome, PriceCampaign, PriceChange
from circle.billing.policy import require_own_subscription
from circle.billing.services.locks import lock
from circle.billing.states import LIVE
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership


@dataclass(frozen=True, slots=True)
class Pending:
    """A price change that is coming for one subscription."""

    campaign: PriceCampaign
    change: PriceChange


def find_pending(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Pending:
    """Return the newest price change of one's subscription. Errors: NotFound, NothingToConsentTo."""
    subscription = require_own_subscription(uow, caller, subscription_id)
    pending = _newest_of(uow, subscription.id)
    if pending is None or subscription.status not in LIVE:
        raise NothingToConsentTo
    return pending


def consent(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Pending:
    """Agree to the new price; a subscription that would have ended for want of it goes on.

    Errors: NotFound, NothingToConsentTo.
    """
    pending = find_pending(uow, caller, subscription_id)
    lock(uow, Membership, uow.session.get_one(Subscription, subscription_id).membership_id)
    subscription = lock(uow, Subscription, subscription_id)
    change = lock(uow, PriceChange, (pending.campaign.id, subscription_id))
    if subscription.status not in LIVE or not pending.campaign.rises or change.outcome == ChangeOutcome.WITHDRAWN:
        raise NothingToConsentTo
    change.consented_at = change.consented_at or uow.now
    if change.outcome == ChangeOutcome.ENDING:
        change.outcome = ChangeOutcome.MOVED
        if subscription.canceled_at is None:  # else they have cancelled it themselves
            subscription.cancel_at_period_end = False
    return Pending(pending.campaign, change)


def require_agreed(uow: UnitOfWork, subscription: Subscription) -> None:
    """Refuse to let a subscription go on to a price that its subscriber has not agreed to. Errors: ConsentNeeded."""
    pending = _newest_of(uow, subscription.id)
    if pending is None or pending.change.outcome != ChangeOutcome.ENDING:
        return
    if subscription.price_id == pending.campaign.from_price_id:  # else they have paid the new one
        raise ConsentNeeded


def _newest_of(uow: UnitOfWork, subscription_id: UUID) -> Pending | None:
    row = uow.session.execute(
        select(PriceCampaign, PriceChange)
        .join(PriceChange, PriceChange.campaign_id == PriceCampaign.id)
        .where(PriceChange.subscription_id == subscription_id, PriceCampaign.withdrawn.is_(False))
        .order_by(PriceCampaign.created_at.desc())
        .limit(1)
    ).first()
    return None if row is None else Pending(row.PriceCampaign, row.PriceChange)
