"""Refusals around money."""

from circle.kernel.errors import (
    CircleError,
    Conflict,
    Forbidden,
    Malformed,
    Unauthenticated,
    Unavailable,
    on_constraint,
)
from circle.kernel.text import Text
from circle.memberships.errors import AlreadyAMember


class UnknownCoupon(CircleError):
    status = 422
    code = "unknown_coupon"
    text = Text("优惠码无效。", "There is no such coupon.")


class UnknownPrice(CircleError):
    status = 422
    code = "unknown_price"
    text = Text("没有这个价格方案，或已下架。", "There is no such price, or it is not offered any more.")


class UnknownPaymentMethod(CircleError):
    status = 422
    code = "unknown_payment_method"
    text = Text("没有这个支付方式。", "There is no such payment method.")


class UnknownProvider(CircleError):
    status = 422
    code = "unknown_provider"
    text = Text("这里不支持这种支付渠道。", "This installation does not take payments through that provider.")


class CheckoutClosed(Conflict):
    code = "checkout_expired"
    text = Text("这次结账已过期，请重新下单。", "This checkout has expired; start again.")


class PaymentUnderWay(Conflict):
    code = "payment_under_way"
    text = Text("一笔付款正在处理中，请稍候。", "A payment is being processed; wait for its result.")


class NotYourSubscription(Forbidden):
    code = "not_your_subscription"
    text = Text("订阅只能由成员本人操作。", "Only the member can do this with their subscription.")


class RenewedAlready(Conflict):
    code = "renewed_already"
    text = Text("下一期已付款。", "The next term is paid already.")


class NotRenewable(Conflict):
    code = "not_renewable"
    text = Text("该订阅不能续费，请重新加入。", "This subscription can't be renewed; join again.")


class ChargedAlready(Conflict):
    code = "charged_already"
    text = Text("已为此付过款。", "This has been paid for already.")


class NotRefundable(Conflict):
    code = "not_refundable"
    text = Text("这张账单没有可退的金额。", "Nothing of this invoice can be refunded.")


class RefundTooLarge(Conflict):
    code = "refund_too_large"
    text = Text("最多还可退 {left}（最小货币单位）。", "At most {left} minor units can still be refunded.")


class RefundWindowOver(Forbidden):
    code = "refund_window_over"
    text = Text("已过可退款时间，请联系星主。", "The time for a refund is over; ask the creator.")


class RefundInPartNotYours(Forbidden):
    code = "refund_in_full_only"
    text = Text(
        "你可以全额退款，部分退款由星主决定。",
        "You may have all of it back; refunds in part are the creator's to give.",
    )


class BalanceTooLow(Conflict):
    code = "balance_too_low"
    text = Text(
        "可提现余额不足，待结算的款项过退款期后才能提现。", "Not that much is available; pending money is not yet."
    )


class SentByProvider(Conflict):
    code = "sent_by_provider"
    text = Text("这笔提现由支付渠道打款。", "This payout is sent by the payment provider.")


class UnknownPayee(CircleError):
    status = 422
    code = "unknown_payee"
    text = Text("这个渠道不能向此收款方付款。", "That provider can't send money there.")


class ForgedNotification(Unauthenticated):
    """The signature is wrong or missing; the attempt stays in the audit log."""

    code = "bad_signature"
    text = Text("签名无效。", "The signature is not valid.")
    keeps_changes = True


class OldNotification(Malformed):
    """Rightly signed, but long ago: a replay, or a clock that is wrong."""

    code = "notification_too_old"
    text = Text("通知已过期。", "The notification is too old.")
    keeps_changes = True


class UnreadableNotification(Malformed):
    code = "unreadable_notification"
    text = Text("无法读取通知。", "The notification could not be read.")
    keeps_changes = True


class InstallationMoved(Unavailable):
    """A copy of the database must not charge the people of the original."""

    code = "installation_moved"
    text = Text(
        "此数据库属于另一个站点，管理员确认之前不会收款。",
        "This database belongs to another site; nothing is charged until an operator confirms the move.",
    )


class BillingStopped(Unavailable):
    """The breaker is open: something charged more, or more often, than it may."""

    code = "billing_stopped"
    text = Text("自动扣款已停止，等待管理员检查。", "Automatic charges are stopped until an operator has looked.")


on_constraint("uq_subscriptions_live", AlreadyAMember)
on_constraint("uq_payment_attempts_open", PaymentUnderWay)
on_constraint("uq_payment_attempts_paid", ChargedAlready)
on_constraint("uq_invoices_subject", ChargedAlready)
on_constraint("ck_invoices_refunds", NotRefundable)
