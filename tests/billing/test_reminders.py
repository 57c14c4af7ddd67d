"""Reminders of renewals that a member pays by themselves, day by day."""

from datetime import datetime, timedelta

import pytest

from circle.kernel.clock import ManualClock
from tests.client import World

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def days() -> list[datetime]:
    """The days on which somebody is reminded whose term ends on 1 April, and one after them."""
    end = datetime.fromisoformat("2026-04-01T04:00:00Z")
    return [end + timedelta(days=day) for day in (-7, -3, -1, 0, 3, 6)]


def test_each_day_of_the_list_reminds_those_who_have_not_paid(
    world: World, clock: ManualClock, days: list[datetime]
) -> None:
    circle = world.circle()
    late, prompt, gone = (world.subscriber(circle, collection="manual") for _ in range(3))
    clock.advance(timedelta(days=19))
    assert world.run_billing("bill", "remind") == 3, "all are billed, and nobody is reminded yet"

    reminded = []
    for day in days:
        clock.set(day - INSTANT)
        assert world.run_billing("remind") == 0
        clock.set(day)
        reminded.append(world.run_billing("remind"))
        if day == days[0]:
            world.pay(prompt, world.steer(prompt, "renew").ok()["checkout"])
            world.steer(gone, "cancel").ok()

    assert reminded == [3, 1, 1, 1, 1, 0]
    kinds = ("membership_expiring", "renewal_overdue")
    told = [[len(world.notices(one, kind)) for kind in kinds] for one in (late, prompt, gone)]
    assert told == [[3, 2], [1, 0], [1, 0]]
    clock.advance(timedelta(days=1))
    world.run_billing("end")
    assert [world.subscription(one)["status"] for one in (late, prompt, gone)] == ["expired", "active", "canceled"]
