"""Exports and imports give way: a long one goes over to the line of the long, and circles take turns there and here."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from circle.archive.services import importing, turns
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from tests.builders.archive import zip_of
from tests.builders.circles import BuiltCircle
from tests.client import World

FILES = {f"{n}.md": f"# {n}\n文" for n in range(6)}
NO_TIME = timedelta(seconds=-1)


def asked(world: World, circle: BuiltCircle, files: dict[str, str] | None = None) -> Any:
    about = {"filename": "文章.zip", "content_type": "application/zip", "purpose": "import"}
    archive = str(world.media(circle.owner, zip_of(files or FILES), **about))
    return circle.owner.api.post(f"{circle.path}/imports", {"media_id": archive, "format": "markdown"}).ok(202)


def told(circle: BuiltCircle, one: Any, kind: str = "imports") -> Any:
    return circle.owner.api.get(f"/{kind}/{one['id']}").ok()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have time be up at the first look, and batches be of two files."""

    def hurry(*lines: str) -> None:
        for line in ("SHORT", "SLICE"):
            monkeypatch.setattr(turns, line, NO_TIME if line in lines else timedelta(days=1))
        monkeypatch.setattr(importing, "BATCH", 2)

    return hurry


def test_an_import_that_takes_long_goes_on_in_the_line_of_the_long(
    world: World, hurried: Callable[..., None], doorbell: SilentDoorbell, clock: ManualClock
) -> None:
    hurried("SHORT")
    circle = world.circle()
    one = asked(world, circle)

    assert [world.run_job("imports.run"), world.run_job("imports.run")] == [1, 0]
    assert told(circle, one)["status"] == "running"
    assert "hauls.run_import" in doorbell.rung
    clock.advance(timedelta(seconds=1))
    assert [world.run_job("hauls.run_import"), world.run_job("hauls.run_import")] == [1, 0]

    assert (told(circle, one)["status"], told(circle, one)["counts"]) == ("done", {"created": 6, "failed": 0})


def test_long_imports_give_way_to_each_other_and_count_as_if_they_had_not(
    world: World, hurried: Callable[..., None], clock: ManualClock
) -> None:
    hurried("SHORT", "SLICE")
    circles = [world.circle(), world.circle()]
    imports = [asked(world, circle) for circle in circles]
    for _circle in circles:
        world.run_job("imports.run")
        clock.advance(timedelta(seconds=1))

    shares = []
    while world.run_job("hauls.run_import"):
        clock.advance(timedelta(seconds=1))
        shares.append([told(*one)["counts"].get("created", 0) for one in zip(circles, imports, strict=True)])

    assert shares[:2] == [[2, 0], [2, 2]], "each has a batch, then it is the other's turn"
    assert [told(*one)["counts"] for one in zip(circles, imports, strict=True)] == [{"created": 6, "failed": 0}] * 2
    assert {len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) for circle in circles} == {6}


def test_an_import_alone_in_its_line_gives_way_to_nobody(
    world: World, hurried: Callable[..., None], clock: ManualClock
) -> None:
    hurried("SHORT", "SLICE")
    circle = world.circle()
    one = asked(world, circle)
    world.run_job("imports.run")

    assert world.run_job("hauls.run_import") == 1
    assert told(circle, one)["status"] == "done"


def test_an_undoing_gives_way_and_goes_on(
    world: World, hurried: Callable[..., None], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circle.archive.services.import_undoing.BATCH", 2)
    circle = world.circle()
    one = asked(world, circle)
    world.run_job("imports.run")
    circle.owner.api.post(f"/imports/{one['id']}/undo").ok(202)
    hurried("SHORT")

    assert [world.run_job("imports.run"), world.run_job("imports.run")] == [1, 0]
    assert (told(circle, one)["status"], told(circle, one)["counts"]["removed"]) == ("undoing", 2)
    clock.advance(timedelta(seconds=1))
    assert [world.run_job("hauls.run_import"), world.run_job("hauls.run_import")] == [1, 0]

    assert (told(circle, one)["status"], told(circle, one)["counts"]["removed"]) == ("undone", 6)


def test_a_large_archive_stands_with_the_long_at_once(
    world: World, doorbell: SilentDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circle.archive.services.import_requests.LARGE_BYTES", 1)
    circle = world.circle()

    one = asked(world, circle)

    assert doorbell.rung[-1] == "hauls.run_import"
    assert [world.run_job("imports.run"), world.run_job("hauls.run_import")] == [0, 1]
    assert told(circle, one)["status"] == "done"


def test_an_export_that_takes_long_is_begun_anew_with_the_long(
    world: World, hurried: Callable[..., None], doorbell: SilentDoorbell
) -> None:
    hurried("SHORT")
    circle = world.circle()
    world.post(circle, body="长文")
    one = world.ask_export(circle.owner, circle)

    assert [world.run_job("exports.build"), world.run_job("exports.build")] == [1, 0]
    assert told(circle, one, "exports")["status"] == "queued"
    assert "hauls.build_export" in doorbell.rung
    assert [world.run_job("hauls.build_export"), world.run_job("hauls.build_export")] == [1, 0]

    assert told(circle, one, "exports")["status"] == "ready"


def test_a_circle_with_many_exports_has_one_turn_of_each_round(world: World, clock: ManualClock) -> None:
    full, other = world.circle(), world.circle()
    members = [world.member(full) for _ in range(3)]
    first = [(full, world.ask_export(one, full), one) for one in members]
    clock.advance(timedelta(seconds=1))
    last = [(other, world.ask_export(other.owner, other), other.owner)]

    ready: list[str] = []
    while world.run_job("exports.build"):
        clock.advance(timedelta(seconds=1))
        for _circle, one, person in [*first, *last]:
            if person.api.get(f"/exports/{one['id']}").ok()["status"] == "ready" and one["id"] not in ready:
                ready.append(one["id"])

    assert ready.index(last[0][1]["id"]) == 1
    assert len(ready) == 4
