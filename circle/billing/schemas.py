"""Shapes of money in requests and answers."""

from circle.billing.models import Collection
from circle.circles.schemas import CircleCardOut, PriceOut, TierCardOut
from circle.memberships.schemas import JoinAnswers, MembershipCardOut
from circle.web.fields import (
    Amount,
    Bool,
    Choice,
    Dict,
    Id,
    Instant,
    List,
    MoneyOut,
    Nested,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
)

_NONE = {"example": None}
_ACTION = {
    "example": None,
    "description": 'Where the payer has to confirm: `{"type": "redirect", "url": …}`, or inside the app by '
    '`{"type": "stripe", "client_secret": …}`.',
}
_CODE = {"example": None, "description": "Why it failed, such as `insufficient_funds`."}
_RETRY = {"example": None, "description": "`soft`: later; `hard`: with another method; `auth`: in person; `never`."}


class JoinIn(JoinAnswers):
    price_id = Id(
        load_default=None,
        metadata={"description": "Left out only where an invitation lets in without paying: by a role, or by days."},
    )
    collection = Choice(Collection, load_default=Collection.MANUAL.value)
    coupon = Str(most=40, load_default=None, allow_none=True, metadata=_NONE)


class SubscriptionCardOut(Schema):
    id = Id(required=True)
    status = OutStr(required=True, metadata={"example": "active"})
    collection = OutStr(required=True, metadata={"example": "manual"})
    current_period_end = Instant(required=True, allow_none=True)
    cancel_at_period_end = OutBool(required=True)


class RenewalOut(Schema):
    invoice_id = Id(required=True)
    checkout_id = Id(required=True, allow_none=True, metadata={"description": "Once asked for: see `renew`."})
    amount = Nested(MoneyOut, required=True)
    due_at = Instant(required=True)
    period_start = Instant(required=True, allow_none=True)
    period_end = Instant(required=True, allow_none=True)
    charge_at = Instant(
        required=True, allow_none=True, metadata={"description": "When it is charged next, if it is by itself."}
    )


class SubscriptionOut(SubscriptionCardOut):
    circle_id = Id(required=True)
    tier = Nested(TierCardOut, required=True)
    price = Nested(PriceOut, required=True)
    next_price = Nested(
        PriceOut,
        required=True,
        allow_none=True,
        metadata={"example": None, "description": "What the next term costs, where it changes."},
    )
    renewal = Nested(
        RenewalOut,
        required=True,
        allow_none=True,
        metadata={"example": None, "description": "The next term's open invoice."},
    )
    paused_at = Instant(required=True, allow_none=True, metadata=_NONE)
    current_period_start = Instant(required=True, allow_none=True)
    trial_ends_at = Instant(required=True, allow_none=True, metadata=_NONE)
    payment_method = Id(required=True, allow_none=True)
    canceled_at = Instant(required=True, allow_none=True, metadata=_NONE)
    ended_at = Instant(required=True, allow_none=True, metadata=_NONE)
    created_at = Instant(required=True)


class MembershipOut(MembershipCardOut):
    subscription = Nested(SubscriptionCardOut, required=True, allow_none=True)


class PaymentOut(Schema):
    status = OutStr(
        required=True,
        metadata={"example": "succeeded", "description": "succeeded, processing, requires_action or failed."},
    )
    action = Dict(required=True, allow_none=True, metadata=_ACTION)
    code = OutStr(required=True, allow_none=True, metadata=_CODE)
    retry = OutStr(required=True, allow_none=True, metadata=_RETRY)


class CheckoutOut(Schema):
    id = Id(required=True)
    status = OutStr(required=True, metadata={"example": "open", "description": "open, completed or expired."})
    kind = OutStr(required=True, metadata={"example": "join"})
    amount = Nested(MoneyOut, required=True)
    url = OutStr(
        required=True,
        metadata={"example": "https://circle.example/checkout/…", "description": "A page where it can be paid."},
    )
    expires_at = Instant(required=True)
    invoice_id = Id(required=True)
    subscription_id = Id(required=True, allow_none=True)
    circle = Nested(CircleCardOut, required=True)
    tier = Nested(TierCardOut, required=True, allow_none=True)
    price = Nested(PriceOut, required=True, allow_none=True)
    period_start = Instant(required=True, allow_none=True)
    period_end = Instant(required=True, allow_none=True)
    payment = Nested(PaymentOut, required=True, allow_none=True)


class RenewingOut(SubscriptionOut):
    checkout = Nested(
        CheckoutOut, required=True, allow_none=True, metadata={"description": "What is left to pay for the next term."}
    )


class JoinedOut(Schema):
    membership = Nested(MembershipCardOut, required=True)
    subscription = Nested(SubscriptionCardOut, required=True, allow_none=True)
    checkout = Nested(CheckoutOut, required=True, allow_none=True)


class PayIn(Schema):
    payment_method = Id(required=True)


class CollectionIn(Schema):
    collection = Choice(Collection, required=True)


class MethodIn(Schema):
    provider = Str(most=40, required=True, metadata={"example": "sandbox"})
    token = Str(most=200, required=True, metadata={"example": "ok", "description": "What the provider calls it."})


class MethodPatch(Schema):
    token = Str(most=200, required=True, metadata={"example": "decline_soft"})


class MethodOut(Schema):
    id = Id(required=True)
    provider = OutStr(required=True, metadata={"example": "sandbox"})
    label = OutStr(required=True, metadata={"example": "ok"})
    created_at = Instant(required=True)
    version = OutInt(required=True)


class AttemptOut(Schema):
    number = OutStr(required=True, metadata={"example": "01890a5dac96774bbcceb302099a8057"})
    provider = OutStr(required=True, metadata={"example": "sandbox"})
    status = OutStr(required=True, metadata={"example": "succeeded"})
    failure_code = OutStr(required=True, allow_none=True, metadata=_CODE)
    surplus = OutBool(required=True, metadata={"example": False, "description": "Paid for nothing and sent back."})
    created_at = Instant(required=True)
    settled_at = Instant(required=True, allow_none=True)


class RefundOut(Schema):
    id = Id(required=True)
    number = OutStr(required=True, metadata={"example": "01890a5dac96774bbcceb302099a8057"})
    invoice_id = Id(required=True)
    status = OutStr(required=True, metadata={"example": "succeeded"})
    amount = Nested(MoneyOut, required=True)
    reason = OutStr(required=True, metadata={"example": "买错了等级。"})
    failure_code = OutStr(required=True, allow_none=True, metadata=_NONE)
    created_at = Instant(required=True)
    settled_at = Instant(required=True, allow_none=True)


class InvoiceOut(Schema):
    id = Id(required=True)
    number = OutStr(required=True, metadata={"example": "202603017KQM2XWFRT"})
    kind = OutStr(required=True, metadata={"example": "join"})
    status = OutStr(required=True, metadata={"example": "paid"})
    amount = Nested(MoneyOut, required=True)
    currency = OutStr(required=True, metadata={"example": "CNY"})
    circle_id = Id(required=True)
    subscription_id = Id(required=True, allow_none=True)
    subject_id = Id(required=True, allow_none=True, metadata=_NONE)
    period_start = Instant(required=True, allow_none=True)
    period_end = Instant(required=True, allow_none=True)
    due_at = Instant(required=True)
    paid_at = Instant(required=True, allow_none=True)
    refundable_until = Instant(required=True, allow_none=True)
    refunded = Nested(MoneyOut, required=True)
    refunding = Nested(MoneyOut, required=True)
    attempts = List(Nested(AttemptOut), required=True)
    refunds = List(Nested(RefundOut), required=True)
    created_at = Instant(required=True)


class RefundIn(Schema):
    amount = Amount(
        least=1, load_default=None, allow_none=True, metadata={"description": "Without it: all that is left."}
    )
    pro_rata = Bool(
        load_default=False,
        metadata={"description": "Instead of an amount, by the creator: what the rest of the term is worth."},
    )
    reason = Str(most=500, required=True, lines=True, metadata={"example": "买错了等级。"})


class SideOut(Schema):
    pending = Nested(MoneyOut, required=True)
    available = Nested(MoneyOut, required=True, metadata={"description": "Less than nothing after a late refund."})
    in_payout = Nested(MoneyOut, required=True)


class BalanceOut(SideOut):
    other_currencies = List(Nested(SideOut), required=True, metadata={"example": []})


class EntryOut(Schema):
    account = OutStr(required=True, metadata={"example": "creator_pending"})
    amount = Nested(MoneyOut, required=True)


class MovementOut(Schema):
    id = Id(required=True)
    kind = OutStr(required=True, metadata={"example": "payment"})
    invoice_id = Id(required=True, allow_none=True)
    payout_id = Id(required=True, allow_none=True, metadata=_NONE)
    at = Instant(required=True)
    entries = List(Nested(EntryOut), required=True)


class ReceivedOut(Schema):
    received = OutBool(required=True)
