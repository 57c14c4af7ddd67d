"""Importing an uploaded archive over HTTP: a worker does it, progress and report are told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from circle.archive.errors import ImportsUsedUp
from circle.archive.services import import_jobs, import_requests
from circle.config import Settings
from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from circle.kernel.queue import SilentDoorbell
from circle.media.errors import StorageFull, StorageUnavailable
from circle.media.services import quotas
from circle.media.storage import Storage
from tests.builders.archive import zip_of
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF
from tests.builders.people import Person
from tests.client import World

FILES = {"甲/一.md": "# 一\n见[二](二.md)", "甲/二.md": "# 二\n文", "甲/坏.md": "---\ntitle: a: b\n---\n"}


def uploaded(world: World, person: Person, content: bytes | None = None) -> str:
    archive = content or zip_of(FILES)
    return str(world.media(person, archive, filename="文章.zip", content_type="application/zip", purpose="import"))


def requested(world: World, circle: BuiltCircle, content: bytes | None = None, **options: Any) -> dict[str, Any]:
    body = {"media_id": uploaded(world, circle.owner, content), "format": "markdown", **options}
    answer: dict[str, Any] = circle.owner.api.post(f"{circle.path}/imports", body).ok(202)
    return answer


def work(world: World) -> int:
    return load_job("imports.run").run(world.units)


def test_an_upload_is_imported_by_the_worker_and_told(world: World, doorbell: SilentDoorbell) -> None:
    circle = world.circle()

    asked = requested(world, circle)
    assert (asked["status"], asked["total"]) == ("queued", None)
    assert "imports.run" in doorbell.rung
    assert work(world) == 1

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], told["total"], told["counts"]) == ("done", 3, {"created": 2, "failed": 1})
    assert [(one["path"], one["line"], one["code"]) for one in told["report"]] == [("甲/坏.md", 2, "front_matter")]
    assert "YAML" in told["report"][0]["message"]
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 2


def test_running_the_job_twice_imports_once(world: World) -> None:
    circle = world.circle()
    requested(world, circle)

    assert [work(world), work(world)] == [1, 0]
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 2


def test_a_rehearsal_tells_what_would_happen_and_its_upload_does_for_the_import(world: World) -> None:
    circle = world.circle()
    body = {"media_id": uploaded(world, circle.owner), "format": "markdown"}
    path = f"{circle.path}/imports"

    asked = circle.owner.api.post(path, {**body, "dry_run": True}).ok(202)
    assert [work(world), work(world)] == [1, 0]

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], told["dry_run"], told["total"]) == ("done", True, 3)
    assert told["counts"] == {"created": 2, "failed": 1}
    assert [one["path"] for one in told["report"]] == ["甲/坏.md"]
    for below in ("posts", "columns", "tags"):
        assert circle.owner.api.get(f"{circle.path}/{below}").ok()["items"] == []

    imported = circle.owner.api.post(path, body).ok(202)
    work(world)
    assert imported["dry_run"] is False
    assert circle.owner.api.get(f"/imports/{imported['id']}").ok()["counts"] == told["counts"]
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 2


def test_a_rehearsal_compares_with_what_is_there_and_can_not_be_undone(world: World) -> None:
    circle = world.circle()
    requested(world, circle)
    work(world)

    asked = requested(world, circle, dry_run=True)
    work(world)

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert told["counts"] == {"unchanged": 2, "failed": 1}
    refused = circle.owner.api.post(f"/imports/{asked['id']}/undo")
    assert (refused.code, refused.json["detail"]) == ("wrong_state", "It was a rehearsal: nothing came in.")
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 2


def test_a_rehearsal_of_what_can_not_be_read_is_refused_as_the_import_would_be(world: World) -> None:
    circle = world.circle()
    asked = requested(world, circle, zip_of({"../up.md": "坏"}), dry_run=True)

    work(world)

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], told["refusal"]) == ("failed", "It has a path that leads out of the archive.")


def test_an_archive_that_can_not_be_read_is_refused_with_a_reason(world: World) -> None:
    circle = world.circle()
    asked = requested(world, circle, zip_of({"../up.md": "坏", "ok.md": "好"}))

    work(world)

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], told["refusal"]) == ("failed", "It has a path that leads out of the archive.")
    assert circle.owner.api.get(f"{circle.path}/posts").ok()["items"] == []


def test_a_creator_who_lost_the_circle_imports_nothing(world: World) -> None:
    circle = world.circle()
    asked = requested(world, circle)
    circle.owner.api.patch(circle.path, {"closed": True}).ok()

    work(world)

    assert circle.owner.api.get(f"/imports/{asked['id']}").ok()["status"] == "failed"


def test_a_storage_that_is_away_only_delays(world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = world.circle()
    asked = requested(world, circle)
    with monkeypatch.context() as broken:
        broken.setattr(type(world.units.use(Storage)), "open", _away)
        work(world)
    assert circle.owner.api.get(f"/imports/{asked['id']}").ok()["status"] == "running"

    clock.advance(import_requests.LEASE + timedelta(seconds=1))
    work(world)

    assert circle.owner.api.get(f"/imports/{asked['id']}").ok()["status"] == "done"


def _away(*_arguments: Any) -> Any:
    raise StorageUnavailable


def test_an_import_that_breaks_its_worker_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    circle = world.circle()
    asked = requested(world, circle)
    monkeypatch.setattr(import_jobs, "do_import", _break)

    work(world)

    assert circle.owner.api.get(f"/imports/{asked['id']}").ok()["status"] == "failed"


def _break(*_arguments: Any) -> Any:
    raise ZeroDivisionError


def test_one_import_at_a_time(world: World) -> None:
    circle = world.circle()
    requested(world, circle)

    again = circle.owner.api.post(
        f"{circle.path}/imports", {"media_id": uploaded(world, circle.owner), "format": "markdown"}
    )

    assert again.code == "import_running"


def test_only_owner_and_partners_import_and_look_at_imports(world: World) -> None:
    circle = world.circle()
    partner, admin = world.member(circle, role="partner"), world.member(circle, role="admin")
    mine = {"media_id": uploaded(world, partner), "format": "markdown"}

    assert admin.api.post(f"{circle.path}/imports", mine).code == "missing_permission"
    asked = partner.api.post(f"{circle.path}/imports", mine).ok(202)
    assert circle.owner.api.get(f"/imports/{asked['id']}").status == 200
    assert admin.api.get(f"/imports/{asked['id']}").code == "missing_permission"
    assert world.circle().owner.api.get(f"/imports/{asked['id']}").status in {403, 404}


def test_somebody_elses_upload_and_other_uploads_are_refused(world: World) -> None:
    circle = world.circle()
    theirs, picture = uploaded(world, world.person()), str(world.media(circle.owner))

    for media_id in (theirs, picture):
        refused = circle.owner.api.post(f"{circle.path}/imports", {"media_id": media_id, "format": "markdown"})
        assert refused.fields == {"media_id.0": "unknown_media"}


def test_options_are_checked(world: World) -> None:
    circle, member = world.circle(), world.person()
    body = {"media_id": uploaded(world, circle.owner), "format": "markdown"}
    path = f"{circle.path}/imports"

    assert circle.owner.api.post(path, {**body, "author_id": str(member.id)}).fields == {"author_id": "unknown_author"}
    assert circle.owner.api.post(path, {**body, "kind": "question"}).status == 422
    assert circle.owner.api.post(path, {**body, "format": "word"}).status == 422
    assert circle.owner.api.post(path, {**body, "access": {"level": "tier"}}).status == 422


def test_an_import_ends_where_the_circle_is_full(world: World) -> None:
    circle = world.circle()
    with world.units.write() as uow:
        quotas.set_quota(uow, circle.id, quota=len(PDF) - 1)
    asked = requested(world, circle, zip_of({"一.md": "# 一\n[讲义](讲义.pdf)", "讲义.pdf": PDF}))

    work(world)

    told = circle.owner.api.get(f"/imports/{asked['id']}").ok()
    assert (told["status"], told["refusal"]) == ("failed", StorageFull.text.en)
    assert circle.owner.api.get(f"{circle.path}/posts").ok()["items"] == []
    assert quotas.storage_adds_up(world.units) is None


@pytest.fixture
def allowing(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let this test's installation have other quotas."""

    def allow(**quotas_of_a_day: int) -> None:
        adapters: Any = world.units.adapters
        monkeypatch.setitem(adapters, Settings, replace(adapters[Settings], **quotas_of_a_day))

    return allow


def test_a_circle_imports_so_many_bytes_a_day(
    world: World, clock: ManualClock, allowing: Callable[..., None], sql: Any
) -> None:
    circle, content = world.circle(), zip_of(FILES)
    allowing(import_bytes_a_day=len(content) * 3 // 2)
    requested(world, circle, content)
    work(world)
    again = {"media_id": uploaded(world, circle.owner, content), "format": "markdown"}

    refused = circle.owner.api.post(f"{circle.path}/imports", again)

    assert (refused.status, refused.code) == (409, "imports_used_up")
    assert len(sql("SELECT 1 FROM imports WHERE circle_id = :id", id=circle.id)) == 1
    requested(world, world.circle(), content)
    clock.advance(timedelta(hours=23, minutes=59))
    assert circle.owner.api.post(f"{circle.path}/imports", again).code == "imports_used_up"
    clock.advance(timedelta(minutes=1))
    requested(world, circle, content)


def test_a_circle_imports_so_many_posts_a_day(world: World, allowing: Callable[..., None]) -> None:
    circle = world.circle()
    allowing(import_posts_a_day=2)
    requested(world, circle)
    work(world)
    more = requested(world, circle, zip_of({"三.md": "# 三\n文"}))

    work(world)

    told = circle.owner.api.get(f"/imports/{more['id']}").ok()
    assert (told["status"], told["refusal"]) == ("failed", ImportsUsedUp.text.en)
    assert len(circle.owner.api.get(f"{circle.path}/posts").ok()["items"]) == 2


def test_a_rehearsal_uses_up_no_posts(world: World, allowing: Callable[..., None]) -> None:
    circle = world.circle()
    allowing(import_posts_a_day=0)

    asked = requested(world, circle, dry_run=True)
    work(world)

    assert circle.owner.api.get(f"/imports/{asked['id']}").ok()["status"] == "done"
