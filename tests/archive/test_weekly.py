"""The weekly digest: when it goes out, to whom, and that nobody hears of what they may not open."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from circle.archive.services import weekly
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.circles import BuiltCircle
from tests.builders.people import Person
from tests.client import World

# Sunday, seven in the evening in Shanghai.
EVENING = datetime(2026, 3, 8, 11, tzinfo=UTC)


def send(units: Units) -> int:
    return load_job("archive.send_weekly").run(units)


def told(person: Person) -> list[dict[str, Any]]:
    inbox = person.api.get("/me/notifications").ok()["items"]
    return [one for one in inbox if one["kind"] == "weekly_digest"]


def test_on_sunday_evening_members_hear_of_the_week_and_of_the_archive(
    world: World, units: Units, clock: ManualClock
) -> None:
    circle = world.circle()
    old = world.post(circle)
    circle.owner.api.put(f"{old.path}/digest").ok(204)
    clock.advance(timedelta(days=3))
    new, read = world.post(circle), world.post(circle)
    member = world.member(circle)
    member.api.put(f"{read.path}/read").ok(204)
    world.rescore()

    clock.set(EVENING - timedelta(seconds=1))
    assert send(units) == 0
    clock.set(EVENING)
    assert [send(units), send(units)] == [1, 0]

    [notice] = told(member)
    assert notice["title"] == "Your week in 写作圈"
    assert notice["subject"] == {"kind": "circle", "id": str(circle.id)}
    data = {name: notice["data"][name] for name in ("missed", "gems", "post_ids")}
    assert data == {"missed": "1", "gems": 1, "post_ids": [str(new.id), str(old.id)]}
    assert told(circle.owner) == []


def test_each_hears_only_of_what_they_may_open(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    clock.advance(timedelta(days=1))
    paid = world.post(circle, access="学员")
    circle.owner.api.put(f"{paid.path}/digest").ok(204)
    world.rescore()
    reader, student = world.member(circle, "读者"), world.member(circle, "学员")
    gone, expired = world.member(circle, "学员"), world.member(circle, "学员", days=1)
    circle.owner.api.post(f"{circle.path}/members/{gone.id}/remove", {"refund": False}).ok()

    clock.set(EVENING)
    assert send(units) == 1

    assert told(reader) == told(gone) == told(expired) == []
    assert told(student)[0]["data"]["post_ids"] == [str(paid.id)]


def test_what_one_has_read_another_may_still_have_missed(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    reader, other, author = (world.member(circle) for _ in range(3))
    clock.set(EVENING - timedelta(days=1))
    post = world.post(circle, author)
    reader.api.put(f"{post.path}/read").ok(204)

    clock.set(EVENING)
    assert send(units) == 2

    assert told(reader) == told(author) == []
    assert [one["data"]["post_ids"] for one in (*told(other), *told(circle.owner))] == [[str(post.id)]] * 2


def test_it_goes_by_each_circles_own_clock(world: World, units: Units, clock: ManualClock) -> None:
    shanghai, new_york = world.circle(), world.circle(timezone="America/New_York")
    members = {circle.id: world.member(circle) for circle in (shanghai, new_york)}
    clock.advance(timedelta(days=5))
    for circle in (shanghai, new_york):
        world.post(circle)

    clock.set(EVENING)
    send(units)
    assert [len(told(members[circle.id])) for circle in (shanghai, new_york)] == [1, 0]
    clock.set(datetime(2026, 3, 8, 23, tzinfo=UTC))  # summer time has begun there that morning
    send(units)
    assert [len(told(members[circle.id])) for circle in (shanghai, new_york)] == [1, 1]


def test_a_clock_that_was_away_for_long_leaves_the_week_out(world: World, units: Units, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.member(circle)
    world.post(circle)

    clock.set(EVENING + weekly.LATEST)
    send(units)

    assert told(member) == []


def test_a_late_clock_tells_of_the_week_and_not_of_what_came_after(
    world: World, units: Units, clock: ManualClock
) -> None:
    circle = world.circle()
    member = world.member(circle)
    clock.set(EVENING - timedelta(days=1))
    world.post(circle)
    clock.set(EVENING + timedelta(hours=2))
    world.post(circle)

    clock.set(EVENING + timedelta(hours=10))
    send(units)

    assert told(member)[0]["data"]["missed"] == "1"


@pytest.mark.parametrize("switch", [{"kind": "weekly_digest"}, {"circle": True}, {}])
def test_who_wants_none_gets_none(world: World, units: Units, clock: ManualClock, switch: dict[str, Any]) -> None:
    circle = world.circle()
    member = world.member(circle)
    off: dict[str, Any] = {"in_app": False, "email": False, "kind": switch.get("kind")}
    if "circle" in switch:
        off["circle_id"] = str(circle.id)
    member.api.put("/me/notification-settings", {"switches": [off]}).ok()
    clock.set(EVENING - timedelta(days=1))
    world.post(circle)

    clock.set(EVENING)
    send(units)

    assert told(member) == []


def test_mail_names_what_its_reader_may_still_open(
    world: World, units: Units, clock: ManualClock, sql: Callable[..., list[Any]]
) -> None:
    circle = world.circle(quiet_from="19:00", quiet_to="20:00")
    member = world.member(circle, "读者")
    clock.set(EVENING - timedelta(days=1))
    for title, access in (("留下的", "members"), ("收走的", "members"), ("付费的", "学员")):
        post = world.post(circle, kind="article", title=title, body="正文不进信件", access=access)
        if title == "收走的":
            withdrawn = post
    clock.set(EVENING)
    send(units)
    tier = circle.tiers["学员"].id
    circle.owner.api.patch(withdrawn.path, {"access": {"level": "tier", "tier_id": str(tier)}}).ok()

    load_job("outbox.relay").run(units)
    letters = 'SELECT body FROM mailbox_messages WHERE "to" = :to'
    assert sql(letters, to=member.email) == []  # until the quiet hours are over
    clock.advance(timedelta(hours=1))
    load_job("outbox.relay").run(units)

    [letter] = sql(letters, to=member.email)
    assert "留下的" in letter["body"]
    assert not any(word in letter["body"] for word in ("收走的", "付费的", "正文"))


def test_a_run_that_was_killed_goes_on_where_it_stopped(
    world: World, units: Units, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weekly, "BATCH", 2)
    circle = world.circle()
    members = [world.member(circle) for _ in range(5)]
    clock.set(EVENING - timedelta(days=1))
    world.post(circle)
    clock.set(EVENING)
    with units.write() as uow:
        weekly.begin_due(uow)
    with units.write() as uow:
        weekly.tell_some(uow)

    assert 0 < send(units) < len(members)

    assert [len(told(member)) for member in members] == [1] * len(members)


def test_a_large_circle_lets_small_ones_go_between(
    world: World, units: Units, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weekly, "BATCH", 2)
    circles = [world.circle(), world.circle()]
    members = [[world.member(circle) for _ in range(3)] for circle in circles]
    clock.set(EVENING - timedelta(days=1))
    for circle in circles:
        world.post(circle)
    clock.set(EVENING)
    with units.write() as uow:
        weekly.begin_due(uow)
    for _ in circles:
        with units.write() as uow:
            weekly.tell_some(uow)

    assert all(any(told(one) for one in some) for some in members)


def test_many_missed_posts_are_told_as_many(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    clock.set(EVENING - timedelta(days=1))
    like = world.post(circle)
    sql(
        "INSERT INTO posts SELECT (jsonb_populate_record(post, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM posts AS post CROSS JOIN generate_series(1, 120) WHERE id = :like",
        like=like.id,
    )

    clock.set(EVENING)
    send(units)

    assert told(member)[0]["data"]["missed"] == "99+"


def test_closed_and_new_circles_send_nothing(world: World, units: Units, clock: ManualClock) -> None:
    closed: BuiltCircle = world.circle()
    member = world.member(closed)
    world.post(closed)
    closed.owner.api.patch(closed.path, {"closed": True}).ok()
    clock.set(EVENING + timedelta(hours=1))
    young = world.circle()
    late = world.member(young)
    world.post(young)

    send(units)

    assert told(member) == told(late) == []


def test_notes_of_old_digests_are_forgotten(world: World, units: Units, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    clock.set(EVENING)
    send(units)
    assert len(sql("SELECT * FROM weekly_digests WHERE circle_id = :circle", circle=circle.id)) == 1

    clock.advance(weekly.KEEP + timedelta(days=1))
    load_job("housekeeping.tidy").run(units)

    assert sql("SELECT * FROM weekly_digests") == []
