"""The class calendar: what teachers see of everybody's days."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.builders.camps import BuiltCamp
from tests.client import World

DAY = timedelta(days=1)


def states(camp: BuiltCamp, month: str = "2026-03") -> dict[str, str]:
    """Each member's month by name, a letter a day: done, made up, leave, missed, open, upcoming, free."""
    items = camp.teacher.api.get(f"{camp.path}/class-calendar?month={month}").ok()["items"]
    return {one["user"]["display_name"]: "".join(day["state"][0] for day in one["days"]) for one in items}


def test_a_teacher_sees_everybodys_month(world: World, clock: ManualClock) -> None:
    camp = world.camp(days=6, makeup_cards=1, leave_days=1)
    steady, lapsed = world.camper(camp, "恒"), world.camper(camp, "断")
    lapsed.api.post(f"{camp.path}/leave-days", {"days": [camp.day(3)]}).ok()
    for _ in range(3):
        world.check_in(camp, steady)
        clock.advance(DAY)
    newcomer = world.camper(camp, "新")
    world.check_in(camp, lapsed, day=camp.day(2))
    world.check_in(camp, newcomer)

    assert states(camp) == {"恒": "dddouu", "断": "mmlouu", "新": "duu"}
    assert states(camp, "2026-04") == {"恒": "", "断": "", "新": ""}
    answer = camp.teacher.api.get(f"{camp.path}/class-calendar?month=2026-03&limit=1").ok()
    assert (answer["today"], answer["items"][0]["streak"], answer["items"][0]["total"]) == (camp.day(4), 3, 3)
    assert steady.api.get(f"{camp.path}/class-calendar?month=2026-03").code == "missing_permission"


def test_weeks_that_were_kept_leave_the_other_days_free(world: World, clock: ManualClock) -> None:
    """1 March is a Sunday: its week began in February, and 30 March's ends in April."""
    camp = world.camp(days=14, schedule={"kind": "per_week", "times": 2})
    clock.advance(DAY)
    person = world.camper(camp, "周")
    for _ in range(2):
        world.check_in(camp, person)
        clock.advance(2 * DAY)
    clock.advance(4 * DAY)

    assert states(camp) == {"周": "dfdffffmouuuu"}


def test_pages_go_through_the_class_and_who_left_is_not_in_it(world: World) -> None:
    camp = world.camp()
    people = [world.camper(camp, f"{n}") for n in range(5)]
    people[0].api.post(f"{camp.path}/leave").ok(204)
    path = f"{camp.path}/class-calendar?month=2026-03&limit=3"

    first = camp.teacher.api.get(path).ok()
    rest = camp.teacher.api.get(f"{path}&cursor={first['next_cursor']}").ok()

    seen = [one["user"]["id"] for one in [*first["items"], *rest["items"]]]
    assert sorted(seen) == sorted(str(one.id) for one in people[1:])
    assert (len(first["items"]), rest["next_cursor"]) == (3, None)
    assert camp.teacher.api.get(f"{camp.path}/class-calendar?month=2026-3").fields == {"month": "bad_time"}
