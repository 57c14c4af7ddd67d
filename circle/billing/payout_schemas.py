"""Shapes of withdrawals and statements in requests and answers."""

from circle.web.fields import Amount, Currency, Id, Instant, MoneyOut, Nested, OutStr, Schema, Str

_NONE = {"example": None}
_NOTE = {"example": "请转到工资卡。", "description": "Your words to the operator."}
_FAILURE = {"example": None, "description": "Why it failed, such as `refused` or `account_closed`."}


class PayoutIn(Schema):
    amount = Amount(least=1, required=True)
    currency = Currency(required=True)
    note = Str(most=500, least=0, lines=True, load_default="", metadata=_NOTE)


class PayoutOut(Schema):
    id = Id(required=True)
    number = OutStr(required=True, metadata={"example": "01890a5dac96774bbcceb302099a8057"})
    circle_id = Id(required=True)
    status = OutStr(
        required=True,
        metadata={
            "example": "requested",
            "description": "requested, approved, in_transit, succeeded, failed or canceled.",
        },
    )
    amount = Nested(MoneyOut, required=True)
    provider = OutStr(
        required=True,
        allow_none=True,
        metadata={"example": None, "description": "Who sends it; null: the operator pays it by hand."},
    )
    note = OutStr(required=True, metadata=_NOTE)
    failure_code = OutStr(required=True, allow_none=True, metadata=_FAILURE)
    created_at = Instant(required=True)
    approved_at = Instant(required=True, allow_none=True, metadata=_NONE)
    settled_at = Instant(required=True, allow_none=True, metadata=_NONE)


class PayoutAccountIn(Schema):
    provider = Str(most=40, required=True, metadata={"example": "sandbox"})
    token = Str(most=200, required=True, metadata={"example": "ok", "description": "What the provider calls you."})


class PayoutAccountOut(Schema):
    provider = OutStr(required=True, metadata={"example": "sandbox"})
    label = OutStr(required=True, metadata={"example": "ok"})
    set_at = Instant(required=True)


class StatementArgs(Schema):
    month = Str(
        most=7, required=True, metadata={"example": "2026-03", "description": "YYYY-MM, in the circle's time zone."}
    )
