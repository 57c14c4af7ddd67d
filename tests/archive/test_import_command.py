"""`circle import markdown`: what it says, what it does, and with which exit code."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from circle.app import create_app
from circle.cli import circle as command
from circle.config import Settings
from circle.embedded import Engines
from circle.kernel.uow import Units
from circle.web.connections import close_connections
from circle.web.system import system
from tests.builders.archive import folder_of, zip_of
from tests.builders.circles import BuiltCircle
from tests.client import World
from tests.conftest import SECRET
from tests.databases import worker_database

Run = Callable[..., Result]
FILES = {"甲/一.md": "# 一\n见[二](二.md)", "甲/二.md": "---\ntags: 标签\n---\n# 二\n文"}


@pytest.fixture(scope="module")
def environ(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    with worker_database(engines.database_url, f"{worker_id}_import") as url:
        yield {**engines.environ(), "DATABASE_URL": url, "SECRET_KEY": SECRET, "LOG_LEVEL": "error"}


@pytest.fixture
def real(environ: dict[str, str]) -> Iterator[tuple[World, BuiltCircle]]:
    """A circle that is committed, in a database of the command's own."""
    app = create_app(Settings.from_env(environ))
    with app.app_context():
        units: Units = system().units
        world = World(app, units)
        yield world, world.circle()
        close_connections()


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(command, ("import", "markdown", *arguments), env=environ)

    return invoke


def titles(circle: BuiltCircle) -> list[str]:
    return sorted(post["title"] for post in circle.owner.api.get(f"{circle.path}/posts").ok()["items"])


def test_a_zip_is_imported_once(run: Run, real: tuple[World, BuiltCircle], tmp_path: Path) -> None:
    _world, circle = real
    archive = tmp_path / "笔记.zip"
    archive.write_bytes(zip_of(FILES))

    first = run(str(archive), "--circle", circle.slug, "--access", "tier:学员", "--as", "talk")
    again = run(str(archive), "--circle", circle.slug)

    assert (first.exit_code, first.stdout) == (0, "2 created, 0 updated, 0 unchanged, 0 skipped, 0 failed\n")
    assert (again.exit_code, again.stdout) == (0, "0 created, 0 updated, 2 unchanged, 0 skipped, 0 failed\n")
    items = circle.owner.api.get(f"{circle.path}/posts").ok()["items"]
    assert {(post["kind"], post["required_tier"]["name"]) for post in items} == {("talk", "学员")}


def test_a_rehearsal_writes_nothing(run: Run, real: tuple[World, BuiltCircle], tmp_path: Path) -> None:
    _world, circle = real
    folder = folder_of(tmp_path, FILES)

    rehearsed = run(str(folder), "--circle", circle.slug, "--dry-run")

    assert rehearsed.stdout == "would be: 2 created, 0 updated, 0 unchanged, 0 skipped, 0 failed\n"
    assert titles(circle) == []
    assert circle.owner.api.get(f"{circle.path}/columns").ok()["items"] == []


def test_a_bad_file_is_named_and_the_rest_comes_in(run: Run, real: tuple[World, BuiltCircle], tmp_path: Path) -> None:
    _world, circle = real
    folder = folder_of(tmp_path, {**FILES, "坏.md": "---\ntitle: a: b\n---\n文"})

    result = run(str(folder), "--circle", circle.slug)

    assert result.exit_code == 0
    assert "坏.md:2: The front matter is not valid YAML: mapping values are not allowed here." in result.stderr
    assert result.stdout == "2 created, 0 updated, 0 unchanged, 0 skipped, 1 failed\n"
    assert titles(circle) == ["一", "二"]


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({"坏.md": b"\xff\xff"}, {}, "Nothing could be imported."),
        ({"图.png": b"x"}, {}, "There is nothing in it that can be imported."),
        (FILES, {"--circle": "nowhere"}, "There is no circle 'nowhere'"),
        (FILES, {"--access": "tier:没有"}, "There is no such access 'tier:没有'"),
        (FILES, {"--author": "nobody@example.org"}, "There is no account 'nobody@example.org'"),
    ],
)
def test_what_can_not_be_imported_at_all_is_said_and_is_exit_code_2(
    run: Run,
    real: tuple[World, BuiltCircle],
    tmp_path: Path,
    files: dict[str, str],
    options: dict[str, str],
    said: str,
) -> None:
    _world, circle = real
    chosen = {"--circle": circle.slug, **options}

    result = run(str(folder_of(tmp_path, files)), *(word for option in chosen.items() for word in option))

    assert result.exit_code == 2
    assert said in result.stderr
    assert titles(circle) == []


def test_what_is_no_zip_is_refused(run: Run, real: tuple[World, BuiltCircle], tmp_path: Path) -> None:
    _world, circle = real
    (tmp_path / "a.zip").write_bytes(b"nothing")

    result = run(str(tmp_path / "a.zip"), "--circle", circle.slug)

    assert (result.exit_code, "It is not a valid ZIP file." in result.stderr) == (2, True)


def test_an_interrupted_import_can_be_tried_again_at_once(
    run: Run, real: tuple[World, BuiltCircle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _world, circle = real
    folder = folder_of(tmp_path, FILES)
    with monkeypatch.context() as broken:
        broken.setattr("circle.archive.services.importing.renumber", _interrupt)
        assert run(str(folder), "--circle", circle.slug).exit_code != 0

    assert run(str(folder), "--circle", circle.slug).stdout.startswith("0 created, 0 updated, 2 unchanged")


def _interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt
