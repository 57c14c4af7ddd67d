"""Refusals around coupons, gifts, plan changes and price campaigns."""

from circle.kernel.errors import CircleError, Conflict, Forbidden, NotFound, on_constraint
from circle.kernel.text import Text


class CouponExpired(Conflict):
    """Its days have not come, or are over."""

    code = "coupon_expired"
    text = Text("优惠码不在有效期内。", "This coupon is not valid at this time.")


class CouponUsedUp(Conflict):
    code = "coupon_used_up"
    text = Text("优惠码已被用完。", "This coupon has been used up.")


class CouponNotForPrice(CircleError):
    status = 422
    code = "coupon_not_for_price"
    text = Text("优惠码不适用于这个价格方案。", "This coupon is not for this price.")


class CouponCodeTaken(Conflict):
    code = "coupon_code_taken"
    text = Text("已有同名的优惠码。", "Another coupon of this circle has this code.")


class GiftNotUsable(Conflict):
    """Unknown, not paid, or paid back: which of these is not told."""

    code = "gift_not_usable"
    text = Text("礼物码无效或已失效。", "There is no such gift, or it is not valid any more.")


class GiftClaimed(Conflict):
    code = "gift_claimed"
    text = Text("这份礼物已被领取。", "This gift has been claimed.")


class OwnGift(Conflict):
    code = "own_gift"
    text = Text("不能领取自己送出的礼物。", "A gift is for somebody else than its buyer.")


class NothingToAdd(Conflict):
    """They have the tier, or a better one, for good, or beyond the gift's fixed end."""

    code = "nothing_to_add"
    text = Text("这份礼物所含的会员期你已拥有。", "You have everything that this gift would give.")


class SubscriptionRenews(Conflict):
    """The gift and the subscription would cover the same days: nobody is let into paying twice."""

    code = "subscription_renews"
    text = Text(
        "你的订阅还会续费，请先取消续费，礼物会从当期结束后开始。",
        "Your subscription still renews; cancel it first, and the gift begins when its term ends.",
    )


class NotLetIn(Conflict):
    """The application that it makes stays."""

    code = "not_let_in"
    text = Text(
        "已向星主提交加入申请，通过后再领取礼物。",
        "The circle was asked to let you in; claim the gift when it has.",
    )
    keeps_changes = True


class ChangeNotPossible(Conflict):
    """Between prices that renew, both of which cost something, and of a subscription that goes on."""

    code = "change_not_possible"
    text = Text("不能改为这个价格方案。", "The subscription can't be changed to this price.")


class QuoteExpired(Conflict):
    code = "quote_expired"
    text = Text("报价已过期，请重新询价。", "The quote has expired; ask for a new one.")


class QuoteUsed(Conflict):
    code = "quote_used"
    text = Text("这份报价已被使用。", "This quote has been used.")


class QuoteStale(Conflict):
    code = "quote_stale"
    text = Text("订阅或价格已变化，请重新询价。", "The subscription or the price has changed; ask for a new quote.")


class CampaignUnderWay(Conflict):
    code = "campaign_under_way"
    text = Text("这个价格方案已有进行中的调价。", "The subscriptions of this price are being moved already.")


class NotTheSamePlan(CircleError):
    status = 422
    code = "not_the_same_plan"
    text = Text(
        "调价的两个方案须属于同一等级、周期相同而金额不同。",
        "Both prices have to be of one tier and interval, and differ in their amount.",
    )


class NothingToConsentTo(NotFound):
    code = "nothing_to_consent_to"
    text = Text("没有需要同意的调价。", "There is no price change that waits for you.")


class ConsentNeeded(Conflict):
    """The price rises: going on means to agree to it."""

    code = "consent_needed"
    text = Text("续费价格已上调，请先同意新价格。", "The price rises; agree to the new one to go on.")


class GiftNotYoursToRefund(Forbidden):
    code = "gift_claimed_no_refund"
    text = Text("礼物已被领取，退款请联系星主。", "The gift has been claimed; ask the creator for a refund.")


on_constraint("uq_coupons_code", CouponCodeTaken)
on_constraint("ck_coupons_uses", CouponUsedUp)
on_constraint("uq_discounts_use", CouponUsedUp)
on_constraint("ck_gifts_receiver", OwnGift)
on_constraint("uq_invoices_upgrade", QuoteStale)
on_constraint("uq_price_campaigns_price", CampaignUnderWay)
