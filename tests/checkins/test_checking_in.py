"""Checking in: one day, one effect; streaks, cards, leave, late uploads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circle.checkins.services import checking_in
from circle.kernel.clock import ManualClock
from tests.client import World

DAY = timedelta(days=1)


def states(part: Any) -> list[str]:
    return [day["state"] for day in part["calendar"]]


def test_a_check_in_does_the_day(world: World) -> None:
    camp = world.camp(completion_days=18)
    person = world.camper(camp)

    reply = person.api.post(f"{camp.path}/check-ins", {"body": "清晨五点半。"})

    assert reply.status == 201
    assert reply.json["day"] == camp.day(1)
    assert reply.json["kind"] == "done"
    assert reply.json["figures"]["streak"] == 1
    part = world.part(camp, person)
    assert (part["streak"], part["longest"], part["total"], part["completed"]) == (1, 1, 1, False)
    assert states(part)[:2] == ["done", "upcoming"]


def test_a_second_check_in_edits_and_counts_once(world: World) -> None:
    camp = world.camp()
    person = world.camper(camp)
    first = world.check_in(camp, person, body="一稿")

    reply = person.api.post(f"{camp.path}/check-ins", {"body": "二稿"})

    assert reply.status == 200
    assert (reply.json["id"], reply.json["body"], reply.json["version"]) == (first["id"], "二稿", 2)
    assert reply.json["figures"]["total"] == 1
    kept = person.api.get(f"/check-ins/{first['id']}/versions").ok()["items"]
    assert [one["body"] for one in kept] == ["一稿"]


def test_the_latest_versions_of_an_entry_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking_in, "MOST_VERSIONS", 2)
    camp = world.camp()
    person = world.camper(camp)
    entry = [world.check_in(camp, person, body=body) for body in ("一稿", "二稿", "三稿", "四稿")][-1]

    kept = person.api.get(f"/check-ins/{entry['id']}/versions").ok()["items"]
    assert [(one["version"], one["body"]) for one in kept] == [(3, "三稿"), (2, "二稿")]


def test_every_day_in_a_row_lengthens_the_streak(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=5)
    person = world.camper(camp)

    for expected in range(1, 6):
        assert world.check_in(camp, person)["figures"]["streak"] == expected
        clock.advance(DAY)

    part = world.part(camp, person)
    assert (part["streak"], part["longest"], part["total"], part["completed"]) == (5, 5, 5, True)


def test_a_missed_day_breaks_the_streak_but_not_the_longest(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    for _ in range(3):
        world.check_in(camp, person)
        clock.advance(DAY)
    assert world.part(camp, person)["streak"] == 3, "today is not over"

    clock.advance(DAY)

    part = world.part(camp, person)
    assert (part["streak"], part["longest"]) == (0, 3)
    assert world.check_in(camp, person)["figures"]["streak"] == 1


def test_a_make_up_card_repairs_the_streak(world: World, clock: ManualClock) -> None:
    camp = world.camp(makeup_cards=1)
    person = world.camper(camp)
    world.check_in(camp, person)
    clock.advance(2 * DAY)
    world.check_in(camp, person)

    repaired = person.api.post(f"{camp.path}/check-ins", {"body": "补上", "day": camp.day(2)}).ok(201)

    assert repaired["kind"] == "made_up"
    figures = repaired["figures"]
    assert (figures["streak"], figures["total"], figures["made_up"], figures["cards_left"]) == (3, 3, 1, 0)
    assert states(world.part(camp, person))[:3] == ["done", "made_up", "done"]


def test_cards_run_out_and_reach_only_so_far_back(world: World, clock: ManualClock) -> None:
    camp = world.camp(makeup_cards=2, makeup_within_days=3)
    person = world.camper(camp)
    clock.advance(5 * DAY)

    def make_up(number: int) -> str | None:
        return person.api.post(f"{camp.path}/check-ins", {"body": "补", "day": camp.day(number)}).code

    assert make_up(2) == "too_late_to_make_up"
    assert make_up(3) is None
    assert make_up(3) is None, "again is an edit"
    assert make_up(4) is None
    assert make_up(5) == "no_cards_left"
    assert world.part(camp, person)["made_up"] == 2


def test_made_up_days_may_not_count_towards_completion(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=3, makeup_cards=3, makeups_count=False, completion_days=3)
    person = world.camper(camp)
    world.check_in(camp, person)
    clock.advance(2 * DAY)
    world.check_in(camp, person)

    figures = world.check_in(camp, person, day=camp.day(2))["figures"]

    assert (figures["streak"], figures["total"], figures["counted"], figures["completed"]) == (3, 3, 2, False)


def test_leave_in_advance_keeps_the_streak(world: World, clock: ManualClock) -> None:
    camp = world.camp(leave_days=1)
    person = world.camper(camp)
    world.check_in(camp, person)

    left = person.api.post(f"{camp.path}/leave-days", {"days": [camp.day(2)]}).ok(200)
    assert left["leave_left"] == 0
    clock.advance(2 * DAY)

    assert world.check_in(camp, person)["figures"]["streak"] == 2
    assert states(world.part(camp, person))[:3] == ["done", "leave", "done"]


def test_a_day_of_leave_that_is_done_all_the_same_is_given_back(world: World, clock: ManualClock) -> None:
    camp = world.camp(leave_days=1)
    person = world.camper(camp)
    person.api.post(f"{camp.path}/leave-days", {"days": [camp.day(2)]}).ok()
    clock.advance(DAY)

    figures = world.check_in(camp, person)["figures"]

    assert (figures["streak"], figures["total"], figures["leave_left"]) == (1, 1, 1)


def test_leave_is_for_days_to_come_and_limited(world: World) -> None:
    camp = world.camp(leave_days=1)
    person = world.camper(camp)

    def leave(*days: str) -> str | None:
        return person.api.post(f"{camp.path}/leave-days", {"days": list(days)}).code

    assert leave(camp.day(1)) == "leave_not_ahead"
    assert leave(camp.day(2), camp.day(3)) == "no_leave_left"
    assert leave("2027-01-01") == "invalid"
    assert world.part(camp, person)["leave_left"] == 1
    assert leave(camp.day(2)) is None
    assert leave(camp.day(2)) is None, "taken already"


def test_what_was_written_offline_counts_for_its_day(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    clock.advance(DAY)
    written = clock.now()
    clock.advance(timedelta(hours=20))

    late = world.check_in(camp, person, made_at=written.isoformat())

    assert (late["day"], late["kind"], late["late"]) == (camp.day(2), "done", True)
    assert late["figures"]["cards_left"] == 0
    assert late["figures"]["total"] == 1


def test_an_upload_after_48_hours_or_from_the_future_is_refused(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    clock.advance(5 * DAY)

    def upload(ago: timedelta) -> Any:
        return person.api.post(f"{camp.path}/check-ins", {"body": "写", "made_at": (clock.now() - ago).isoformat()})

    assert upload(timedelta(hours=49)).code == "too_late_to_upload"
    assert upload(timedelta(minutes=-10)).fields == {"made_at": "implausible_clock"}
    assert upload(timedelta(hours=47)).status == 201


def test_a_late_upload_gives_a_used_card_back(world: World, clock: ManualClock) -> None:
    camp = world.camp(makeup_cards=1)
    person = world.camper(camp)
    clock.advance(DAY)
    written = clock.now()
    clock.advance(DAY)
    world.check_in(camp, person, day=camp.day(2))

    figures = world.check_in(camp, person, made_at=written.isoformat())["figures"]

    assert (figures["made_up"], figures["cards_left"], figures["total"]) == (0, 1, 1)
    assert states(world.part(camp, person))[1] == "done"


def test_checking_in_before_joining_is_a_conflict(world: World) -> None:
    camp = world.camp()
    person = world.member(camp.circle)

    assert person.api.post(f"{camp.path}/check-ins", {"body": "写"}).code == "not_in_camp"
    world.run_job("checkins.sweep")
    assert person.api.post(f"{camp.path}/check-ins", {"body": "写"}).status == 409


def test_leaving_and_coming_back_loses_no_day(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    world.check_in(camp, person)

    person.api.post(f"{camp.path}/leave").ok(204)
    assert person.api.post(f"{camp.path}/check-ins", {"body": "写"}).code == "not_in_camp"
    clock.advance(DAY)
    person.api.post(f"{camp.path}/join").ok()

    assert world.check_in(camp, person)["figures"]["streak"] == 2


def test_a_window_that_passes_midnight_belongs_to_the_day_it_began(world: World, clock: ManualClock) -> None:
    camp = world.camp(windows=[{"from": "22:00", "to": "01:00"}])
    person = world.camper(camp)

    closed = person.api.post(f"{camp.path}/check-ins", {"body": "写"})
    assert (closed.status, closed.code) == (409, "window_closed")
    assert closed.json["data"]["opens_at"] == "2026-03-01T14:00Z"
    clock.set(datetime(2026, 3, 1, 16, 30, tzinfo=UTC))  # 00:30 in Shanghai

    assert world.check_in(camp, person)["day"] == camp.day(1)
    clock.set(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
    assert world.check_in(camp, person)["figures"]["streak"] == 2


def test_a_day_of_two_windows_is_done_in_either_and_once(world: World, clock: ManualClock) -> None:
    camp = world.camp(windows=[{"from": "05:00", "to": "08:30"}, {"from": "20:00", "to": "22:00"}])
    person = world.camper(camp)

    between = person.api.post(f"{camp.path}/check-ins", {"body": "写"})
    assert (between.code, between.json["data"]["opens_at"]) == ("window_closed", "2026-03-01T12:00Z")
    clock.set(datetime(2026, 3, 1, 12, 30, tzinfo=UTC))  # 20:30 in Shanghai
    assert world.check_in(camp, person)["day"] == camp.day(1)
    for hour, total in ((21, 2), (36, 2)):  # 05:00 and 20:00 of the next day
        clock.set(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour))
        assert world.check_in(camp, person)["figures"]["total"] == total


def test_a_month_is_shown_from_the_members_own_days(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=40)
    person = world.camper(camp)
    world.check_in(camp, person)

    month = person.api.get(f"{camp.path}/calendar?month=2026-03").ok()

    assert len(month["days"]) == 31
    assert month["days"][0]["state"] == "done"
    assert person.api.get(f"{camp.path}/calendar?month=2026-04").ok()["days"][-1]["day"] == camp.day(40)
    assert person.api.get(f"{camp.path}/calendar?month=2026-13").fields == {"month": "bad_time"}


def test_the_heat_map_counts_days_over_all_camps(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    camps = [world.camp(circle), world.camp(circle)]
    person = world.camper(camps[0])
    person.api.post(f"{camps[1].path}/join").ok()
    for camp in camps:
        world.check_in(camp, person)
    clock.advance(DAY)
    world.check_in(camps[0], person)

    year = person.api.get("/me/check-ins/heatmap?year=2026").ok()

    assert year["days"] == [{"day": "2026-03-01", "count": 2}, {"day": "2026-03-02", "count": 1}]
    assert person.api.get("/me/check-ins/heatmap?year=2025").ok()["days"] == []


def test_who_leaves_while_checking_in_has_done_nothing(world: World, sql: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    camp = world.camp()
    person = world.camper(camp)
    admitted = checking_in.admitted_desk

    def then_leave(*asked: Any) -> Any:
        found = admitted(*asked)
        sql("UPDATE camp_members SET left_at = now()")
        sql("UPDATE camp_standings SET ranked = false")
        return found

    monkeypatch.setattr(checking_in, "admitted_desk", then_leave)
    reply = person.api.post(f"{camp.path}/check-ins", {"body": "清晨五点半。"})

    assert (reply.status, reply.code) == (409, "not_in_camp")
    assert sql("SELECT FROM check_in_days") == []


def test_figures_that_changed_meanwhile_are_read_anew(world: World, sql: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    camp = world.camp()
    person = world.camper(camp)
    admitted = checking_in.admitted_desk
    asked_for = []

    def after_a_change(*asked: Any) -> Any:
        found = admitted(*asked)
        asked_for.append(found)
        sql("UPDATE camp_standings SET longest = 7")
        return found

    monkeypatch.setattr(checking_in, "admitted_desk", after_a_change)
    reply = person.api.post(f"{camp.path}/check-ins", {"body": "清晨五点半。"})

    assert reply.status == 201
    assert reply.json["figures"]["longest"] == 7
    assert [desk is None for desk in asked_for] == [False, True]
    assert world.part(camp, person)["total"] == 1
