"""Races for the last space of a circle."""

from dataclasses import replace
from typing import Any

import pytest

from circle.config import Settings
from circle.jobs import load_job
from circle.kernel.uow import Units
from circle.media.services import quotas
from tests.builders.archive import zip_of
from tests.builders.media import PDF
from tests.client import World
from tests.concurrency.conftest import Race

FILE = {"filename": "讲义.pdf", "content_type": "application/pdf"}


def test_the_last_space_is_given_once(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    writers = [world.member(circle) for _ in range(8)]
    files = [str(world.media(one, PDF, **FILE)) for one in writers]
    with units.write() as uow:
        quotas.set_quota(uow, circle.id, quota=3 * len(PDF))

    def write(number: int) -> str | None:
        body = {"kind": "talk", "body": "附件", "attachments": [files[number]]}
        return writers[number].api.post(f"{circle.path}/posts", body).code

    codes = race.many(len(writers), write)

    assert sorted(map(str, codes)) == ["None"] * 3 + ["storage_full"] * 5
    with units.read() as uow:
        assert quotas.used(uow, circle.id).bytes == 3 * len(PDF)
    assert quotas.storage_adds_up(units) is None


def test_taking_and_giving_back_at_once_adds_up(world: World, units: Units, race: Race) -> None:
    circle = world.circle()
    writers = [world.member(circle) for _ in range(6)]
    files = [str(world.media(one, PDF, **FILE)) for one in writers]
    posts = [world.post(circle, one) for one in writers]

    def change(number: int) -> None:
        for shown in ([files[number]], [], [files[number]]):
            writers[number].api.patch(posts[number].path, {"attachments": shown}).ok()

    race.many(len(writers), change)

    with units.read() as uow:
        assert quotas.used(uow, circle.id).bytes == len(writers) * len(PDF)
    assert quotas.storage_adds_up(units) is None


def test_of_imports_asked_for_at_once_none_slips_past_the_days_bytes(
    world: World, units: Units, race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle, content = world.circle(), zip_of({"一.md": "# 一\n文"})
    about = {"filename": "文章.zip", "content_type": "application/zip", "purpose": "import"}
    archives = [str(world.media(circle.owner, content, **about)) for _ in range(6)]
    adapters: Any = units.adapters
    monkeypatch.setitem(adapters, Settings, replace(adapters[Settings], import_bytes_a_day=2 * len(content)))

    def ask(number: int) -> str | None:
        body = {"media_id": archives[number], "format": "markdown"}
        code = circle.owner.api.post(f"{circle.path}/imports", body).code
        load_job("imports.run").run(units)
        return code

    codes = race.many(len(archives), ask)
    codes += [ask(number) for number, code in enumerate(codes) if code is not None]

    assert codes.count(None) == 2
    assert {code for code in codes if code} <= {"import_running", "imports_used_up"}
