"""Exports, imports and undoing under a race: two workers on one job, edits in the middle, a worker that comes late."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from circle.archive.services import export_jobs, export_requests, import_requests, import_undoing, importing
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.uow import Units
from tests.builders.archive import folder_of
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.concurrency.conftest import Race

POSTS = 30
# Long enough for any step of a race; nothing waits for it unless a test is broken.
PATIENCE = 60


def look(units: Units, statement: str, **params: Any) -> list[Any]:
    with units.write() as uow:
        return list(uow.session.execute(text(statement), params).mappings())


def build(units: Units) -> int:
    return load_job("exports.build").run(units)


def take_out(units: Units) -> int:
    return load_job("imports.run").run(units)


@pytest.fixture
def imported(world: World, units: Units, tmp_path: Path) -> tuple[BuiltCircle, str]:
    """A circle into which thirty articles came, and the import."""
    circle = world.circle()
    world.imported(circle, folder_of(tmp_path, {f"甲/{n:02}.md": f"# {n:02}\n文" for n in range(POSTS)}))
    [row] = look(units, "SELECT id FROM imports WHERE circle_id = :c", c=circle.id)
    return circle, str(row["id"])


def titles(circle: BuiltCircle) -> set[str]:
    return {one["title"] for one in circle.owner.api.get(f"{circle.path}/posts?limit=100").ok()["items"]}


def post_ids(circle: BuiltCircle) -> dict[str, str]:
    items = circle.owner.api.get(f"{circle.path}/posts?limit=100").ok()["items"]
    return {one["title"]: one["id"] for one in items}


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], tuple[Event, Event]]]:
    """Make a step wait, the first time it is taken: returns "it has come there" and "go on"."""

    def hold(module: Any, name: str) -> tuple[Event, Event]:
        step, arrived, go_on = getattr(module, name), Event(), Event()

        def waiting(*arguments: Any, **named: Any) -> Any:
            if not arrived.is_set():
                arrived.set()
                assert go_on.wait(PATIENCE)
            return step(*arguments, **named)

        monkeypatch.setattr(module, name, waiting)
        return arrived, go_on

    return hold


def test_one_export_is_built_once_by_two_workers(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    world.post(circle, body="长文")
    asked = world.ask_export(circle.owner, circle)

    built = race.run(lambda: build(units), lambda: build(units))

    told = circle.owner.api.get(f"/exports/{asked['id']}").ok()
    assert (sorted(built), told["status"], build(units)) == ([0, 1], "ready", 0)
    assert httpx.get(told["download"]["url"]).status_code == 200


@pytest.mark.parametrize("_round", range(3))
def test_workers_that_choose_at_once_choose_different_circles(
    world: World, units: Units, race: Race, clock: ManualClock, _round: int
) -> None:
    """A circle has one export at work: where three of one wait and one of another, two workers take one of each."""
    full, other = world.circle(), world.circle()
    mine = [world.ask_export(world.member(full), full) for _ in range(3)]
    clock.advance(timedelta(seconds=1))
    last = world.ask_export(other.owner, other)

    def take_up() -> Any:
        with units.write() as uow:
            found = export_requests.find_due(uow, is_long=False)
            return found and export_requests.take_up(uow, found).circle_id

    taken = race.run(take_up, take_up, take_up)

    assert sorted(map(str, taken)) == sorted([str(full.id), str(other.id), "None"])
    # Given up with their leases, all are built, one after the other.
    clock.advance(export_requests.LEASE + timedelta(seconds=1))
    assert [build(units) for _ in range(5)] == [1, 1, 1, 1, 0]
    asked = [one["id"] for one in (*mine, last)]
    states = look(units, "SELECT status, attempts FROM exports WHERE id::text = ANY(:i)", i=asked)
    assert sorted((one["status"], one["attempts"]) for one in states) == [("ready", 1)] * 2 + [("ready", 2)] * 2


def test_a_circle_never_has_two_exports_at_work(world: World, units: Units) -> None:
    circle = world.circle()
    asked = [world.ask_export(world.member(circle), circle)["id"] for _ in range(2)]
    at_work = "UPDATE exports SET status = 'running', turn_at = now() WHERE id::text = ANY(:i)"

    with pytest.raises(IntegrityError, match="uq_exports_turn"):
        look(units, f"{at_work} RETURNING id", i=asked)
    assert [build(units) for _ in range(3)] == [1, 1, 0]


def test_of_many_requests_at_once_one_export_is_made(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    body = {"scope": "mine", "format": "markdown"}

    replies = race.many(8, lambda _n: circle.owner.api.post(f"{circle.path}/exports", body))

    assert sorted(reply.status for reply in replies) == [202, *([409] * 7)]
    assert (build(units), build(units)) == (1, 0)


def test_a_builder_that_comes_back_late_spoils_nothing(
    world: World, units: Units, race: Race, clock: ManualClock, late: Any
) -> None:
    """The first worker stands still until another has built the export: its end counts for nothing."""
    circle = world.circle()
    world.post(circle, body="长文")
    asked = world.ask_export(circle.owner, circle)
    arrived, go_on = late(export_jobs.requests, "finish")

    def after_the_lease() -> int:
        assert arrived.wait(PATIENCE)
        clock.advance(export_requests.LEASE + timedelta(seconds=1))
        built = build(units)
        go_on.set()
        return built

    built = race.run(lambda: build(units), after_the_lease)

    told = circle.owner.api.get(f"/exports/{asked['id']}").ok()
    assert (built, told["status"]) == ([1, 1], "ready")
    assert httpx.get(told["download"]["url"]).content[:2] == b"PK"
    [row] = look(units, "SELECT attempts FROM exports WHERE id = :i", i=asked["id"])
    assert row["attempts"] == 2


def test_a_second_undoing_is_the_first(imported: tuple[BuiltCircle, str], units: Units, race: Race) -> None:
    circle, import_id = imported

    replies = race.many(6, lambda _n: circle.owner.api.post(f"/imports/{import_id}/undo"))
    undone = race.run(*[lambda: take_out(units)] * 3)

    told = circle.owner.api.get(f"/imports/{import_id}").ok()
    assert {reply.status for reply in replies} == {202}
    assert (sum(undone), told["status"], told["counts"]["removed"]) == (1, "undone", POSTS)
    assert take_out(units) == 0


def test_an_undoer_that_comes_back_late_counts_nothing_twice(
    imported: tuple[BuiltCircle, str], units: Units, race: Race, clock: ManualClock, late: Any
) -> None:
    circle, import_id = imported
    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)
    arrived, go_on = late(import_undoing, "_take_out")

    def after_the_lease() -> int:
        assert arrived.wait(PATIENCE)
        clock.advance(import_requests.LEASE + timedelta(seconds=1))
        taken = take_out(units)
        go_on.set()
        return taken

    race.run(lambda: take_out(units), after_the_lease)

    told = circle.owner.api.get(f"/imports/{import_id}").ok()
    assert (told["status"], told["counts"]["removed"], titles(circle)) == ("undone", POSTS, set())


@pytest.mark.parametrize("_round", range(3))
def test_what_is_said_during_an_undoing_stays_or_was_never_said(
    imported: tuple[BuiltCircle, str], world: World, units: Units, race: Race, _round: int
) -> None:
    """An edit or a comment that was taken keeps its post; one that came too late is refused."""
    circle, import_id = imported
    posts = post_ids(circle)
    member = world.member(circle)
    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)

    _undone, edited, said, liked = race.run(
        lambda: take_out(units),
        lambda: circle.owner.api.patch(f"/posts/{posts['07']}", {"body": "改过"}),
        lambda: member.api.post(f"/posts/{posts['08']}/comments", {"body": "说得好"}),
        lambda: member.api.put(f"/posts/{posts['09']}/reactions/👍"),
    )

    assert {edited.status, said.status, liked.status} <= {200, 201, 404, 409}
    kept = {title for title, reply in (("07", edited), ("08", said), ("09", liked)) if reply.status in {200, 201}}
    told = circle.owner.api.get(f"/imports/{import_id}").ok()
    assert (titles(circle), told["status"]) == (kept, "undone")
    assert told["counts"].get("kept", 0) == len(kept)


def test_a_webhook_that_is_set_many_times_at_once_is_one(world: World, units: Units, race: Race) -> None:
    person = world.person()

    replies = race.many(6, lambda n: person.api.put("/me/webhook", {"url": f"https://bot{n}.example.org/"}))

    assert {reply.status for reply in replies} == {200}
    [hook] = look(units, "SELECT url FROM notice_hooks WHERE user_id = :u", u=person.id)
    assert hook["url"] == person.api.get("/me/webhook").ok()["url"]


def test_nothing_is_undone_while_it_still_comes_in(
    world: World, units: Units, race: Race, tmp_path: Path, late: Any
) -> None:
    circle = world.circle()
    folder = folder_of(tmp_path, {f"{n}.md": f"# {n}\n文" for n in range(5)})
    arrived, go_on = late(importing, "note_progress")

    def undo_at_once() -> Any:
        assert arrived.wait(PATIENCE)
        [row] = look(units, "SELECT id FROM imports WHERE circle_id = :c", c=circle.id)
        refused = circle.owner.api.post(f"/imports/{row['id']}/undo")
        go_on.set()
        return refused

    _tally, refused = race.run(lambda: world.imported(circle, folder), undo_at_once)

    assert (refused.status, refused.code, len(titles(circle))) == (409, "wrong_state", 5)
