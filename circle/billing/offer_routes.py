"""HTTP of coupons, gifts, plan changes and price campaigns."""

from uuid import UUID

from circle.billing import errors, offer_errors, offer_queries, offer_schemas
from circle.billing.services import campaigns, changing, consents, coupons, gifts, quotes
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships import errors as membership_errors
from circle.memberships.errors import MEMBERS_ONLY
from circle.memberships.gates import standing_gate
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

routes = Routes("sales", "Coupons, gifts, changes of plan, price campaigns.", errors=MEMBERS_ONLY)

CIRCLE = "/circles/<uuid:circle_id>"
SUBSCRIPTION = "/subscriptions/<uuid:subscription_id>"
SELL = (Limit("sell", "60/hour"),)
GIVE = (Limit("gift", "30/hour"),)
# A code has 78 bits; these keep people from trying all the same.
CLAIM = (Limit("claim", "10/minute"), Limit("claim", "30/minute", "ip"), Limit("claim", "600/minute", "all"))
CHANGE = (Limit("change_plan", "30/minute"),)
_GATE = standing_gate("circle_id")
_OWNERS = (membership_errors.MissingPermission,)


@routes.get(f"{CIRCLE}/coupons", query=PageArgs, answer=page_of(offer_schemas.CouponOut), gate=_GATE, errors=_OWNERS)
def list_coupons(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """The circle's coupons, newest first, archived ones too."""
    require_permission(uow, caller, circle_id, Permission.GIVE_DISCOUNTS)
    return offer_queries.coupons(uow, circle_id, **query)


@routes.post(
    f"{CIRCLE}/coupons",
    body=offer_schemas.CouponIn,
    answer=offer_schemas.CouponOut,
    status=201,
    limits=SELL,
    errors=(*_OWNERS, offer_errors.CouponCodeTaken),
)
def create_coupon(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Make a coupon: a percentage or an amount off, for one period, several or all, with limits and days."""
    return offer_queries.coupon(coupons.create_coupon(uow, caller, circle_id, **body))


@routes.delete("/coupons/<uuid:coupon_id>", status=204, errors=_OWNERS)
def archive_coupon(uow: UnitOfWork, caller: Caller, coupon_id: UUID) -> None:
    """Take a coupon off the table; subscriptions that have it keep it."""
    coupons.archive_coupon(uow, caller, coupon_id)


@routes.post(
    f"{CIRCLE}/gifts",
    body=offer_schemas.GiftIn,
    answer=offer_schemas.BoughtGiftOut,
    status=201,
    limits=GIVE,
    errors=(errors.UnknownPrice, membership_errors.Banned, membership_errors.CircleClosed),
)
def buy_gift(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Buy one term of a price for somebody else; its code is shown once it is paid."""
    return offer_queries.bought_gift(uow, gifts.buy_gift(uow, caller, circle_id, **body))


@routes.get("/me/gifts", query=offer_schemas.GiftArgs, answer=page_of(offer_schemas.GiftOut))
def list_gifts(uow: UnitOfWork, caller: Caller, query: Json) -> Json:
    """The gifts that you bought, or with `side=received` that you claimed, newest first."""
    return offer_queries.gifts(uow, caller.user_id, **query)


@routes.post(
    "/gifts/claim",
    body=offer_schemas.GiftClaimIn,
    answer=offer_schemas.ClaimedGiftOut,
    limits=CLAIM,
    errors=(
        offer_errors.GiftNotUsable,
        offer_errors.GiftClaimed,
        offer_errors.OwnGift,
        offer_errors.NotLetIn,
        offer_errors.NothingToAdd,
        offer_errors.SubscriptionRenews,
        errors.PaymentUnderWay,
        membership_errors.AlreadyAMember,
        membership_errors.Banned,
        membership_errors.CircleClosed,
        membership_errors.SeatsTaken,
        membership_errors.InvitationNeeded,
        membership_errors.InvitationNotUsable,
    ),
)
def claim_gift(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Take a gift by its code: its term starts now, or where what you have ends; a renewal is put off by it."""
    return offer_queries.claimed_gift(uow, gifts.claim_gift(uow, caller, **body), caller.user_id)


@routes.post(
    f"{SUBSCRIPTION}/quote",
    body=offer_schemas.QuoteIn,
    answer=offer_schemas.QuoteOut,
    status=201,
    limits=CHANGE,
    errors=(errors.UnknownPrice, errors.NotYourSubscription, offer_errors.ChangeNotPossible),
)
def quote_change(uow: UnitOfWork, caller: Caller, subscription_id: UUID, body: Json) -> Json:
    """What a change to another price costs and when it takes effect; the figures hold until the quote expires."""
    return offer_queries.quote(uow, quotes.make_quote(uow, caller, subscription_id, **body))


@routes.post(
    f"{SUBSCRIPTION}/change",
    body=offer_schemas.ChangeIn,
    answer=offer_schemas.ChangedOut,
    limits=CHANGE,
    errors=(
        errors.UnknownPrice,
        errors.PaymentUnderWay,
        errors.NotYourSubscription,
        offer_errors.QuoteExpired,
        offer_errors.QuoteUsed,
        offer_errors.QuoteStale,
        membership_errors.SeatsTaken,
    ),
)
def change_plan(uow: UnitOfWork, caller: Caller, subscription_id: UUID, body: Json) -> Json:
    """Do what a quote says: an upgrade begins when `checkout` is paid, anything else at the end of the term."""
    return offer_queries.changed(uow, changing.change_plan(uow, caller, subscription_id, **body))


@routes.get(
    f"{CIRCLE}/price-campaigns",
    query=PageArgs,
    answer=page_of(offer_schemas.CampaignOut),
    gate=_GATE,
    errors=_OWNERS,
)
def list_campaigns(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """The circle's price campaigns and how far they are, newest first."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    return offer_queries.campaigns(uow, circle_id, **query)


@routes.post(
    f"{CIRCLE}/price-campaigns",
    body=offer_schemas.CampaignIn,
    answer=offer_schemas.CampaignOut,
    status=201,
    limits=SELL,
    errors=(*_OWNERS, errors.UnknownPrice, offer_errors.NotTheSamePlan, offer_errors.CampaignUnderWay),
)
def start_campaign(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Move the subscriptions of one price to another: a fall by itself, a rise with each subscriber's consent.

    Who does not agree to a rise keeps what is paid; the subscription ends with its term.
    """
    return offer_queries.campaign(uow, campaigns.start_campaign(uow, caller, circle_id, **body))


@routes.delete("/price-campaigns/<uuid:campaign_id>", status=204, errors=_OWNERS)
def withdraw_campaign(uow: UnitOfWork, caller: Caller, campaign_id: UUID) -> None:
    """Call a price campaign off; what has been billed by it stays."""
    campaigns.withdraw_campaign(uow, caller, campaign_id)


@routes.get(
    f"{SUBSCRIPTION}/price-change",
    answer=offer_schemas.PriceChangeOut,
    errors=(errors.NotYourSubscription, offer_errors.NothingToConsentTo),
)
def get_price_change(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """The price change that is coming for a subscription of yours, and whether it waits for you."""
    return offer_queries.price_change(uow, consents.find_pending(uow, caller, subscription_id))


@routes.post(
    f"{SUBSCRIPTION}/consent",
    answer=offer_schemas.PriceChangeOut,
    limits=CHANGE,
    errors=(errors.NotYourSubscription, offer_errors.NothingToConsentTo),
)
def consent_to_price(uow: UnitOfWork, caller: Caller, subscription_id: UUID) -> Json:
    """Agree to the new price; without it the subscription ends with its term."""
    return offer_queries.price_change(uow, consents.consent(uow, caller, subscription_id))
