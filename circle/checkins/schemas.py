"""Shapes of camps in requests and answers."""

from circle.checkins.models import AccessLevel
from circle.checkins.schedule import ScheduleKind
from circle.web.fields import (
    Bool,
    Choice,
    Day,
    Dict,
    Id,
    Instant,
    Int,
    List,
    Nested,
    Number,
    OutBool,
    OutInt,
    OutStr,
    Schema,
    Str,
    UserOut,
)
from circle.web.pagination import PageArgs, page_of

_TITLE = {"example": "21 天晨间写作营"}
_RULES = {"example": "每天清晨写 300 字。"}
_MOST_THEMES = 400


class CampScheduleIn(Schema):
    """On which days the camp meets. `weekdays`: Monday is 1. `times`: how often a week."""

    kind = Choice(ScheduleKind, required=True)
    weekdays = List(Int(least=1, most=7), allow_none=True)
    dates = List(Day(), allow_none=True)
    times = Int(least=1, most=7, allow_none=True)


class CampWindow(Schema):
    """Local clock times between which a day is open; `to` before `from` passes midnight."""

    opens = Str(most=5, required=True, data_key="from", attribute="from", metadata={"example": "05:00"})
    closes = Str(most=5, required=True, data_key="to", attribute="to", metadata={"example": "08:30"})


class CampNumberRule(Schema):
    unit = Str(most=20, required=True, metadata={"example": "km"})


class CampRequirement(Schema):
    """What every entry must hold. A Chinese character counts as a word."""

    min_words = Int(most=10_000, allow_none=True, metadata={"example": 300})
    image = Bool()
    audio = Bool()
    video = Bool()
    number = Nested(CampNumberRule, allow_none=True)


class CampAccessIn(Schema):
    level = Choice(AccessLevel, required=True, metadata={"example": "members"})
    tier_id = Id(allow_none=True)


class CampThemeCard(Schema):
    """What the n-th day, or in a camp with levels the n-th level, is about."""

    number = Int(least=1, most=_MOST_THEMES, required=True)
    title = Str(most=200, required=True, metadata={"example": "写一件小事"})
    body = Str(most=10_000, least=0, lines=True, load_default="", metadata={"example": "不超过三个人物。"})


class CampIn(Schema):
    title = Str(most=200, required=True, metadata=_TITLE)
    rules = Str(most=10_000, least=0, lines=True, load_default="", metadata=_RULES)
    access = Nested(CampAccessIn, load_default=lambda: {"level": AccessLevel.MEMBERS})
    timezone = Str(most=64, load_default=None, allow_none=True, metadata={"description": "The circle's by default."})
    starts_on = Day(load_default=None, allow_none=True, metadata={"example": "2026-03-01"})
    ends_on = Day(load_default=None, allow_none=True, metadata={"example": "2026-03-21"})
    evergreen_days = Int(
        least=1, most=400, load_default=None, allow_none=True, metadata={"description": "Days from joining on."}
    )
    schedule = Nested(CampScheduleIn, load_default=lambda: {"kind": ScheduleKind.DAILY})
    windows = List(Nested(CampWindow), load_default=list, validate=lambda given: len(given) <= 10)  # noqa: PLR2004
    requirement = Nested(CampRequirement, load_default=dict)
    completion_days = Int(
        least=1, most=400, load_default=None, allow_none=True, metadata={"description": "All days by default."}
    )
    makeup_cards = Int(most=400, load_default=0, metadata={"example": 2})
    makeup_within_days = Int(least=1, most=400, load_default=7)
    makeups_count = Bool(load_default=True, metadata={"description": "Whether made-up days count to completion."})
    leave_days = Int(most=400, load_default=0)
    levels = Bool(load_default=False, metadata={"description": "Theme n opens after n−1 days are done."})
    on_feed = Bool(load_default=True, metadata={"description": "Whether entries are shown to other members."})
    themes = List(Nested(CampThemeCard), load_default=list, validate=lambda given: len(given) <= _MOST_THEMES)


class CampPatch(Schema):
    title = Str(most=200, metadata=_TITLE)
    rules = Str(most=10_000, least=0, lines=True, metadata=_RULES)
    access = Nested(CampAccessIn)
    starts_on = Day()
    ends_on = Day(allow_none=True)
    evergreen_days = Int(least=1, most=400, allow_none=True)
    schedule = Nested(CampScheduleIn)
    windows = List(Nested(CampWindow), validate=lambda given: len(given) <= 10)  # noqa: PLR2004
    requirement = Nested(CampRequirement)
    completion_days = Int(least=1, most=400, allow_none=True)
    makeup_cards = Int(most=400)
    makeup_within_days = Int(least=1, most=400)
    makeups_count = Bool()
    leave_days = Int(most=400)
    levels = Bool()
    on_feed = Bool()
    themes = List(Nested(CampThemeCard), validate=lambda given: len(given) <= _MOST_THEMES)


class CampTierOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True, metadata={"example": "学员"})
    rank = OutInt(required=True)


class CampAccessOut(Schema):
    level = Choice(AccessLevel, required=True, metadata={"example": "members"})
    tier_id = Id(required=True, allow_none=True, metadata={"example": None})


class CampScheduleOut(Schema):
    kind = Choice(ScheduleKind, required=True)
    weekdays = List(OutInt(), required=True, allow_none=True, metadata={"example": None})
    dates = List(Day(), required=True, allow_none=True, metadata={"example": None})
    times = OutInt(required=True, allow_none=True, metadata={"example": None})


class CampOut(Schema):
    """A camp. Locked, it shows its title and term alone."""

    id = Id(required=True)
    circle_id = Id(required=True)
    title = OutStr(required=True, metadata=_TITLE)
    starts_on = Day(required=True)
    ends_on = Day(required=True, allow_none=True)
    evergreen_days = OutInt(required=True, allow_none=True, metadata={"example": None})
    state = Choice(("upcoming", "running", "over"), required=True)
    locked = OutBool(required=True)
    required_tier = Nested(CampTierOut, required=True, allow_none=True)
    created_at = Instant(required=True)
    version = Int(required=True)
    rules = OutStr(required=True, allow_none=True, metadata=_RULES)
    access = Nested(CampAccessOut, required=True, allow_none=True)
    timezone = OutStr(required=True, allow_none=True, metadata={"example": "Asia/Shanghai"})
    schedule = Nested(CampScheduleOut, required=True, allow_none=True)
    windows = List(Nested(CampWindow), required=True, allow_none=True)
    requirement = Dict(required=True, allow_none=True, metadata={"example": {"min_words": 300}})
    completion_days = OutInt(required=True, allow_none=True, metadata={"example": 18})
    makeup_cards = OutInt(required=True, allow_none=True)
    makeup_within_days = OutInt(required=True, allow_none=True)
    makeups_count = OutBool(required=True, allow_none=True)
    leave_days = OutInt(required=True, allow_none=True)
    levels = OutBool(required=True, allow_none=True)
    on_feed = OutBool(required=True, allow_none=True)
    calendar_known_until = Day(
        required=True,
        allow_none=True,
        metadata={"description": "Later days stand by Monday to Friday, until their holidays are announced."},
    )
    today = Day(required=True, allow_none=True, metadata={"description": "The camp's day now."})
    joined = OutBool(required=True, allow_none=True)


class CampInFullOut(CampOut):
    themes = List(Nested(CampThemeCard), required=True, allow_none=True)


class CampFiguresOut(Schema):
    """Derived from the days done. `counted`: of `total`, what counts towards `completion_days`."""

    streak = OutInt(required=True, metadata={"description": "Days in a row; weeks where it is so many times a week."})
    longest = OutInt(required=True)
    total = OutInt(required=True, metadata={"description": "Days done, made-up ones included."})
    made_up = OutInt(required=True)
    cards_left = OutInt(required=True)
    leave_left = OutInt(required=True)
    counted = OutInt(required=True)
    completion_days = OutInt(required=True)
    completed = OutBool(required=True)
    completed_at = Instant(required=True, allow_none=True)
    level = OutInt(required=True, allow_none=True, metadata={"example": None})


DAY_STATES = ("done", "made_up", "leave", "missed", "free", "open", "upcoming")


class CampDayOut(Schema):
    day = Day(required=True)
    state = Choice(DAY_STATES, required=True)
    late = OutBool(required=True, metadata={"description": "Written in time, uploaded afterwards."})
    number = OutInt(required=True, allow_none=True)
    theme = OutStr(required=True, allow_none=True, metadata={"example": "写一件小事"})


class CampTodayOut(Schema):
    day = Day(required=True)
    state = Choice((*DAY_STATES, "off"), required=True, metadata={"example": "open"})
    number = OutInt(required=True, allow_none=True)
    theme = OutStr(required=True, allow_none=True, metadata={"example": "写一件小事"})
    open = OutBool(required=True, metadata={"description": "Whether one can check in at this moment."})
    closes_at = Instant(required=True)


class MyCampOut(CampFiguresOut):
    joined = OutBool(required=True)
    starts_on = Day(required=True)
    ends_on = Day(required=True)
    today = Nested(CampTodayOut, required=True)
    calendar = List(Nested(CampDayOut), required=True)


class MonthArgs(Schema):
    month = Str(most=7, required=True, metadata={"example": "2026-03", "description": "YYYY-MM"})


class CampMonthOut(CampFiguresOut):
    month = OutStr(required=True, metadata={"example": "2026-03"})
    days = List(Nested(CampDayOut), required=True)


class ClassArgs(MonthArgs, PageArgs):
    pass


class CampClassDayOut(Schema):
    day = Day(required=True)
    state = Choice(DAY_STATES, required=True)
    late = OutBool(required=True, metadata={"description": "Written in time, uploaded afterwards."})


class CampClassMemberOut(Schema):
    user = Nested(UserOut, required=True)
    streak = OutInt(required=True)
    total = OutInt(required=True)
    days = List(Nested(CampClassDayOut), required=True)


class CampClassOut(page_of(CampClassMemberOut)):  # type: ignore[misc]
    """Everybody in the camp, in a fixed order, with the days of the month that lie in their own term."""

    month = OutStr(required=True, metadata={"example": "2026-03"})
    today = Day(required=True)


class YearArgs(Schema):
    year = Number(least=2000, most=2200, required=True, metadata={"example": 2026})


class CampHeatDayOut(Schema):
    day = Day(required=True)
    count = OutInt(required=True, metadata={"description": "Camps in which it was done."})


class CampHeatmapOut(Schema):
    year = OutInt(required=True, metadata={"example": 2026})
    total = OutInt(required=True)
    days = List(Nested(CampHeatDayOut), required=True)


class RankingArgs(PageArgs):
    by = Choice(("streak", "total"), load_default="streak")


class CampRankOut(Schema):
    rank = OutInt(required=True)
    value = OutInt(required=True)
    user = Nested(UserOut, required=True)


class CampOwnRankOut(Schema):
    rank = OutInt(required=True)
    value = OutInt(required=True)


class CampRankingOut(Schema):
    by = Choice(("streak", "total"), required=True)
    me = Nested(CampOwnRankOut, required=True, allow_none=True)
    items = List(Nested(CampRankOut), required=True)
    next_cursor = OutStr(required=True, allow_none=True, metadata={"example": None})


class LeaveIn(Schema):
    days = List(Day(), required=True, validate=lambda given: 1 <= len(given) <= 100)  # noqa: PLR2004


class CampAtRiskOut(Schema):
    user = Nested(UserOut, required=True)
    missed = OutInt(required=True, metadata={"description": "Of the last three days.", "example": 2})
    last_day = Day(required=True, allow_none=True)


class CampNudgeOut(Schema):
    day = Day(required=True)
    nudged = OutInt(required=True, metadata={"description": "How many were told now; a camp's are told once a day."})
