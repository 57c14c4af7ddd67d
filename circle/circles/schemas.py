"""Shapes of circles and their offers in requests and answers."""

from typing import Any

import marshmallow as ma

from circle.circles.models import AfterExpiry, Interval, JoinPolicy, PreviewPolicy
from circle.web.fields import (
    Amount,
    Bool,
    Choice,
    Currency,
    Dict,
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
    UserOut,
)
from circle.web.pagination import PageArgs

_NAME = {"example": "写作圈"}
_SLUG = {"example": "xiezuo", "description": "Short name for links: lower-case letters, digits, hyphens."}
_TEXT = {"example": "一起把文章写完。"}
_ZONE = {"example": "Asia/Shanghai", "description": "IANA name; days, terms and quiet hours are counted in it."}
_CLOCK = {"example": "22:00", "description": "Local time of day, HH:MM."}
_QUESTIONS = {"example": ["你在写什么？"]}
_LOOKBACK = {"example": 30, "description": "New members see so many days before they joined; null: everything."}
_QUESTION_PRICE = {"example": 5000, "description": "Least price of a paid question in minor units; null: free."}
_ROLE = {"example": "member"}
_COMP_TIER = {"example": None, "description": "With comp_days: access on the house."}


class TimeOfDay(ma.fields.Time):
    """A local time of day, HH:MM."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", **kwargs)


class ContentProtection(Schema):
    """Hints that clients honour."""

    no_copy = Bool(load_default=False)
    no_screenshot = Bool(load_default=False)
    watermark = Bool(load_default=False)


class _Settings(Schema):
    description = Str(most=2000, least=0, lines=True, metadata=_TEXT)
    category = Str(most=40, least=0, metadata={"example": "写作"})
    timezone = Str(most=64, metadata=_ZONE)
    rules = Str(most=5000, least=0, lines=True, metadata={"example": "不广告，不人身攻击。"})
    join_policy = Choice(JoinPolicy)
    questionnaire = List(Str(most=200), validate=ma.validate.Length(max=10), metadata=_QUESTIONS)
    preview_policy = Choice(PreviewPolicy)
    after_expiry = Choice(AfterExpiry)
    lookback_days = Int(least=7, most=100, allow_none=True, metadata=_LOOKBACK)
    quiet_from = TimeOfDay(allow_none=True, metadata=_CLOCK)
    quiet_to = TimeOfDay(allow_none=True, metadata={**_CLOCK, "example": "08:00"})
    silence_hours = Int(most=720, metadata={"example": 24})
    anonymous_questions = Bool()
    question_price = Amount(least=1, allow_none=True, metadata=_QUESTION_PRICE)
    content_protection = Nested(ContentProtection)


class CircleIn(_Settings):
    name = Str(most=60, required=True, metadata=_NAME)
    slug = Str(most=40, metadata=_SLUG)
    currency = Currency()


class CirclePatch(_Settings):
    name = Str(most=60, metadata=_NAME)
    slug = Str(most=40, metadata=_SLUG)
    cover_media_id = Id(allow_none=True, metadata={"example": None})
    closed = Bool(metadata={"example": False, "description": "A closed circle can be read, not joined or written to."})


class TierCardOut(Schema):
    """A tier as shown inside other objects."""

    id = Id(required=True)
    name = OutStr(required=True, metadata={"example": "读者"})
    rank = OutInt(required=True)


class MineOut(Schema):
    """What the caller is in a circle."""

    role = OutStr(required=True, metadata=_ROLE)
    status = OutStr(required=True, metadata={"example": "active"})
    number = OutInt(required=True, allow_none=True)
    tier = Nested(TierCardOut, required=True, allow_none=True)


class CircleOut(Schema):
    id = Id(required=True)
    slug = OutStr(required=True, metadata=_SLUG)
    name = OutStr(required=True, metadata=_NAME)
    description = OutStr(required=True, metadata=_TEXT)
    cover_url = OutStr(required=True, allow_none=True, metadata={"example": None})
    category = OutStr(required=True, metadata={"example": "写作"})
    owner = Nested(UserOut, required=True)
    timezone = OutStr(required=True, metadata=_ZONE)
    currency = OutStr(required=True, metadata={"example": "CNY"})
    rules = OutStr(required=True, metadata={"example": "不广告，不人身攻击。"})
    join_policy = OutStr(required=True, metadata={"example": "open"})
    questionnaire = List(OutStr(), required=True, metadata=_QUESTIONS)
    preview_policy = OutStr(required=True, metadata={"example": "public"})
    after_expiry = OutStr(required=True, metadata={"example": "paid_term"})
    lookback_days = OutInt(required=True, allow_none=True, metadata=_LOOKBACK)
    anonymous_questions = OutBool(required=True)
    question_price = Nested(
        MoneyOut,
        required=True,
        allow_none=True,
        metadata={"description": "Least price of a paid question; null: free."},
    )
    content_protection = Dict(required=True, metadata={"example": {"no_copy": True}})
    closed = OutBool(required=True, metadata={"example": False})
    created_at = Instant(required=True)
    version = OutInt(required=True)
    # For those inside; null for others.
    quiet_from = OutStr(required=True, allow_none=True, metadata=_CLOCK)
    quiet_to = OutStr(required=True, allow_none=True, metadata={**_CLOCK, "example": "08:00"})
    silence_hours = OutInt(required=True, allow_none=True, metadata={"example": 24})
    members_joined = OutInt(required=True, allow_none=True, metadata={"example": 128})
    mine = Nested(MineOut, required=True, allow_none=True)


class CircleCardOut(Schema):
    """A circle as shown inside other objects."""

    id = Id(required=True)
    slug = OutStr(required=True, metadata=_SLUG)
    name = OutStr(required=True, metadata=_NAME)
    cover_url = OutStr(required=True, allow_none=True, metadata={"example": None})


class PriceOut(Schema):
    id = Id(required=True)
    tier_id = Id(required=True)
    amount = Nested(MoneyOut, required=True)
    list_amount = Nested(MoneyOut, required=True, allow_none=True)
    interval = OutStr(required=True, metadata={"example": "year"})
    interval_count = OutInt(required=True)
    fixed_end_at = Instant(required=True, allow_none=True, metadata={"example": None})
    trial_days = OutInt(required=True, metadata={"example": 7})
    renewal = Dict(
        required=True, metadata={"example": {"advance_percent": 80, "grace_percent": 90, "later_percent": 100}}
    )
    archived_at = Instant(required=True, allow_none=True, metadata={"example": None})
    created_at = Instant(required=True)


class TierOut(TierCardOut):
    circle_id = Id(required=True)
    description = OutStr(required=True, metadata={"example": "每周一次点评。"})
    seats = OutInt(required=True, allow_none=True, metadata={"example": 100})
    seats_left = OutInt(required=True, allow_none=True, metadata={"example": 12})
    archived_at = Instant(required=True, allow_none=True, metadata={"example": None})
    prices = List(Nested(PriceOut), required=True)
    version = OutInt(required=True)


_SEATS = {"example": 100, "description": "At most so many members; null: any number."}


class TierIn(Schema):
    name = Str(most=40, required=True, metadata={"example": "读者"})
    rank = Int(least=1, most=1000, required=True)
    description = Str(most=1000, least=0, lines=True, metadata={"example": "每周一次点评。"})
    seats = Int(least=1, most=1_000_000, allow_none=True, metadata=_SEATS)


class TierPatch(Schema):
    name = Str(most=40, metadata={"example": "读者"})
    description = Str(most=1000, least=0, lines=True, metadata={"example": "每周一次点评。"})
    seats = Int(least=1, most=1_000_000, allow_none=True, metadata=_SEATS)
    archived = Bool(metadata={"example": False, "description": "An archived tier is not sold any more."})


class RenewalIn(Schema):
    """Percent of the amount when a member renews before the end, shortly after it, and later."""

    advance_percent = Int(least=1, most=100, load_default=100, metadata={"example": 80})
    grace_percent = Int(least=1, most=100, load_default=100, metadata={"example": 90})
    later_percent = Int(least=1, most=100, load_default=100, metadata={"example": 100})


class PriceIn(Schema):
    amount = Amount(required=True, metadata={"description": "In minor units; 0 is free."})
    currency = Currency(required=True)
    interval = Choice(Interval, required=True, metadata={"example": "year"})
    interval_count = Int(least=1, most=120)
    fixed_end_at = Instant(
        allow_none=True, metadata={"example": None, "description": "For `fixed`: when access ends for everybody."}
    )
    trial_days = Int(most=365, metadata={"example": 7})
    list_amount = Amount(allow_none=True, metadata={"example": 29900, "description": "Struck through beside it."})
    renewal = Nested(RenewalIn)


class InvitationIn(Schema):
    role = Choice(("member", "guest", "admin", "partner"), load_default="member")
    tier_id = Id(load_default=None, allow_none=True, metadata=_COMP_TIER)
    comp_days = Int(least=1, most=3660, load_default=None, allow_none=True, metadata={"example": None})
    note = Str(most=200, least=0, load_default="", metadata={"example": "给老学员"})
    max_uses = Int(least=1, most=1_000_000, load_default=None, allow_none=True, metadata={"example": 10})
    expires_at = Instant(load_default=None, allow_none=True)


class InvitationOut(Schema):
    id = Id(required=True)
    code = OutStr(required=True, metadata={"example": "7KQM2XWFRT"})
    role = OutStr(required=True, metadata=_ROLE)
    tier_id = Id(required=True, allow_none=True)
    comp_days = OutInt(required=True, allow_none=True, metadata={"example": 30})
    note = OutStr(required=True, metadata={"example": "给老学员"})
    max_uses = OutInt(required=True, allow_none=True, metadata={"example": 10})
    uses = OutInt(required=True, metadata={"example": 3})
    created_by = Nested(UserOut, required=True)
    expires_at = Instant(required=True, allow_none=True)
    revoked_at = Instant(required=True, allow_none=True, metadata={"example": None})
    created_at = Instant(required=True)


class InvitationPreviewOut(Schema):
    """What the holder of an invitation's code sees before joining."""

    circle = Nested(CircleCardOut, required=True)
    description = OutStr(required=True, metadata=_TEXT)
    invited_by = Nested(UserOut, required=True)
    role = OutStr(required=True, metadata=_ROLE)
    comp_tier = Nested(TierCardOut, required=True, allow_none=True)
    comp_days = OutInt(required=True, allow_none=True, metadata={"example": 30})
    expires_at = Instant(required=True, allow_none=True)
    tiers = List(Nested(TierOut), required=True)


class AuditEntryOut(Schema):
    id = OutStr(required=True, metadata={"example": "1042"})
    action = OutStr(required=True, metadata={"example": "member.mute"})
    actor = Nested(UserOut, required=True, allow_none=True)
    subject_kind = OutStr(required=True, metadata={"example": "member"})
    subject_id = Id(required=True, allow_none=True)
    data = Dict(required=True, metadata={"example": {"until": "2026-03-02T00:00:00Z"}})
    at = Instant(required=True)


class AuditArgs(PageArgs):
    action = Str(most=40, load_default=None, metadata={"example": "member.mute"})
