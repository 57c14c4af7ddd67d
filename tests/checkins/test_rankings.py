"""Rankings: exact at every moment, the same order for equals, one's own place."""

import random
from datetime import timedelta
from typing import Any

from circle.kernel.clock import ManualClock
from tests.builders.camps import BuiltCamp
from tests.builders.people import Person
from tests.checkins.crowd import people, take_part
from tests.client import World

DAY = timedelta(days=1)


def ranking(camp: BuiltCamp, person: Person, by: str = "streak", **query: Any) -> Any:
    return person.api.get(f"{camp.path}/rankings", query_string={"by": by, **query}).ok()


def places(answer: Any) -> list[tuple[str, int, int]]:
    return [(one["user"]["display_name"], one["rank"], one["value"]) for one in answer["items"]]


def test_members_are_ranked_by_streak_and_by_total(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    steady, broken, late = (world.camper(camp, name) for name in ("恒", "断", "新"))
    for doing in ((steady, broken), (steady, broken), (steady,), (steady, broken, late)):
        for person in doing:
            world.check_in(camp, person)
        clock.advance(DAY)

    streaks, totals = ranking(camp, broken), ranking(camp, broken, "total")

    assert places(streaks) == [("恒", 1, 4), ("新", 2, 1), ("断", 2, 1)]
    assert streaks["me"] == {"rank": 2, "value": 1}
    assert places(totals) == [("恒", 1, 4), ("断", 2, 3), ("新", 3, 1)]
    assert totals["me"] == {"rank": 2, "value": 3}


def test_a_streak_that_broke_at_midnight_falls_at_once(world: World, clock: ManualClock) -> None:
    camp = world.camp()
    first, second = world.camper(camp, "甲"), world.camper(camp, "乙")
    world.check_in(camp, first)
    clock.advance(DAY)
    world.check_in(camp, first)
    world.check_in(camp, second)
    clock.advance(DAY)
    world.check_in(camp, second)
    assert world.run_job("checkins.sweep") == 0
    clock.advance(timedelta(hours=12, minutes=1))  # a minute past midnight: 甲 missed the day

    before = ranking(camp, first)
    assert world.run_job("checkins.sweep") == 1
    after = ranking(camp, first)

    assert places(before) == places(after) == [("乙", 1, 2), ("甲", 2, 0)]
    assert before["me"] == after["me"] == {"rank": 2, "value": 0}
    assert world.run_job("checkins.sweep") == 0, "a second time changes nothing"


def test_pages_go_on_where_they_ended_and_equals_share_a_rank(world: World, sql: Any) -> None:
    camp = world.camp()
    reader = world.camper(camp)
    values = crowd(sql, camp, 60)

    seen, cursor = [], None
    while True:
        page = ranking(camp, reader, "total", limit=7, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    totals = [one["value"] for one in seen]
    assert len({one["user"]["id"] for one in seen}) == 61
    assert totals == sorted([*values, 0], reverse=True)
    assert [one["rank"] for one in seen] == [1 + sum(value > mine for value in totals) for mine in totals]


def test_ones_own_place_far_down_is_told_from_the_tally(world: World, sql: Any) -> None:
    camp = world.camp()
    reader = world.camper(camp)
    values = crowd(sql, camp, 400)
    above = sum(value > 0 for value in values)
    assert ranking(camp, reader, "total", limit=5)["me"]["rank"] == 51, "counted so far: ten times the page"

    assert world.run_job("checkins.tally") > 0

    assert ranking(camp, reader, "total", limit=5)["me"] == {"rank": above + 1, "value": 0}
    assert world.run_job("checkins.tally") == 0, "a second time changes nothing"


def test_who_left_is_in_no_ranking_until_they_come_back(world: World) -> None:
    circle = world.circle()
    camp = world.camp(circle)
    stays, leaves = world.camper(camp, "留"), world.camper(camp, "走")
    world.check_in(camp, leaves)

    circle.owner.api.post(f"{circle.path}/members/{leaves.id}/remove", {"refund": False}).ok()
    assert places(ranking(camp, stays)) == [("留", 1, 0)]
    world.member(circle, person=leaves)

    assert places(ranking(camp, stays)) == [("走", 1, 1), ("留", 2, 0)]
    leaves.api.post(f"{camp.path}/leave").ok(204)
    assert places(ranking(camp, stays)) == [("留", 1, 0)]
    assert ranking(camp, leaves)["me"] is None


def crowd(sql: Any, camp: BuiltCamp, size: int) -> list[int]:
    """Members with random totals, put there by hand."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311
    ids = people(sql, size)
    values = [chance.randrange(1, 20) for _ in ids]
    take_part(sql, camp, ids)
    sql(
        "INSERT INTO camp_standings (camp_id, user_id, streak, run, longest, total, made_up, leave_taken, ranked)"
        " SELECT :camp, id, v, v, v, v, 0, 0, true"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:values AS int[])) AS t(id, v)",
        camp=camp.id,
        ids=ids,
        values=values,
    )
    return values
