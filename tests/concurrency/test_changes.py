"""The change log: clients that follow its cursor miss nothing that was committed, whatever else was running.

Only real commits show here: a reader stops at the oldest transaction that still runs. Other test processes may keep
one open on the same server, so these tests ask until the log has caught up.
"""

from collections.abc import Iterator
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, text

from circle.kernel import changes
from circle.kernel.clock import elapsed
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork, Units
from circle.posts.schemas import ChangePage
from tests.builders.circles import BuiltCircle
from tests.client import Api, World
from tests.posts.shapes import assert_posts

_PATIENCE_SECONDS = 30.0


def follow(who: Api, circle: BuiltCircle, *, until: int, limit: int = 100) -> list[Any]:
    """Read pages from the beginning until so many changes have come."""
    seen: list[Any] = []
    cursor = ""
    for _ in _asking():
        page = who.get(f"{circle.path}/changes?limit={limit}{cursor}").ok()
        assert ChangePage().validate(page) == {}
        seen += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
        if len(seen) >= until and not page["has_more"]:
            return seen
    raise AssertionError(f"{len(seen)} of {until} changes came: {seen}")


def _asking() -> Iterator[None]:
    began = elapsed()
    while elapsed() - began < _PATIENCE_SECONDS:
        yield
        Event().wait(0.02)


def of_posts(items: list[Any]) -> list[tuple[str, str, Any]]:
    return [
        (one["operation"], one["id"], one["item"] and one["item"]["body"]) for one in items if one["kind"] == "post"
    ]


def test_what_happens_to_a_post_is_told_in_order(world: World) -> None:
    circle = world.circle()
    member = world.member(circle)
    post = world.post(circle, body="第一版")
    circle.owner.api.patch(post.path, {"body": "第二版"}).ok()
    gone = world.post(circle, status="trashed")
    world.post(circle, status="draft")

    items = follow(member.api, circle, until=4)

    assert of_posts(items) == [
        ("created", str(post.id), "第二版"),
        ("updated", str(post.id), "第二版"),
        ("created", str(gone.id), None),
        ("deleted", str(gone.id), None),
    ]
    assert_posts(*(one["item"] for one in items if one["item"]))


def test_the_cursor_goes_on_later(world: World) -> None:
    circle = world.circle()
    first = world.post(circle)
    page = circle.owner.api.get(f"{circle.path}/changes").ok()
    follow(circle.owner.api, circle, until=1)
    page = circle.owner.api.get(f"{circle.path}/changes").ok()
    assert of_posts(page["items"])[0][1] == str(first.id)
    assert page["next_cursor"] is not None

    empty = circle.owner.api.get(f"{circle.path}/changes?cursor={page['next_cursor']}").ok()
    second = world.post(circle)
    follow(circle.owner.api, circle, until=2)
    rest = circle.owner.api.get(f"{circle.path}/changes?cursor={empty['next_cursor']}").ok()

    assert empty == {"items": [], "next_cursor": page["next_cursor"], "has_more": False}
    assert [one[1] for one in of_posts(rest["items"])] == [str(second.id)]


def test_small_pages_lose_nothing(world: World) -> None:
    circle = world.circle()
    posts = [str(world.post(circle).id) for _ in range(7)]

    assert [one[1] for one in of_posts(follow(circle.owner.api, circle, until=7, limit=3))] == posts


def test_locked_items_come_as_teasers_and_hidden_ones_not_at_all(world: World) -> None:
    circle = world.circle()
    locked = world.post(circle, body="canary-7f3a", access="学员")
    hidden = world.post(circle, body="canary-7f3a", status="hidden")

    items = follow(world.member(circle, 1).api, circle, until=3)

    teaser = next(one["item"] for one in items if one["id"] == str(locked.id))
    assert (teaser["locked"], teaser["body"]) == (True, None)
    assert all(one["item"] is None for one in items if one["id"] == str(hidden.id))
    assert "canary-7f3a" not in str(items)


def test_a_transaction_that_commits_late_is_not_skipped(world: World, units: Units) -> None:
    circle = world.circle()
    early, late = new_id(), new_id()
    with units.write() as slow:
        _record(slow, circle.id, early)
        slow.session.flush()  # holds the lower transaction id
        with units.write() as quick:
            _record(quick, circle.id, late)
        before = circle.owner.api.get(f"{circle.path}/changes").ok()
        assert str(late) not in str(before)

    after = follow(circle.owner.api, circle, until=2)
    resumed = circle.owner.api.get(f"{circle.path}/changes?cursor={before['next_cursor']}").ok()

    assert [one["id"] for one in after] == [str(early), str(late)]
    assert [one["id"] for one in resumed["items"]] == [str(early), str(late)]


def test_the_log_goes_on_after_a_restore_has_reset_transaction_ids(world: World, units: Units) -> None:
    circle = world.circle()
    restored, since = new_id(), new_id()
    with units.write() as uow:
        _record(uow, circle.id, restored, xid=2**40)
    items = follow(circle.owner.api, circle, until=1)
    cursor = circle.owner.api.get(f"{circle.path}/changes").ok()["next_cursor"]
    assert [one["id"] for one in items] == [str(restored)]

    with units.write() as uow:
        _record(uow, circle.id, since, generation=1)
    follow(circle.owner.api, circle, until=2)

    rest = circle.owner.api.get(f"{circle.path}/changes?cursor={cursor}").ok()
    assert [one["id"] for one in rest["items"]] == [str(since)]


def test_who_saw_what_a_restore_took_back_is_told_to_begin_anew(world: World, units: Units, generations: None) -> None:
    circle = world.circle()
    kept, taken_back, since = new_id(), new_id(), new_id()
    with units.write() as uow:
        _record(uow, circle.id, kept)
    follow(circle.owner.api, circle, until=1)
    older = circle.owner.api.get(f"{circle.path}/changes").ok()["next_cursor"]
    with units.write() as uow:
        _record(uow, circle.id, taken_back)
    follow(circle.owner.api, circle, until=2)
    newer = circle.owner.api.get(f"{circle.path}/changes").ok()["next_cursor"]
    with units.write() as uow:
        uow.session.execute(delete(changes.Change).where(changes.Change.item_id == taken_back))
        changes.begin_generation(uow)

    quiet = circle.owner.api.get(f"{circle.path}/changes?cursor={newer}")
    with units.write() as uow:
        _record(uow, circle.id, since)
    anew = follow(circle.owner.api, circle, until=2)
    lost = circle.owner.api.get(f"{circle.path}/changes?cursor={newer}")
    rest = circle.owner.api.get(f"{circle.path}/changes?cursor={older}").ok()

    assert (quiet.status, quiet.code) == (lost.status, lost.code) == (410, "changes_lost")
    assert [one["id"] for one in anew] == [str(kept), str(since)]
    assert [one["id"] for one in rest["items"]] == [str(since)]


def test_only_those_who_may_look_follow_a_circle(world: World, api: Api) -> None:
    hidden = world.circle(preview_policy="none")

    assert api.get(f"{hidden.path}/changes").status == 401
    assert world.person().api.get(f"{hidden.path}/changes").status == 404
    assert hidden.owner.api.get(f"{hidden.path}/changes?cursor=nonsense").code == "bad_cursor"


@pytest.fixture
def generations(units: Units) -> Iterator[None]:
    """Begin generations here: the next test's changes are of the first one again."""
    yield
    with units.write() as uow:
        uow.session.execute(text("ALTER TABLE changes ALTER COLUMN generation SET DEFAULT 0"))


def _record(uow: UnitOfWork, circle_id: UUID, post_id: UUID, **position: int) -> None:
    change = {"circle_id": circle_id, "kind": "post", "item_id": post_id, "operation": "created"}
    uow.session.add(changes.Change(**change, changed_at=uow.now, **position))
