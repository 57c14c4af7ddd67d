"""Price campaigns: the one way in which the price of an existing subscription changes.

Announced once, to those who subscribe at that moment. A fall applies by itself; a rise to those who agree, and ends the
others' subscriptions with their term. Both from the first period that begins on or after the campaign's day, and never
to a period that has been billed.
"""

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, insert, literal, or_, select, update

from circle.billing.models import Subscription
from circle.billing.offer_errors import CampaignUnderWay, NotTheSamePlan
from circle.billing.offer_events import PriceChangeAnnounced
from circle.billing.offer_models import ChangeOutcome, PriceCampaign, PriceChange
from circle.billing.rules import MANUAL_AHEAD, NOTICE_MARGIN
from circle.billing.services.joining import require_offer
from circle.billing.services.locks import lock
from circle.billing.services.renewing import notice_of
from circle.billing.states import LIVE, SubscriptionStatus
from circle.circles.models import Circle, Price
from circle.circles.terms import months_of
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

JOB = "billing.campaigns"
# Who is to pay more has a month to think about it.
RISE_NOTICE = timedelta(days=30)
_FARTHEST = timedelta(days=730)
# A change is settled so long before the renewal is billed: late enough to hear from people.
_BEFORE_BILLING = timedelta(days=7)
_GOING_ON = tuple(status for status in LIVE if status != SubscriptionStatus.INCOMPLETE)


def start_campaign(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, *, from_price_id: UUID, to_price_id: UUID, effective_on: date
) -> PriceCampaign:
    """Announce another price to those who subscribe to one.

    Errors: MissingPermission, UnknownPrice, NotTheSamePlan, Invalid (the day), CampaignUnderWay.
    """
    require_permission(uow, caller, circle_id, Permission.EDIT_OFFERS)
    before = uow.session.get(Price, from_price_id)
    after = require_offer(uow, circle_id, to_price_id, paid=True)
    if before is None or before.circle_id != circle_id or not _is_same_plan(before, after):
        raise NotTheSamePlan
    rises = after.amount > before.amount
    effective_at = _start_of(effective_on, uow.session.get_one(Circle, circle_id).timezone)
    _check_day(uow, effective_at, rises=rises)
    if uow.session.scalar(select(exists().where(PriceCampaign.from_price_id == before.id, _is_open()))):
        raise CampaignUnderWay
    campaign = PriceCampaign(
        id=new_id(),
        circle_id=circle_id,
        from_price_id=before.id,
        to_price_id=after.id,
        rises=rises,
        effective_at=effective_at,
        created_by=caller.user_id,
        created_at=uow.now,
    )
    uow.session.add(campaign)
    _note(uow, caller, "price_campaign.start", campaign, before=before.amount, after=after.amount)
    uow.ring(JOB)
    return campaign


def _is_same_plan(before: Price, after: Price) -> bool:
    same = ("tier_id", "currency", "interval", "interval_count")
    alike = all(getattr(before, name) == getattr(after, name) for name in same)
    return alike and months_of(before) > 0 and not before.is_free and before.amount != after.amount


def _start_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone))


def _check_day(uow: UnitOfWork, effective_at: datetime, *, rises: bool) -> None:
    notice = RISE_NOTICE if rises else timedelta(0)
    if not uow.now + notice <= effective_at <= uow.now + _FARTHEST:
        raise Invalid.field(
            "effective_on",
            "out_of_range",
            f"须在 {notice.days} 天之后，{_FARTHEST.days} 天之内。",
            f"Must be at least {notice.days} and at most {_FARTHEST.days} days away.",
        )


def withdraw_campaign(uow: UnitOfWork, caller: Caller, campaign_id: UUID) -> None:
    """Call a campaign off: what has not been billed by it stays at the present price. Errors: NotFound."""
    campaign = uow.session.get(PriceCampaign, campaign_id)
    if campaign is None:
        raise NotFound
    require_permission(uow, caller, campaign.circle_id, Permission.EDIT_OFFERS)
    campaign = lock(uow, PriceCampaign, campaign_id)
    if campaign.withdrawn:
        return
    campaign.withdrawn = True
    campaign.closed_at = campaign.closed_at or uow.now
    _undo(uow, campaign)
    _note(uow, caller, "price_campaign.withdraw", campaign)


def _undo(uow: UnitOfWork, campaign: PriceCampaign) -> None:
    for_want_of_consent = and_(PriceChange.outcome == ChangeOutcome.ENDING, Subscription.canceled_at.is_(None))
    undone = uow.session.scalars(
        update(Subscription)
        .where(
            PriceChange.campaign_id == campaign.id,
            Subscription.id == PriceChange.subscription_id,
            Subscription.next_price_id == campaign.to_price_id,
            Subscription.status.in_(LIVE),
            Subscription.renewal_open.is_(False),
        )
        .values(
            next_price_id=None,
            cancel_at_period_end=case((for_want_of_consent, False), else_=Subscription.cancel_at_period_end),
        )
        .returning(Subscription.id)
        .execution_options(synchronize_session=False)
    ).all()
    uow.session.execute(
        update(PriceChange)
        .where(
            PriceChange.campaign_id == campaign.id,
            or_(PriceChange.settled_at.is_(None), PriceChange.subscription_id.in_(undone)),
        )
        .values(settled_at=uow.now, outcome=ChangeOutcome.WITHDRAWN)
        .execution_options(synchronize_session=False)
    )


def announce(uow: UnitOfWork, *, limit: int) -> int:
    """Tell one batch of subscribers of the oldest campaign that not everybody knows of; return how many, or 0."""
    campaign = uow.session.scalar(
        select(PriceCampaign)
        .where(_is_open(), PriceCampaign.announced_at.is_(None))
        .order_by(PriceCampaign.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if campaign is None:
        return 0
    told = _next_subscribers(uow, campaign, limit)
    if len(told) < limit:
        campaign.announced_at = uow.now
    if told:
        before, after = (uow.session.get_one(Price, one) for one in (campaign.from_price_id, campaign.to_price_id))
        uow.emit(
            PriceChangeAnnounced(
                campaign.id,
                campaign.circle_id,
                tuple(told),
                before.amount,
                after.amount,
                after.currency,
                rises=campaign.rises,
                effective_at=campaign.effective_at,
            )
        )
    return max(len(told), 1)


def _next_subscribers(uow: UnitOfWork, campaign: PriceCampaign, limit: int) -> list[UUID]:
    """Note, and return, people who subscribed before the campaign and have not been told of it."""
    told = exists().where(PriceChange.campaign_id == campaign.id, PriceChange.subscription_id == Subscription.id)
    nobody_yet = (
        select(
            literal(campaign.id, PriceChange.campaign_id.type),
            Subscription.id,
            Subscription.user_id,
            literal(uow.now, PriceChange.created_at.type),
        )
        .where(
            Subscription.circle_id == campaign.circle_id,
            Subscription.price_id == campaign.from_price_id,
            Subscription.status.in_(_GOING_ON),
            Subscription.created_at <= campaign.created_at,
            ~told,
        )
        .limit(limit)
    )
    columns = ["campaign_id", "subscription_id", "user_id", "created_at"]
    adding = insert(PriceChange).from_select(columns, nobody_yet, include_defaults=False)
    return list(uow.session.scalars(adding.returning(PriceChange.user_id)))


def due_changes(uow: UnitOfWork, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Return campaign and subscription of changes to settle: the present term is the last at the old price."""
    last_term = and_(
        Subscription.current_period_end >= PriceCampaign.effective_at,
        Subscription.current_period_end <= uow.now + _settle_ahead(uow),
        Subscription.renewal_open.is_(False),
    )
    gone = or_(Subscription.status.not_in(LIVE), Subscription.price_id != PriceCampaign.from_price_id)
    due = (
        select(PriceChange.campaign_id, PriceChange.subscription_id)
        .join(PriceCampaign, PriceCampaign.id == PriceChange.campaign_id)
        .join(Subscription, Subscription.id == PriceChange.subscription_id)
        .where(PriceChange.settled_at.is_(None), _is_open(), or_(last_term, gone))
        .limit(limit)
    )
    return [(row.campaign_id, row.subscription_id) for row in uow.session.execute(due)]


def _settle_ahead(uow: UnitOfWork) -> timedelta:
    """Return how long before the end of its last term a change is settled."""
    return max(MANUAL_AHEAD, notice_of(uow) + NOTICE_MARGIN) + _BEFORE_BILLING


def settle_change(uow: UnitOfWork, campaign_id: UUID, subscription_id: UUID) -> bool:
    """Let the next period cost the new price, or be none for want of consent; False where that is done already."""
    lock(uow, Membership, uow.session.get_one(Subscription, subscription_id).membership_id)
    subscription = lock(uow, Subscription, subscription_id)
    change = lock(uow, PriceChange, (campaign_id, subscription_id))
    campaign = uow.session.get_one(PriceCampaign, campaign_id)
    if change.settled_at is not None or subscription.renewal_open:
        return False
    change.settled_at = uow.now
    if subscription.status not in LIVE or subscription.price_id != campaign.from_price_id or subscription.next_price_id:
        # It has ended, or its subscriber chose another plan.
        change.outcome = ChangeOutcome.LEFT_ALONE
        return True
    subscription.next_price_id = campaign.to_price_id
    change.outcome = ChangeOutcome.MOVED
    if campaign.rises and change.consented_at is None:
        change.outcome = ChangeOutcome.ENDING
        subscription.cancel_at_period_end = True
    return True


def close_finished(uow: UnitOfWork) -> int:
    """Close campaigns that everybody knows of and that are settled with everybody; return how many."""
    waiting = exists().where(PriceChange.campaign_id == PriceCampaign.id, PriceChange.settled_at.is_(None))
    closed = uow.session.scalars(
        update(PriceCampaign)
        .where(_is_open(), PriceCampaign.announced_at.is_not(None), ~waiting)
        .values(closed_at=uow.now)
        .returning(PriceCampaign.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(closed)


def _is_open() -> ColumnElement[bool]:
    return PriceCampaign.closed_at.is_(None)


def _note(uow: UnitOfWork, caller: Caller, action: str, campaign: PriceCampaign, **data: object) -> None:
    audit.record(
        uow,
        caller,
        action,
        circle_id=campaign.circle_id,
        subject_kind="price_campaign",
        subject_id=campaign.id,
        **data,
    )
