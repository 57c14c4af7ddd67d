"""An import is taken out again as a whole; what somebody has touched since stays and is named."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from circle.archive.services import import_requests
from circle.kernel.clock import ManualClock
from tests.builders.archive import folder_of
from tests.builders.circles import BuiltCircle
from tests.builders.planet import asked, page, topic
from tests.client import World

FILES = {
    "甲/一.md": "---\ntags: 写作/选题\ndigest: true\n---\n# 一\n见[二](二.md)",
    "甲/二.md": "# 二\n文",
    "乙/三.md": "---\ndraft: true\n---\n# 三\n文",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, FILES)


def last_import(sql: Any) -> str:
    return str(sql("SELECT id FROM imports ORDER BY id DESC LIMIT 1")[0]["id"])


def undo(world: World, circle: BuiltCircle, import_id: str) -> Any:
    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)
    world.run_job("imports.run")
    return circle.owner.api.get(f"/imports/{import_id}").ok()


def titles(circle: BuiltCircle) -> set[str]:
    return {one["title"] or one["body"] for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"]}


def test_nothing_of_an_untouched_import_stays(world: World, folder: Path, sql: Any) -> None:
    circle = world.circle()
    world.post(circle, title="原来就有", tags=["日记"])
    world.imported(circle, folder)

    told = undo(world, circle, last_import(sql))

    assert (told["status"], told["counts"]["removed"], told["counts"].get("kept")) == ("undone", 3, None)
    assert titles(circle) == {"原来就有"}
    paths = [one["path"] for one in circle.owner.api.get(f"{circle.path}/tags").ok()["items"]]
    assert (paths, circle.owner.api.get(f"{circle.path}/columns").ok()["items"]) == (["日记"], [])
    left = sql("SELECT count(*) AS n FROM posts WHERE import_id IS NOT NULL AND (body <> '' OR title <> '')")
    assert left[0]["n"] == 0
    actions = [one["action"] for one in circle.owner.api.get(f"{circle.path}/audit").ok()["items"]]
    assert "import.undo" in actions


def test_what_somebody_touched_stays(world: World, folder: Path, sql: Any) -> None:
    circle = world.circle()
    member = world.member(circle)
    world.imported(circle, folder)
    posts = {one["title"]: one for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"]}
    member.api.post(f"/posts/{posts['一']['id']}/comments", {"body": "说得好"}).ok(201)

    told = undo(world, circle, last_import(sql))

    assert (told["counts"]["removed"], told["counts"]["kept"], titles(circle)) == (2, 1, {"一"})
    assert [one["code"] for one in told["report"]] == ["changed_since"]
    assert [one["name"] for one in circle.owner.api.get(f"{circle.path}/columns").ok()["items"]] == ["甲"]


def test_what_was_undone_can_be_imported_again(world: World, folder: Path, sql: Any) -> None:
    circle = world.circle()
    world.imported(circle, folder)
    addresses = {one["id"] for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"]}
    undo(world, circle, last_import(sql))

    again = world.imported(circle, folder)

    assert again.counts["created"] == 3
    assert {one["id"] for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"]} == addresses
    one = next(one for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"] if one["title"] == "一")
    assert (one["tags"], one["digest"]) == (["写作/选题"], True)


def test_topics_with_answers_and_comments_go_too(world: World, tmp_path: Path, sql: Any) -> None:
    circle = world.circle()
    topics = page(
        [asked(1, "问", "答", show_comments=[{"comment_id": 1, "text": "好"}]), topic(2), asked(3, "后改", "旧答")]
    )
    archive = folder_of(tmp_path, {"1.json": topics})
    world.imported(circle, archive, format="planet")
    edited = next(one for one in circle.owner.api.get(f"{circle.path}/posts").ok()["items"] if "后改" in one["body"])
    circle.owner.api.patch(f"/posts/{edited['id']}/answer", {"body": "新答"}).ok()

    told = undo(world, circle, last_import(sql))

    assert (told["counts"]["removed"], told["counts"]["kept"]) == (2, 1)
    assert sql("SELECT count(*) AS n FROM comments")[0]["n"] == 0
    assert world.imported(circle, archive, format="planet").counts["created"] == 2


def test_undoing_twice_or_killed_in_the_middle_is_one_undoing(
    world: World, folder: Path, sql: Any, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    world.imported(circle, folder)
    import_id = last_import(sql)
    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)
    circle.owner.api.post(f"/imports/{import_id}/undo").ok(202)
    with monkeypatch.context() as broken:
        broken.setattr("circle.archive.services.import_undoing._finish", _die)
        with pytest.raises(KeyboardInterrupt):
            world.run_job("imports.run")
    assert world.run_job("imports.run") == 0

    clock.advance(import_requests.LEASE + timedelta(seconds=1))
    assert [world.run_job("imports.run"), world.run_job("imports.run")] == [1, 0]

    told = circle.owner.api.get(f"/imports/{import_id}").ok()
    assert (told["status"], told["counts"]["removed"]) == ("undone", 3)


def _die(*_arguments: Any) -> Any:
    raise KeyboardInterrupt


def test_nothing_else_is_imported_meanwhile(world: World, folder: Path, sql: Any) -> None:
    circle = world.circle()
    world.imported(circle, folder)
    circle.owner.api.post(f"/imports/{last_import(sql)}/undo").ok(202)
    about = {"filename": "a.zip", "content_type": "application/zip", "purpose": "import"}
    media_id = str(world.media(circle.owner, b"PK\x05\x06" + bytes(18), **about))

    again = circle.owner.api.post(f"{circle.path}/imports", {"format": "markdown", "media_id": media_id})

    assert again.code == "import_running"


def test_only_who_may_import_may_undo(world: World, folder: Path, sql: Any) -> None:
    circle = world.circle()
    admin = world.member(circle, role="admin")
    world.imported(circle, folder)

    assert admin.api.post(f"/imports/{last_import(sql)}/undo").code == "missing_permission"
