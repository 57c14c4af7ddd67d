"""Shapes of coupons, gifts, plan changes and price campaigns in requests and answers."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from circle.billing.offer_models import Duration
from circle.billing.schemas import CheckoutOut, SubscriptionOut
from circle.circles.schemas import CircleCardOut, PriceOut, TierCardOut
from circle.memberships.schemas import JoinAnswers, MembershipCardOut
from circle.web.fields import (
    Amount,
    Choice,
    Currency,
    Day,
    Id,
    Instant,
    Int,
    List,
    MoneyOut,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
)
from circle.web.pagination import PageArgs

_NONE = {"example": None}
_MOST_USES = 1_000_000
_MOST_USES_OF_ONE = 100
_MOST_PERIODS = 120
_MOST_PRICES = 20
_CODE = {"example": "SPRING", "description": "Made up where it is left out; case does not matter."}
_PERCENT = {"example": 20, "description": "Percent off; or else an amount off in minor units, with its currency."}
_PERIODS = {"example": None, "description": "With the duration `periods`: how many periods of a subscription."}
_PRICES = {"example": None, "description": "The prices that it is for; null: every price of the circle."}
_MESSAGE = {"example": "生日快乐！", "description": "From the buyer, shown to whoever claims it."}


class CouponCode(Str):
    """What people type to have a coupon: no spaces, and as if all of it were upper case."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if any(letter.isspace() for letter in code):
            raise self.make_error("characters")
        return code.upper()


class CouponIn(Schema):
    code = CouponCode(least=3, most=40, load_default=None, metadata=_CODE)
    percent = Int(least=1, most=100, load_default=None, allow_none=True, metadata=_PERCENT)
    amount = Amount(least=1, load_default=None, allow_none=True)
    currency = Currency(load_default=None, allow_none=True)
    duration = Choice(Duration, load_default=Duration.ONCE.value)
    periods = Int(least=2, most=_MOST_PERIODS, load_default=None, allow_none=True)
    price_ids = List(
        Id(), load_default=None, allow_none=True, validate=ma.validate.Length(min=1, max=_MOST_PRICES), metadata=_PRICES
    )
    max_uses = Int(least=1, most=_MOST_USES, load_default=None, allow_none=True, metadata={"example": 100})
    max_uses_per_user = Int(least=1, most=_MOST_USES_OF_ONE, load_default=1)
    valid_from = Instant(load_default=None, allow_none=True)
    valid_until = Instant(load_default=None, allow_none=True, metadata={"example": "2026-06-30T16:00:00Z"})
    note = Str(most=200, least=0, load_default="")


class CouponOut(Schema):
    id = Id(required=True)
    circle_id = Id(required=True)
    code = OutStr(required=True, metadata={"example": "SPRING"})
    percent = OutInt(required=True, allow_none=True, metadata={"example": 20})
    amount = Nested(MoneyOut, required=True, allow_none=True, metadata=_NONE)
    duration = OutStr(required=True, metadata={"example": "once"})
    periods = OutInt(required=True, allow_none=True, metadata=_PERIODS)
    price_ids = List(Id(), required=True, allow_none=True, metadata=_PRICES)
    max_uses = OutInt(required=True, allow_none=True, metadata={"example": 100})
    max_uses_per_user = OutInt(required=True)
    uses = OutInt(required=True, metadata={"example": 12})
    valid_from = Instant(required=True, allow_none=True, metadata=_NONE)
    valid_until = Instant(required=True, allow_none=True)
    note = OutStr(required=True, metadata={"example": "春季招新"})
    archived_at = Instant(required=True, allow_none=True, metadata=_NONE)
    created_at = Instant(required=True)


class GiftIn(Schema):
    price_id = Id(required=True)
    message = Str(most=500, least=0, lines=True, load_default="", metadata=_MESSAGE)


class GiftOut(Schema):
    id = Id(required=True)
    status = OutStr(
        required=True,
        metadata={"example": "ready", "description": "unpaid, expired, ready, claimed, refunding or refunded."},
    )
    code = OutStr(
        required=True,
        allow_none=True,
        metadata={
            "example": "7KQM-2XWF-RT4H-9BCD",
            "description": "For its buyer, while somebody may claim it; null once the installation's secret changed.",
        },
    )
    bought = OutBool(required=True, metadata={"description": "Whether the caller bought it, else received it."})
    message = OutStr(required=True, metadata=_MESSAGE)
    circle = Nested(CircleCardOut, required=True)
    tier = Nested(TierCardOut, required=True)
    price = Nested(PriceOut, required=True)
    invoice_id = Id(required=True, allow_none=True)
    claimed_at = Instant(required=True, allow_none=True, metadata=_NONE)
    starts_at = Instant(required=True, allow_none=True, metadata=_NONE)
    ends_at = Instant(required=True, allow_none=True, metadata=_NONE)
    created_at = Instant(required=True)


class BoughtGiftOut(Schema):
    gift = Nested(GiftOut, required=True)
    checkout = Nested(CheckoutOut, required=True)


class GiftClaimIn(JoinAnswers):
    code = Str(least=8, most=40, required=True, metadata={"example": "7KQM-2XWF-RT4H-9BCD"})


class ClaimedGiftOut(Schema):
    gift = Nested(GiftOut, required=True)
    membership = Nested(MembershipCardOut, required=True)


class GiftArgs(PageArgs):
    side = Choice(("bought", "received"), load_default="bought", metadata={"example": "bought"})


class QuoteIn(Schema):
    price_id = Id(required=True)


class QuoteOut(Schema):
    id = Id(required=True)
    subscription_id = Id(required=True)
    from_price = Nested(PriceOut, required=True)
    to_price = Nested(PriceOut, required=True)
    to_tier = Nested(TierCardOut, required=True)
    effective = OutStr(
        required=True, metadata={"example": "now", "description": "now: when it is paid; or period_end."}
    )
    effective_at = Instant(required=True)
    cost = Nested(MoneyOut, required=True, metadata={"description": "The new price's share for the rest of the term."})
    credit = Nested(MoneyOut, required=True, metadata={"description": "What was paid for the rest of the term."})
    due = Nested(MoneyOut, required=True, metadata={"description": "What is paid now: cost less credit."})
    renewal_amount = Nested(MoneyOut, required=True)
    renews_at = Instant(required=True)
    expires_at = Instant(required=True)
    created_at = Instant(required=True)


class ChangeIn(Schema):
    price_id = Id(required=True)
    quote_id = Id(required=True)


class ChangedOut(Schema):
    subscription = Nested(SubscriptionOut, required=True)
    checkout = Nested(CheckoutOut, required=True, allow_none=True)


class CampaignIn(Schema):
    from_price_id = Id(required=True)
    to_price_id = Id(required=True)
    effective_on = Day(
        required=True,
        metadata={
            "example": "2026-05-01",
            "description": "Periods that begin on this day or later cost the new price.",
        },
    )


class CampaignOut(Schema):
    id = Id(required=True)
    circle_id = Id(required=True)
    from_price = Nested(PriceOut, required=True)
    to_price = Nested(PriceOut, required=True)
    rises = OutBool(required=True)
    effective_at = Instant(required=True)
    announced_at = Instant(required=True, allow_none=True)
    closed_at = Instant(required=True, allow_none=True, metadata=_NONE)
    withdrawn = OutBool(required=True, metadata={"example": False})
    told = OutInt(required=True, metadata={"example": 120, "description": "Subscriptions that it is about."})
    consented = OutInt(required=True, metadata={"example": 80})
    moved = OutInt(required=True, metadata={"example": 75})
    ending = OutInt(required=True, metadata={"example": 5, "description": "End with their term, for want of consent."})
    created_at = Instant(required=True)


class PriceChangeOut(Schema):
    """A price change that waits for a subscriber, or has been agreed to."""

    campaign_id = Id(required=True)
    subscription_id = Id(required=True)
    from_price = Nested(PriceOut, required=True)
    to_price = Nested(PriceOut, required=True)
    effective_at = Instant(required=True)
    needs_consent = OutBool(required=True)
    consented_at = Instant(required=True, allow_none=True)
