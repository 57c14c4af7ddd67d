"""Races around posts."""

from datetime import timedelta

from sqlalchemy import func, select

from circle.kernel.changes import Change
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from circle.posts.filing import Tag
from circle.posts.services import publishing
from tests.client import World
from tests.concurrency.conftest import Race
from workers.posts import publish_due


def test_two_workers_publish_a_scheduled_post_once(world: World, clock: ManualClock, units: Units, race: Race) -> None:
    circle = world.circle()
    posts = [world.post(circle, publish_at=clock.now() + timedelta(hours=1)) for _ in range(30)]
    clock.advance(timedelta(hours=2))

    taken = race.many(4, lambda _: publish_due.run(units))

    assert sum(taken) == len(posts)
    with units.read() as uow:
        told = select(Change.item_id, func.count()).where(Change.circle_id == circle.id, Change.kind == "post")
        counts = {row[0]: row[1] for row in uow.session.execute(told.group_by(Change.item_id))}
    assert counts == {post.id: 1 for post in posts}


def test_a_row_that_another_worker_holds_is_left_to_it(world: World, clock: ManualClock, units: Units) -> None:
    circle = world.circle()
    world.post(circle, publish_at=clock.now() + timedelta(hours=1))
    clock.advance(timedelta(hours=2))

    with units.write() as first:
        assert publishing.publish_due(first) == 1
        with units.write() as second:
            assert publishing.publish_due(second) == 0


def test_new_tags_are_made_once_by_however_many(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    members = [world.member(circle) for _ in range(8)]
    paths = ["写作/选题/标题", "读书/小说", "写作/结构"]

    def write(number: int) -> int:
        tags = paths if number % 2 else paths[::-1]
        body = {"kind": "talk", "body": "正文", "tags": tags}
        return members[number].api.post(f"{circle.path}/posts", body).status

    assert race.many(8, write) == [201] * 8
    with units.read() as uow:
        made = uow.session.scalars(select(Tag.path).where(Tag.circle_id == circle.id).order_by(Tag.path)).all()
    assert sorted(made) == sorted(["写作", "写作/选题", "写作/选题/标题", "写作/结构", "读书", "读书/小说"])


def test_of_two_editors_at_once_one_loses(world: World, race: Race) -> None:
    circle = world.circle()
    post, api = world.post(circle), circle.owner.api
    tag = api.get(post.path).headers["ETag"]

    replies = race.many(
        6, lambda number: api.patch(post.path, {"body": f"版本 {number}"}, headers={"If-Match": tag}).status
    )

    assert sorted(replies) == [200] + [412] * 5
    assert len(api.get(f"{post.path}/revisions").ok()["items"]) == 1


def test_edits_without_a_version_keep_every_text(world: World, race: Race) -> None:
    circle = world.circle()
    post, api = world.post(circle), circle.owner.api

    replies = race.many(6, lambda number: api.patch(post.path, {"body": f"版本 {number}"}).status)

    assert replies == [200] * 6
    kept = api.get(f"{post.path}/revisions").ok()["items"]
    assert [one["number"] for one in kept] == [6, 5, 4, 3, 2, 1]
    texts = {one["body"] for one in kept} | {api.get(post.path).ok()["body"]}
    assert texts == {"正文"} | {f"版本 {number}" for number in range(6)}
