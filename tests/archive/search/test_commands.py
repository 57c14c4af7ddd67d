"""`circle search reindex` and `circle search evaluate`, as they are typed."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from circle.app import create_app
from circle.archive.search.indexing import owe
from circle.archive.search.models import Owed
from circle.cli import circle as command
from circle.config import Settings
from circle.embedded import Engines
from circle.web.connections import close_connections
from circle.web.system import system
from tests.archive.search.looking import catch_up, found
from tests.client import World
from tests.conftest import SECRET
from tests.databases import worker_database

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def environ(engines: Engines, worker_id: str) -> Iterator[dict[str, str]]:
    with worker_database(engines.database_url, f"{worker_id}_search") as url:
        yield {**engines.environ(), "DATABASE_URL": url, "SECRET_KEY": SECRET, "LOG_LEVEL": "error"}


@pytest.fixture
def real(environ: dict[str, str]) -> Iterator[World]:
    """A world that is committed, in a database of the command's own."""
    app = create_app(Settings.from_env(environ))
    with app.app_context():
        yield World(app, system().units)
        close_connections()


@pytest.fixture
def run(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(command, ("search", *arguments))


def test_the_index_is_made_anew_and_a_stopped_run_is_taken_up(real: World, run: Run) -> None:
    circle = real.circle()
    posts = [real.post(circle, title="灯塔", body=f"第{n}座灯塔") for n in range(3)]
    catch_up(real.units)
    with real.units.write() as uow:
        owe(uow, Owed.POST, [posts[0].id])

    resumed, whole = run("reindex", "--processes", "1"), run("reindex", "--processes", "1")

    assert resumed.exit_code == whole.exit_code == 0
    assert "Going on with 1 that are left" in resumed.output
    assert whole.output.startswith("3 texts")
    assert len(found(circle.owner, "灯塔", circle)) == 3


def test_recall_and_precision_are_printed(real: World, run: Run) -> None:
    circle = real.circle()
    real.post(circle, kind="article", title="Java 线程池详解", body="线程池的用法,以及垃圾回收。")
    catch_up(real.units)

    told = run("evaluate", "--circle", circle.slug, "--strings", "5")

    assert told.exit_code == 0, told.output
    assert told.output.startswith("recall 1.0000: 5 of 5")
    assert "1.00   1 of  1,   1 answer it  线程池" in told.output
    assert "–   0 of  0,   0 answer it  类加载" in told.output
    assert "precision@10 1.00 over 1 of 26 queries" in told.output
    assert run("evaluate", "--circle", "nowhere").exit_code == 1
