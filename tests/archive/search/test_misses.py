"""What members look for in vain is counted, without who."""

from datetime import date, timedelta
from typing import Any

from circle.archive.search.misses import KEEP, frequent_misses
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.archive.search.looking import found
from tests.builders.circles import BuiltCircle
from tests.client import World


def missed(units: Units, circle: BuiltCircle) -> list[tuple[str, int]]:
    with units.read() as uow:
        rows = frequent_misses(uow, circle.id, since=date(2026, 1, 1), limit=10)
    return [(row["query"], row["times"]) for row in rows]


def test_searches_of_a_circle_without_a_hit_are_counted_by_day(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    reader = world.member(circle)
    world.post(circle, body="琥珀")
    for query in ("鯨落", "鲸落", "灯塔", "琥珀"):
        found(reader, query, circle)
    clock.advance(timedelta(days=1))
    found(reader, "鲸落", circle)

    assert missed(units, circle) == [("鲸落", 3), ("灯塔", 1)]


def test_what_says_nothing_about_the_circle_is_not_counted(world: World, units: Units) -> None:
    circle = world.circle()
    reader, stranger = world.member(circle), world.person()
    found(reader, "鲸落")
    found(stranger, "鲸落", circle)
    found(reader, "鲸落", circle, digest="true")
    found(reader, "很" * 100, circle)

    assert missed(units, circle) == []


def test_old_counts_are_forgotten(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    found(circle.owner, "鲸落", circle)

    clock.advance(KEEP + timedelta(days=2))
    load_job("housekeeping.tidy").run(units)

    assert sql("SELECT 1 FROM search_misses") == []
