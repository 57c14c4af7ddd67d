"""Camps under a race: one day has one effect, cards and leave hold, reminders go out once."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from circle.checkins.services.rebuilding import rebuild_camps, wrong_figures
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.client import World
from tests.concurrency.conftest import Race

CROWD = 20
DAY = timedelta(days=1)


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def figures_follow_from_days(units: Units) -> bool:
    """Of the latest camp: those of other tests lived at other times of the same clock."""
    with units.read() as uow:
        return wrong_figures(uow, camps=1) == (0, 1)


def test_a_hundred_check_ins_of_one_member_are_one_day(world: World, units: Units, race: Race) -> None:
    camp = world.camp()
    person = world.camper(camp)

    replies = [
        reply
        for lap in range(5)
        for reply in race.many(
            CROWD, lambda n, lap=lap: person.api.post(f"{camp.path}/check-ins", {"body": f"{lap}.{n}"})
        )  # type: ignore[misc]
    ]

    assert Counter(reply.status for reply in replies) == {201: 1, 200: 99}
    [days] = look(units, "SELECT count(*) FROM check_in_days WHERE camp_id = :id", id=camp.id)
    [entry] = look(units, "SELECT count(*), max(version) FROM check_ins WHERE camp_id = :id", id=camp.id)
    [kept] = look(units, "SELECT count(*) FROM check_in_versions")
    assert (days["count"], entry["count"], entry["max"], kept["count"]) == (1, 1, 100, 99)
    assert world.part(camp, person)["total"] == 1
    assert figures_follow_from_days(units)


def test_one_card_makes_one_day_up(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    camp = world.camp(makeup_cards=1)
    person = world.camper(camp)
    clock.advance(7 * DAY)

    replies = race.many(7, lambda n: person.api.post(f"{camp.path}/check-ins", {"body": "补", "day": camp.day(n + 1)}))

    assert Counter(reply.code for reply in replies) == {None: 1, "no_cards_left": 6}
    assert world.part(camp, person)["made_up"] == 1
    assert figures_follow_from_days(units)


def test_today_a_card_and_a_late_upload_at_once_all_count(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    for _ in range(5):
        camp = world.camp(days=60, makeup_cards=5, starts_on=clock.now().date().isoformat(), ends_on="2026-06-01")
        person = world.camper(camp, days=400)
        clock.advance(3 * DAY)
        path, written = f"{camp.path}/check-ins", (clock.now() - DAY).isoformat()

        replies = race.run(
            lambda person=person, path=path: person.api.post(path, {"body": "今天"}),  # type: ignore[misc]
            lambda person=person, path=path, camp=camp: person.api.post(path, {"body": "补", "day": camp.day(2)}),  # type: ignore[misc]
            lambda person=person, path=path, written=written: person.api.post(path, {"body": "晚", "made_at": written}),  # type: ignore[misc]
        )

        assert [reply.status for reply in replies] == [201, 201, 201]
        part = world.part(camp, person)
        assert (part["streak"], part["total"], part["made_up"]) == (3, 3, 1)
        assert figures_follow_from_days(units)


def test_leave_holds_under_a_race(world: World, race: Race) -> None:
    camp = world.camp(leave_days=2)
    person = world.camper(camp)

    race.many(8, lambda n: person.api.post(f"{camp.path}/leave-days", {"days": [camp.day(n + 2)]}))

    assert world.part(camp, person)["leave_left"] == 0
    assert figures_follow_from_days(world.units)


def test_joining_at_the_same_moment_is_one_membership(world: World, race: Race) -> None:
    camp = world.camp(evergreen_days=21)
    person = world.member(camp.circle)

    replies = race.many(8, lambda _: person.api.post(f"{camp.path}/join"))

    assert Counter(reply.code for reply in replies) == {None: 1, "already_in_camp": 7}


def test_many_members_check_in_at_once_and_nothing_is_lost(world: World, units: Units, race: Race) -> None:
    camp = world.camp(days=1)
    people = [world.camper(camp, f"{n}") for n in range(CROWD)]

    replies = race.many(CROWD, lambda n: people[n].api.post(f"{camp.path}/check-ins", {"body": "写"}))

    assert {reply.status for reply in replies} == {201}
    ranked = camp.teacher.api.get(f"{camp.path}/rankings?limit=50").ok()["items"]
    assert [one["value"] for one in ranked] == [1] * CROWD
    [issued] = look(units, "SELECT count(*) FROM certificates WHERE camp_id = :id", id=camp.id)
    assert issued["count"] == CROWD
    assert figures_follow_from_days(units)


def test_a_rebuild_meanwhile_loses_no_check_in(world: World, units: Units, race: Race, clock: ManualClock) -> None:
    camp = world.camp(days=5)
    people = [world.camper(camp, f"{n}") for n in range(8)]
    path = f"{camp.path}/check-ins"
    for _ in range(3):
        replies = race.run(
            *(lambda person=person: person.api.post(path, {"body": "写"}).status for person in people),  # type: ignore[misc]
            *(lambda: rebuild_camps(units, [camp.id]) for _ in range(2)),
        )
        assert replies == [*[201] * len(people), 0, 0], (
            "a rebuild finds nothing to change, and holds nobody up for good"
        )
        clock.advance(DAY)

    assert {world.part(camp, person)["total"] for person in people} == {3}
    assert figures_follow_from_days(units)


def test_two_clocks_remind_once_and_print_each_certificate_once(
    world: World, units: Units, race: Race, clock: ManualClock
) -> None:
    camp, short = world.camp(), world.camp(days=1)
    person, done = world.camper(camp), world.camper(short)
    world.check_in(short, done)
    printed = race.many(2, lambda _: load_job("checkins.render").run(units))
    clock.advance(timedelta(hours=9.5))

    race.many(4, lambda _: load_job("checkins.remind").run(units))

    assert len(world.notices(person, "camp_day_closing")) == 1
    assert sum(printed) >= 1
    assert done.api.get("/me/certificates").ok()["items"][0]["pdf_url"]


def test_likes_are_counted_once_under_a_race(world: World, race: Race) -> None:
    camp = world.camp()
    author, fan = world.camper(camp), world.camper(camp, "粉")
    path = f"/check-ins/{world.check_in(camp, author)['id']}"

    race.many(8, lambda _: fan.api.put(f"{path}/like"))

    assert author.api.get(path).ok()["like_count"] == 1
