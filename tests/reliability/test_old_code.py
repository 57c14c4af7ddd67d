"""The release before a migration goes on serving while it runs and after it: nobody gets an error.

The release before is the parent of the commit that brought the migration, taken from the project's own history.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from urllib.error import HTTPError, URLError

import pytest
from alembic import command

from circle.database import alembic_config, migrate
from circle.embedded.datafolder import random_free_port
from tests.reliability.fleet import STOP_SECONDS
from tests.reliability.site import PATIENCE_SECONDS, Site
from tests.reliability.sizes import SIZES
from tests.reliability.test_migrations import REVISIONS
from tests.reliability.traffic import address_of, reading_for_long, tables_of

pytestmark = pytest.mark.reliability

ROOT = Path(__file__).parents[2]
# Those before were made while nothing had been released yet, several in one commit.
SINCE = "0012"
_AFTERWARDS_SECONDS = 2.0
# Run by the old code: somebody with a post in a circle, told as JSON.
_SOMEBODY = """
import json
from circle.app import create_app
from circle.config import Settings
from circle.kernel.queue import SilentDoorbell
from tests.client import World
app = create_app(Settings.from_env(), doorbell=SilentDoorbell())
with app.app_context():
    world = World(app, app.extensions["circle"].units)
    circle = world.circle()
    post = world.post(circle)
    print(json.dumps({"token": circle.owner.token, "circle": circle.path, "post": post.path}))
"""


def git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603, S607 - ours


@pytest.fixture
def old_code(revision: str, tmp_path: Path) -> Path:
    """The tree of the release before a migration."""
    missing = "the history that has the release before is not here"
    if not (ROOT / ".git").exists() or git("rev-parse", "--is-shallow-repository").strip() == b"true":
        pytest.skip(missing)
    brought = git("log", "--diff-filter=A", "--format=%H", "--", f"migrations/versions/{revision}_*.py").split()
    if not brought:
        pytest.skip(missing)
    tree = tmp_path / "before"
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{brought[-1].decode()}^"))) as packed:
        packed.extractall(tree, filter="data")
    return tree


@pytest.mark.parametrize("revision", [one for one in REVISIONS if one >= SINCE][-SIZES.old_releases :])
def test_the_release_before_goes_on_serving(site: Site, old_code: Path, revision: str) -> None:
    url = site.environ["DATABASE_URL"]
    command.downgrade(alembic_config(url), REVISIONS[REVISIONS.index(revision) - 1])
    environ = {
        **os.environ,
        **site.environ,
        "PYTHONPATH": str(old_code),
        "PORT": str(random_free_port("127.0.0.1")),
        "WEB_WORKERS": "1",
    }

    told = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", _SOMEBODY], cwd=old_code, env=environ, check=True, capture_output=True, text=True
    )
    with serving(old_code, environ) as base, visiting(base, json.loads(told.stdout)) as answers:
        address = address_of(url)
        with reading_for_long(address, tables_of(address)):
            migrate(url, revision)
        time.sleep(_AFTERWARDS_SECONDS)

    print(dict(answers))  # noqa: T201 - the tier's figure
    assert answers.keys() == {200, 201}


@contextmanager
def serving(tree: Path, environ: dict[str, str]) -> Iterator[str]:
    """Serve by the code of a tree; yields the address."""
    base = f"http://127.0.0.1:{environ['PORT']}"
    words = [sys.executable, "-c", "from circle.cli import main; main()", "web"]
    web = subprocess.Popen(words, cwd=tree, env=environ)  # noqa: S603 - our own code
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _status(f"{base}/healthz") != 200:
            assert web.poll() is None, "the release before does not start"
            assert time.monotonic() < deadline, "the release before does not serve"
            time.sleep(0.1)
        yield base
    finally:
        web.terminate()
        web.wait(STOP_SECONDS)


@contextmanager
def visiting(base: str, somebody: dict[str, str]) -> Iterator[Counter[int]]:
    """Read and post all the time; yields how often each status was answered."""
    answers: Counter[int] = Counter()
    over = Event()
    here, post = f"{base}/v1{somebody['circle']}", f"{base}/v1{somebody['post']}"
    wanted = ((f"{here}/posts", None), (post, None), (f"{here}/posts", {"kind": "talk", "body": "一句话"}))

    def visit() -> list[int]:
        seen = []
        while not over.is_set():
            seen += [_status(url, somebody["token"], body) for url, body in wanted]
        return seen

    with ThreadPoolExecutor() as threads:
        visits = [threads.submit(visit) for _ in range(2)]
        try:
            yield answers
        finally:
            over.set()
    for one in visits:
        answers.update(one.result())


def _status(url: str, token: str = "", body: dict[str, str] | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, sent, headers)) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except HTTPError as refused:
        return refused.code
    except URLError:
        return 0
