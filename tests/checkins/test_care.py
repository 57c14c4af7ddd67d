"""Looking after figures: the database keeps days, `circle doctor` compares, `circle camps rebuild` repairs."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from circle.checkins.invariants import figures_are_derived
from circle.checkins.services.rebuilding import rebuild_camps
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.subscribers import DOCTOR
from tests.client import World


def test_what_a_member_did_can_not_be_taken_away(world: World, sql: Any) -> None:
    camp = world.camp()
    person = world.camper(camp)
    world.check_in(camp, person)

    for statement in (
        "DELETE FROM check_in_days",
        "TRUNCATE check_in_days CASCADE",
        "UPDATE check_in_days SET kind = 'leave'",
        "UPDATE check_in_days SET day = day - 1, kind = 'done'",
        "UPDATE check_in_days SET late = true",
    ):
        sql("SAVEPOINT here")
        with pytest.raises(DatabaseError, match=r"can not be taken away|append-only"):
            sql(statement)
        sql("ROLLBACK TO here")

    assert world.part(camp, person)["total"] == 1


def test_doctor_sees_a_wrong_figure_and_a_rebuild_repairs_it(
    world: World, units: Units, clock: ManualClock, sql: Any
) -> None:
    camp = world.camp(makeup_cards=1)
    person = world.camper(camp)
    for _ in range(3):
        world.check_in(camp, person)
        clock.advance(timedelta(days=1))
    right = world.part(camp, person)
    assert figures_are_derived in {check.run for check in DOCTOR}
    assert figures_are_derived(units) is None

    sql("UPDATE camp_standings SET run = 9, streak = 9, total = 30, longest = 1, last_day = NULL")
    assert "circle camps rebuild" in (figures_are_derived(units) or "")
    assert rebuild_camps(units) == 1
    assert rebuild_camps(units, [camp.id]) == 0

    assert figures_are_derived(units) is None
    assert world.part(camp, person) == right


def test_a_rebuild_makes_what_is_missing(world: World, units: Units, sql: Any) -> None:
    camp = world.camp()
    person = world.camper(camp)
    world.check_in(camp, person)
    right = world.part(camp, person)
    sql("DELETE FROM camp_standings")
    assert figures_are_derived(units) is not None

    assert rebuild_camps(units) == 1

    assert world.part(camp, person) == right


def test_a_rebuild_knows_who_has_completed_and_who_is_ranked(world: World, units: Units, sql: Any) -> None:
    camp = world.camp(days=1)
    done, left, gone = (world.camper(camp, name) for name in ("成", "走", "离"))
    for person in (done, left, gone):
        world.check_in(camp, person)
    left.api.post(f"{camp.path}/leave").ok(204)
    camp.circle.owner.api.post(f"{camp.circle.path}/members/{gone.id}/remove", {"refund": False}).ok()
    right, ranked = world.part(camp, done), camp.teacher.api.get(f"{camp.path}/rankings").ok()
    sql("DELETE FROM camp_standings")

    assert rebuild_camps(units) == 3

    assert world.part(camp, done) == right
    assert camp.teacher.api.get(f"{camp.path}/rankings").ok() == ranked
    assert [one["user"]["display_name"] for one in ranked["items"]] == ["成"]
    assert sql("SELECT count(*) AS n FROM certificates")[0]["n"] == 3, "nobody gets a second certificate"
    assert figures_are_derived(units) is None


def test_a_streak_that_only_waits_for_its_sweep_is_not_wrong(world: World, units: Units, clock: ManualClock) -> None:
    camp = world.camp()
    person = world.camper(camp)
    world.check_in(camp, person)
    clock.advance(timedelta(days=2))

    assert figures_are_derived(units) is None
    assert world.part(camp, person)["streak"] == 0
