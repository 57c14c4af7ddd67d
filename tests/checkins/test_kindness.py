"""Which changes of rules are kinder, rule by rule, and what an entry must hold."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from circle.checkins.kindness import unkind_changes
from circle.checkins.requirement import require_fit
from circle.kernel.errors import Invalid

MORNING, LONGER = [{"from": "05:00", "to": "08:00"}], [{"from": "04:30", "to": "08:00"}]
NIGHT, LATER_NIGHT = [{"from": "22:00", "to": "01:00"}], [{"from": "22:00", "to": "02:00"}]

KINDER: tuple[tuple[str, Any, Any], ...] = (
    ("ends_on", date(2026, 3, 21), date(2026, 3, 22)),
    ("windows", MORNING, []),
    ("windows", MORNING, LONGER),
    ("windows", MORNING, [*NIGHT, *LONGER]),
    ("windows", NIGHT, LATER_NIGHT),
    ("requirement", {"min_words": 300}, {"min_words": 200}),
    ("requirement", {"min_words": 300}, {"min_words": None}),
    ("requirement", {"image": True, "number": {"unit": "km"}}, {"number": {"unit": "km"}}),
    ("requirement", {"video": True, "number": {"unit": "km"}}, {"video": False}),
    ("requirement", {"audio": True}, {"audio": True, "min_words": 0}),
    ("completion_days", 18, 17),
    ("completion_days", None, 18),
    ("makeup_cards", 2, 3),
    ("makeup_within_days", 7, 8),
    ("makeups_count", False, True),
    ("leave_days", 0, 1),
)
HARDER: tuple[tuple[str, Any, Any], ...] = (
    ("ends_on", date(2026, 3, 21), date(2026, 3, 20)),
    ("ends_on", date(2026, 3, 21), None),
    ("ends_on", None, date(2026, 3, 21)),
    ("windows", LONGER, MORNING),
    ("windows", [], MORNING),
    ("windows", [*NIGHT, *MORNING], MORNING),
    ("windows", MORNING, [{"from": "05:00", "to": "07:59"}]),
    ("windows", LATER_NIGHT, NIGHT),
    ("requirement", {"min_words": 200}, {"min_words": 201}),
    ("requirement", {}, {"min_words": 1}),
    ("requirement", {}, {"image": True}),
    ("requirement", {"image": True}, {"audio": True}),
    ("requirement", {"image": True}, {"image": True, "video": True}),
    ("requirement", {}, {"number": {"unit": "km"}}),
    ("requirement", {"number": {"unit": "km"}}, {"number": {"unit": "页"}}),
    ("completion_days", 18, 19),
    ("completion_days", 18, None),
    ("makeup_cards", 2, 1),
    ("makeup_within_days", 7, 6),
    ("makeups_count", True, False),
    ("leave_days", 1, 0),
    ("levels", False, True),
    ("times", 3, 2),
    ("starts_on", date(2026, 3, 2), date(2026, 3, 1)),
)


@pytest.mark.parametrize(("name", "old", "new"), KINDER)
def test_kinder_rules_may_come(name: str, old: Any, new: Any) -> None:
    assert unkind_changes({name: old}, {name: new}) == []


@pytest.mark.parametrize(("name", "old", "new"), HARDER)
def test_harder_rules_and_other_promises_may_not(name: str, old: Any, new: Any) -> None:
    assert unkind_changes({name: old}, {name: new}) == [name]


def test_each_rule_is_judged_by_itself_and_what_stays_is_no_change() -> None:
    before = {"levels": False, "leave_days": 2, "times": 3, "makeup_cards": 1}

    assert unkind_changes(before, {**before, "leave_days": 1, "makeup_cards": 2, "times": 4}) == ["leave_days", "times"]


WHOLE = {"min_words": 3, "image": True, "audio": True, "video": True, "number": {"unit": "km"}}


@pytest.mark.parametrize(
    ("requirement", "entry"),
    [
        ({}, {"body": "早"}),
        ({}, {"body": "", "kinds": ["image"]}),
        ({"min_words": None}, {"body": "早"}),
        ({"min_words": 2}, {"body": "早安"}),
        ({"number": {"unit": "km"}}, {"body": "", "number": Decimal(5)}),
        ({"image": False}, {"body": "早"}),
        (WHOLE, {"body": "跑完了", "number": Decimal(0), "kinds": ["video", "audio", "image"]}),
    ],
)
def test_an_entry_that_holds_what_is_asked_for_fits(requirement: dict[str, Any], entry: dict[str, Any]) -> None:
    require_fit(requirement, **{"number": None, "kinds": [], **entry})


@pytest.mark.parametrize(
    ("requirement", "entry", "missing"),
    [
        ({}, {"body": " \u200b"}, [("body", "blank")]),
        ({"min_words": 3}, {"body": "早安"}, [("body", "too_few_words")]),
        ({"min_words": 1}, {"body": "…", "kinds": ["image"]}, [("body", "too_few_words")]),
        ({}, {"body": "早", "number": Decimal(1)}, [("number", "number_not_asked")]),
        ({"image": True}, {"body": "早", "kinds": ["audio"]}, [("attachments", "image_needed")]),
        (
            WHOLE,
            {"body": ""},
            [
                ("body", "too_few_words"),
                ("number", "number_needed"),
                ("attachments", "image_needed"),
                ("attachments", "audio_needed"),
                ("attachments", "video_needed"),
            ],
        ),
    ],
)
def test_an_entry_is_told_all_that_it_lacks(
    requirement: dict[str, Any], entry: dict[str, Any], missing: list[tuple[str, str]]
) -> None:
    with pytest.raises(Invalid) as refused:
        require_fit(requirement, **{"number": None, "kinds": [], **entry})

    assert [(one.field, one.code) for one in refused.value.errors] == missing
    assert all(one.text.zh and one.text.en for one in refused.value.errors)


def test_what_is_lacking_is_said_in_figures() -> None:
    with pytest.raises(Invalid) as refused:
        require_fit({"min_words": 300, "number": {"unit": "{km}"}}, body="早安", number=None, kinds=[])

    words, number = (one.text for one in refused.value.errors)
    assert words == ("至少写 300 字，现在是 2 字。", "At least 300 words are needed; these are 2.")
    assert number.say("zh-CN") == "请填写数字（{km}）。"
