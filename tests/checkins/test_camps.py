"""Opening camps, joining them, and rules that only become kinder."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.client import World

DAY = timedelta(days=1)


def test_a_teacher_opens_a_camp_and_members_see_its_rules(world: World) -> None:
    circle = world.circle()
    themes = [{"number": n, "title": f"第 {n} 天"} for n in (1, 2)]
    camp = world.camp(circle, makeup_cards=2, requirement={"min_words": 100}, themes=themes)
    member = world.member(circle)

    shown = member.api.get(camp.path).ok()

    assert (shown["title"], shown["state"], shown["joined"], shown["locked"]) == ("晨间写作营", "running", False, False)
    assert shown["makeup_cards"] == 2
    assert shown["themes"] == [], "themes open with the days of one's own term"
    assert len(camp.teacher.api.get(camp.path).ok()["themes"]) == 2
    member.api.post(f"{camp.path}/join").ok()
    assert [one["title"] for one in member.api.get(camp.path).ok()["themes"]] == ["第 1 天"]
    assert world.part(camp, member)["today"]["theme"] == "第 1 天"


def test_members_may_not_open_camps_and_strangers_see_teasers(world: World) -> None:
    circle = world.circle()
    camp = world.camp(circle, rules="写 300 字")
    body = {"title": "营", "ends_on": "2026-03-09"}

    assert world.member(circle).api.post(f"{circle.path}/camps", body).code == "missing_permission"
    teaser = world.person().api.get(camp.path).ok()
    assert (teaser["locked"], teaser["rules"], teaser["themes"]) == (True, None, None)
    assert world.person().api.get(f"{camp.path}/check-ins").code == "not_a_member"
    hidden = world.camp(world.circle(preview_policy="none"))
    assert world.person().api.get(hidden.path).status == 404


def test_a_camp_of_a_higher_tier_is_locked(world: World) -> None:
    circle = world.circle()
    tier = circle.tier(2)
    camp = world.camp(circle, access={"level": "tier", "tier_id": str(tier.id)})
    reader, student = world.member(circle, 1), world.member(circle, 2)

    listed = reader.api.get(f"{circle.path}/camps").ok()["items"]

    assert listed[0]["locked"]
    assert listed[0]["required_tier"]["name"] == "学员"
    assert listed[0]["rules"] is None
    assert reader.api.post(f"{camp.path}/join").code == "camp_locked"
    assert student.api.post(f"{camp.path}/join").status == 200


def test_an_evergreen_camp_begins_for_each_when_they_join(world: World, clock: ManualClock) -> None:
    camp = world.camp(evergreen_days=7)
    early = world.camper(camp, "早")
    world.check_in(camp, early)
    clock.advance(3 * DAY)
    late = world.camper(camp, "晚")

    part = world.part(camp, late)

    assert (part["starts_on"], part["ends_on"]) == (camp.day(4), camp.day(10))
    assert part["completion_days"] == 7
    for _ in range(7):
        world.check_in(camp, late)
        clock.advance(DAY)
    assert world.part(camp, late)["completed"]
    assert late.api.post(f"{camp.path}/check-ins", {"body": "写"}).code == "camp_over"


def test_a_day_whose_hours_are_over_is_not_held_against_who_joins_then(world: World, clock: ManualClock) -> None:
    camp = world.camp(windows=[{"from": "05:00", "to": "08:30"}])
    assert clock.now().hour == 4, "noon in Shanghai"

    person = world.camper(camp)

    assert world.part(camp, person)["starts_on"] == camp.day(2)
    assert person.api.post(f"{camp.path}/check-ins", {"body": "写"}).code == "camp_not_started"


@pytest.mark.parametrize(
    ("schedule", "met"),
    [
        ({"kind": "weekdays", "weekdays": [1, 3]}, ["02", "04", "09"]),
        ({"kind": "holidays"}, ["01", "07", "08"]),  # 28 February was a working Saturday
        ({"kind": "workdays"}, ["02", "03", "04", "05", "06", "09"]),
        ({"kind": "dates", "dates": ["2026-03-05", "2026-03-03"]}, ["03", "05"]),
        ({"kind": "per_week", "times": 3}, ["01", "02", "03", "04", "05", "06", "07", "08", "09"]),
    ],
)
def test_a_camp_meets_on_the_days_of_its_schedule(world: World, schedule: dict[str, Any], met: list[str]) -> None:
    camp = world.camp(days=9, schedule=schedule)
    person = world.camper(camp)

    assert [day["day"][-2:] for day in world.part(camp, person)["calendar"]] == met


def test_a_day_off_the_schedule_can_not_be_done(world: World) -> None:
    camp = world.camp(schedule={"kind": "workdays"})
    person = world.camper(camp)

    reply = person.api.post(f"{camp.path}/check-ins", {"body": "写"})

    assert (reply.status, reply.code) == (409, "not_a_camp_day")


def test_holidays_of_unknown_years_are_said_to_be_guessed(world: World) -> None:
    known = world.camp(schedule={"kind": "workdays"})
    guessed = world.camp(starts_on="2031-09-29", ends_on="2031-10-10", schedule={"kind": "workdays"})

    assert known.teacher.api.get(known.path).ok()["calendar_known_until"] is None
    shown = guessed.teacher.api.get(guessed.path).ok()
    assert shown["calendar_known_until"] == "2030-12-31"


def test_so_many_times_a_week_counts_weeks(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=30, schedule={"kind": "per_week", "times": 2})
    clock.advance(DAY)  # a Monday
    person = world.camper(camp)
    streaks = []
    for _ in range(2):
        for wait in (1, 6):
            streaks.append(world.check_in(camp, person)["figures"]["streak"])
            clock.advance(wait * DAY)

    assert streaks == [0, 1, 1, 2]
    clock.advance(7 * DAY)
    assert world.part(camp, person)["streak"] == 0
    assert world.part(camp, person)["longest"] == 2


def test_rules_change_freely_before_the_camp_begins(world: World) -> None:
    camp = world.camp(starts_on="2026-03-10", ends_on="2026-03-20", makeup_cards=3)
    person = world.camper(camp)

    changed = camp.teacher.api.patch(
        camp.path, {"ends_on": "2026-03-15", "makeup_cards": 1, "schedule": {"kind": "weekdays", "weekdays": [5]}}
    )

    assert changed.status == 200, changed
    part = world.part(camp, person)
    assert (part["ends_on"], part["cards_left"], part["completion_days"]) == ("2026-03-15", 1, 1)
    assert [day["day"] for day in part["calendar"]] == ["2026-03-13"]


HARDER: list[dict[str, Any]] = [
    {"completion_days": 20},
    {"makeup_cards": 0},
    {"leave_days": 0},
    {"makeup_within_days": 1},
    {"ends_on": "2026-03-15"},
    {"starts_on": "2026-03-02"},
    {"requirement": {"min_words": 50, "image": True}},
    {"requirement": {"min_words": 200}},
    {"windows": [{"from": "07:00", "to": "23:00"}]},
    {"schedule": {"kind": "weekdays", "weekdays": [1]}},
    {"levels": True},
    {"makeups_count": False},
]
KINDER: list[dict[str, Any]] = [
    {"completion_days": 10},
    {"makeup_cards": 5},
    {"leave_days": 4},
    {"makeup_within_days": 9},
    {"ends_on": "2026-03-25"},
    {"requirement": {"min_words": 20}},
    {"requirement": {}},
    {"windows": []},
    {"windows": [{"from": "05:00", "to": "23:30"}]},
    {"title": "新名字", "rules": "新说明", "themes": [{"number": 1, "title": "新主题"}]},
]


@pytest.mark.parametrize("harder", HARDER, ids=str)
def test_who_joined_is_safe_from_harder_rules(world: World, harder: dict[str, Any]) -> None:
    camp = _camp_with_rules(world)
    person = world.camper(camp)
    before = world.part(camp, person)

    reply = camp.teacher.api.patch(camp.path, harder)

    assert (reply.status, reply.code) == (409, "rules_frozen"), reply
    assert world.part(camp, person) == before


@pytest.mark.parametrize("kinder", KINDER, ids=str)
def test_rules_may_become_kinder(world: World, kinder: dict[str, Any]) -> None:
    camp = _camp_with_rules(world)
    world.camper(camp)

    assert camp.teacher.api.patch(camp.path, kinder).status == 200


def _camp_with_rules(world: World) -> Any:
    return world.camp(
        completion_days=15,
        makeup_cards=2,
        leave_days=2,
        makeup_within_days=5,
        requirement={"min_words": 50},
        windows=[{"from": "06:00", "to": "23:00"}],
    )


def test_asking_for_fewer_days_completes_who_has_done_them(world: World, clock: ManualClock) -> None:
    camp = world.camp(completion_days=10)
    person = world.camper(camp)
    for _ in range(2):
        world.check_in(camp, person)
        clock.advance(DAY)

    camp.teacher.api.patch(camp.path, {"completion_days": 2}).ok()

    assert world.part(camp, person)["completed"]
    assert len(person.api.get("/me/certificates").ok()["items"]) == 1


def test_a_stale_version_is_refused(world: World) -> None:
    camp = world.camp()
    tag = camp.teacher.api.get(camp.path).headers["ETag"]
    camp.teacher.api.patch(camp.path, {"title": "一"}, headers={"If-Match": tag}).ok()

    assert camp.teacher.api.patch(camp.path, {"title": "二"}, headers={"If-Match": tag}).status == 412


BAD_CAMPS: list[tuple[dict[str, Any], str]] = [
    ({"ends_on": "2026-02-01"}, "ends_on"),
    ({"ends_on": None}, "ends_on"),
    ({"evergreen_days": 7}, "ends_on"),
    ({"ends_on": "2028-01-01"}, "ends_on"),
    ({"ends_on": "2026-02-30"}, "ends_on"),
    ({"completion_days": 22}, "completion_days"),
    ({"completion_days": 1.9}, "completion_days"),
    ({"completion_days": 0}, "completion_days"),
    ({"makeup_cards": -1}, "makeup_cards"),
    ({"makeup_cards": 2**63}, "makeup_cards"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"schedule": {"kind": "hourly"}}, "schedule.kind"),
    ({"schedule": {"kind": "weekdays"}}, "schedule.weekdays"),
    ({"schedule": {"kind": "weekdays", "weekdays": [0]}}, "schedule.weekdays.0"),
    ({"schedule": {"kind": "daily", "times": 3}}, "schedule.times"),
    ({"schedule": {"kind": "dates", "dates": ["2027-01-01"]}}, "schedule.dates"),
    ({"schedule": {"kind": "per_week", "times": 8}}, "schedule.times"),
    ({"windows": [{"from": "5:00", "to": "08:30"}]}, "windows"),
    ({"windows": [{"from": "05:00", "to": "05:00"}]}, "windows"),
    ({"windows": [{"from": "05:00", "to": "09:00"}, {"from": "08:00", "to": "10:00"}]}, "windows"),
    ({"windows": [{"from": "22:00", "to": "06:00"}, {"from": "05:00", "to": "07:00"}]}, "windows"),
    ({"windows": [{"from": "05:00"}]}, "windows.0.to"),
    ({"requirement": {"min_words": -1}}, "requirement.min_words"),
    ({"requirement": {"number": {}}}, "requirement.number.unit"),
    ({"access": {"level": "tier"}}, "access.tier_id"),
    ({"access": {"level": "tier", "tier_id": "01890a5d-ac96-774b-bcce-b302099a8057"}}, "access.tier_id"),
    ({"themes": [{"number": 1, "title": "一"}, {"number": 1, "title": "二"}]}, "themes"),
    ({"title": "  "}, "title"),
    ({"title": "x\u202ey"}, "title"),
    ({"circle_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, "circle_id"),
]


@pytest.mark.parametrize(("bad", "field"), BAD_CAMPS, ids=str)
def test_rules_that_make_no_sense_are_refused(world: World, sql: Any, bad: dict[str, Any], field: str) -> None:
    circle = world.circle()
    body = {"title": "营", "starts_on": "2026-03-01", "ends_on": "2026-03-21", **bad}

    reply = circle.owner.api.post(f"{circle.path}/camps", body)

    assert reply.status == 422, reply
    assert field in reply.fields, reply
    assert sql("SELECT count(*) AS n FROM camps")[0]["n"] == 0


def test_levels_open_one_after_the_other(world: World, clock: ManualClock) -> None:
    themes = [{"number": n, "title": f"第 {n} 关"} for n in (1, 2, 3)]
    camp = world.camp(levels=True, themes=themes)
    person = world.camper(camp)
    clock.advance(2 * DAY)

    assert len(person.api.get(camp.path).ok()["themes"]) == 1, "no day was done yet"
    done = world.check_in(camp, person)

    assert (done["level"], done["figures"]["level"]) == (1, 2)
    assert [one["number"] for one in person.api.get(camp.path).ok()["themes"]] == [1, 2]


def test_announced_holidays_move_the_days_to_come(world: World, clock: ManualClock, monkeypatch: Any, sql: Any) -> None:
    camp = world.camp(starts_on="2026-03-01", ends_on="2026-12-31", schedule={"kind": "workdays"})
    sql("UPDATE camps SET calendar_guessed_from = '2026-10-01' WHERE id = :id", id=camp.id)
    sql("INSERT INTO camp_days VALUES (:id, '2026-10-01', '2026-10-01')", id=camp.id)
    assert world.run_job("checkins.replan") == 1

    days = {row["day"].isoformat() for row in sql("SELECT day FROM camp_days WHERE camp_id = :id", id=camp.id)}

    assert "2026-10-01" not in days, "National Day"
    assert "2026-10-10" in days, "a working Saturday"
    assert "2026-03-02" in days
    assert world.run_job("checkins.replan") == 0
    assert clock.now() == datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
