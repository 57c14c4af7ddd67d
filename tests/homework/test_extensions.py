"""Extensions: more time for one member, with a trace, and never less than everybody has."""

from datetime import timedelta
from typing import Any

import pytest

from circle.kernel.clock import ManualClock
from tests.builders.homework import at
from tests.client import World

DAY = timedelta(days=1)
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_an_extension_moves_the_dates_of_one_member_and_leaves_a_trace(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    ill, well = world.member(circle, name="病号"), world.member(circle)
    assignment = world.assignment(circle, late_policy="refused", cutoff_at=at(clock.now(), days=8))
    until = at(clock.now(), days=10)

    sent = {"user_id": str(ill.id), "due_at": until, "note": "发烧"}
    granted = circle.owner.api.post(f"{assignment.path}/extensions", sent).ok(201)
    clock.advance(9 * DAY)

    assert granted["due_before"] == "2026-03-08T04:00:00Z"
    assert well.api.post(f"{assignment.path}/submissions", {"body": "晚"}).code == "too_late"
    assert world.hand_in(assignment, ill)["late_seconds"] == 0
    [trace] = circle.owner.api.get(f"{assignment.path}/extensions").ok()["items"]
    assert (trace["user"]["display_name"], trace["note"]) == ("病号", "发烧")
    assert [one["kind"] for one in world.notices(ill)] == ["homework_extended"]
    assert ill.api.get(f"{assignment.path}/extensions").code == "missing_permission"


def test_an_extension_after_a_late_hand_in_forgives_the_penalty(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle, late_policy="penalty", penalty_percent=10)
    clock.advance(7 * DAY + timedelta(hours=1))
    late = world.hand_in(assignment, member)
    extended = {"user_id": str(member.id), "due_at": at(clock.now(), days=1)}
    circle.owner.api.post(f"{assignment.path}/extensions", extended).ok(201)

    assert world.review(late, circle.owner, "scored", score=90)["final_score"] == 90


def test_an_extension_never_ends_before_everybodys_due_time(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    ill, well = world.member(circle), world.member(circle)
    assignment = world.assignment(circle, late_policy="refused", remind_hours=0)
    until = {"user_id": str(ill.id), "due_at": at(clock.now(), days=9)}
    circle.owner.api.post(f"{assignment.path}/extensions", until).ok(201)

    circle.owner.api.patch(assignment.path, {"due_at": at(clock.now(), days=14)}).ok()

    clock.advance(12 * DAY)
    assert world.my_work(assignment, ill)["due_at"] == "2026-03-15T04:00:00Z"
    owing = circle.owner.api.get(f"{assignment.path}/missing").ok()["items"]
    assert {one["due_at"] for one in owing} == {"2026-03-15T04:00:00Z"}
    assert world.remind_about_homework() == 0
    assert [world.hand_in(assignment, one)["late_seconds"] for one in (ill, well)] == [0, 0]


def test_what_is_never_due_any_more_is_due_for_nobody(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    ill = world.member(circle)
    assignment = world.assignment(circle, late_policy="refused")
    until = {"user_id": str(ill.id), "due_at": at(clock.now(), days=9)}
    circle.owner.api.post(f"{assignment.path}/extensions", until).ok(201)
    circle.owner.api.patch(assignment.path, {"due_at": None}).ok()

    clock.advance(20 * DAY)

    assert world.remind_about_homework() == 0
    assert world.hand_in(assignment, ill)["late_seconds"] == 0


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ({"due_at": "2026-02-01T00:00:00Z"}, {"due_at": "in_the_past"}),
        ({"due_at": "2026-03-05T00:00:00Z"}, {"due_at": "out_of_order"}),
        ({"user_id": NOBODY}, {"user_id": "unknown_member"}),
    ],
)
def test_a_bad_extension_is_refused(world: World, sent: dict[str, Any], wrong: dict[str, str]) -> None:
    circle = world.circle()
    member = world.member(circle)
    assignment = world.assignment(circle)
    whole = {"user_id": str(member.id), "due_at": "2026-03-20T00:00:00Z", **sent}

    assert circle.owner.api.post(f"{assignment.path}/extensions", whole).fields == wrong
