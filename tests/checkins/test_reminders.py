"""Reminders: exactly those who need one, once, also with two clocks."""

from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.people import Person
from tests.client import World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def told(world: World, person: Person, kind: str) -> int:
    return len(world.notices(person, kind))


def test_a_day_that_ends_soon_is_told_to_who_has_not_done_it(world: World, clock: ManualClock) -> None:
    camp = world.camp(leave_days=1, windows=[{"from": "05:00", "to": "08:30"}])
    done, owing, away, left = (world.camper(camp, name) for name in ("已", "欠", "假", "走"))
    away.api.post(f"{camp.path}/leave-days", {"days": [camp.day(2)]}).ok()
    left.api.post(f"{camp.path}/leave").ok(204)
    clock.set(clock.now() + timedelta(hours=17.5))  # 05:30 of the second day
    world.check_in(camp, done)
    assert world.run_job("checkins.remind") == 0, "three hours are left"
    clock.advance(timedelta(hours=2, minutes=5))

    assert world.run_job("checkins.remind") == 1
    assert world.run_job("checkins.remind") == 0, "a second clock changes nothing"

    assert [told(world, one, "camp_day_closing") for one in (done, owing, away, left)] == [0, 1, 0, 0]
    assert "08:30" in world.notices(owing)[0]["title"]
    clock.advance(DAY)
    assert world.run_job("checkins.remind") == 3, "the next day is another one, for all who are in"


def test_a_whole_day_is_reminded_of_in_the_evening(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    clock.advance(8 * HOUR)  # 20:00
    assert world.run_job("checkins.remind") == 0
    clock.advance(1.5 * HOUR)

    assert world.run_job("checkins.remind") == 1
    assert told(world, person, "camp_day_closing") == 1


def test_a_day_that_a_closed_circle_does_not_take_is_not_reminded_of(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    clock.advance(9.5 * HOUR)
    camp.circle.owner.api.patch(camp.circle.path, {"closed": True}).ok()
    assert world.run_job("checkins.remind") == 0

    camp.circle.owner.api.patch(camp.circle.path, {"closed": False}).ok()

    assert world.run_job("checkins.remind") == 1
    assert told(world, person, "camp_day_closing") == 1


def test_a_day_off_is_not_reminded_of(world: World, clock: ManualClock) -> None:
    camp = world.camp(schedule={"kind": "workdays"})
    world.camper(camp)
    clock.advance(10 * HOUR)  # Sunday evening

    assert world.run_job("checkins.remind") == 0


def test_with_so_many_times_a_week_only_who_needs_every_day_left_is_reminded(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=30, schedule={"kind": "per_week", "times": 2})
    clock.advance(DAY)  # a Monday
    person = world.camper(camp)
    reminded = []
    for _ in range(7):
        clock.advance(10 * HOUR)
        reminded.append(world.run_job("checkins.remind"))
        clock.advance(14 * HOUR)

    assert reminded == [0, 0, 0, 0, 0, 1, 1]
    assert told(world, person, "camp_day_closing") == 2


def test_who_missed_two_of_the_last_three_days_is_at_risk(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    steady, lapsed, gone = (world.camper(camp, name) for name in ("恒", "断", "无"))
    for number in range(4):
        world.check_in(camp, steady)
        if number == 0:
            world.check_in(camp, lapsed)
        clock.advance(DAY)

    listed = camp.teacher.api.get(f"{camp.path}/at-risk").ok()["items"]

    assert {one["user"]["display_name"]: one["missed"] for one in listed} == {"断": 3, "无": 3}
    assert {one["user"]["display_name"]: one["last_day"] for one in listed} == {"断": camp.day(1), "无": None}
    assert steady.api.get(f"{camp.path}/at-risk").code == "missing_permission"
    assert world.run_job("checkins.warn") == 2
    assert world.run_job("checkins.warn") == 0
    clock.advance(DAY)
    world.check_in(camp, steady)
    world.run_job("checkins.warn")
    assert [told(world, one, "camp_at_risk") for one in (steady, lapsed, gone)] == [0, 1, 1], "once a lapse"


def test_who_comes_back_is_at_risk_until_two_of_the_last_three_days_are_done(world: World, clock: ManualClock) -> None:
    camp = world.camp(leave_days=1)
    person, excused = world.camper(camp), world.camper(camp, "请假")
    excused.api.post(f"{camp.path}/leave-days", {"days": [camp.day(4)]}).ok()
    listed = []

    for number in range(1, 7):
        if number > 2:
            world.check_in(camp, person)
        if number in {3, 5, 6}:
            world.check_in(camp, excused)
        found = camp.teacher.api.get(f"{camp.path}/at-risk").ok()["items"]
        listed.append({one["user"]["display_name"]: one["missed"] for one in found})
        clock.advance(DAY)

    both, none = {"林晓": 2, "请假": 2}, dict[str, int]()
    assert listed == [none, none, both, both, none, none]


def test_the_list_of_who_is_at_risk_has_pages(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    people = {str(world.camper(camp, f"{n}").id) for n in range(5)}
    clock.advance(3 * DAY)

    first = camp.teacher.api.get(f"{camp.path}/at-risk?limit=3").ok()
    rest = camp.teacher.api.get(f"{camp.path}/at-risk?limit=3&cursor={first['next_cursor']}").ok()

    assert {one["user"]["id"] for one in [*first["items"], *rest["items"]]} == people
    assert rest["next_cursor"] is None


def test_a_nudge_reaches_exactly_those_at_risk_once_a_day(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    steady, lapsed = world.camper(camp, "恒"), world.camper(camp, "断")
    for _ in range(3):
        world.check_in(camp, steady)
        clock.advance(DAY)

    for nudged in (1, 0):
        assert camp.teacher.api.post(f"{camp.path}/nudge").ok() == {"day": camp.day(4), "nudged": nudged}
    assert steady.api.post(f"{camp.path}/nudge").code == "missing_permission"

    assert [told(world, one, "camp_nudge") for one in (steady, lapsed)] == [0, 1]
    clock.advance(DAY)
    camp.teacher.api.post(f"{camp.path}/nudge").ok()
    assert told(world, lapsed, "camp_nudge") == 2


def test_mail_of_a_reminder_waits_for_the_end_of_quiet_hours(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    circle.owner.api.patch(circle.path, {"quiet_from": "21:00", "quiet_to": "07:00"}).ok()
    camp = world.camp(circle)
    world.camper(camp)
    clock.advance(9.5 * HOUR)

    world.run_job("checkins.remind")

    (mail,) = sql("SELECT due_at FROM outbox WHERE topic = 'notifications.email'")
    assert mail["due_at"].isoformat() == "2026-03-01T23:00:00+00:00", "seven in Shanghai"


def test_old_notes_of_reminders_are_forgotten(world: World, clock: ManualClock, sql: Any) -> None:
    camp = world.camp()
    world.camper(camp)
    clock.advance(9.5 * HOUR)
    world.run_job("checkins.remind")
    clock.advance(31 * DAY)

    world.run_job("housekeeping.tidy")

    assert sql("SELECT count(*) AS n FROM camp_reminders")[0]["n"] == 0
