"""Every test of this tier has an installation of its own: a fresh database on engines that may be stopped."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from circle.embedded import Engines, start_engines, stop_engines
from tests.conftest import SECRET
from tests.databases import worker_database
from tests.reliability.fleet import MONEY, Fleet
from tests.reliability.site import Site

# Money needs no object storage.
NEEDED = frozenset({"postgres", "valkey"})
_NO_STORAGE = {"S3_ENDPOINT": "http://127.0.0.1:9", "S3_ACCESS_KEY": "none", "S3_SECRET_KEY": "none"}


@pytest.fixture(scope="session")
def mortal_engines() -> Iterator[Engines]:
    """Engines that keep what they promised when they are stopped at once."""
    with tempfile.TemporaryDirectory(prefix="circle-reliability-") as folder:
        try:
            yield start_engines(Path(folder), durable=True, which=NEEDED)
        finally:
            stop_engines(Path(folder))


@pytest.fixture(scope="session")
def mortal_storage() -> Iterator[Engines]:
    """An object storage that may be stopped."""
    with tempfile.TemporaryDirectory(prefix="circle-reliability-s3-") as folder:
        try:
            yield start_engines(Path(folder), which=frozenset({"s3"}))
        finally:
            stop_engines(Path(folder))


@pytest.fixture
def site(mortal_engines: Engines, worker_id: str, tmp_path: Path) -> Iterator[Site]:
    # The test before may have started them anew: these are other processes then.
    alive = start_engines(mortal_engines.data_dir, which=NEEDED)
    with worker_database(alive.database_url, f"{worker_id}_reliability") as url:
        here = Site(alive, _environ(alive, url), tmp_path)
        yield here
        here.close()


@pytest.fixture
def fleet_of(site: Site) -> Iterator[Callable[..., Fleet]]:
    """Start a fleet; settings of its processes are given as keywords in upper case."""
    with ExitStack() as running:

        def start(
            *, crews: int = 3, mutant: str = "none", rung: Mapping[str, tuple[str, ...]] = MONEY, **environ: str
        ) -> Fleet:
            fleet = Fleet({**site.environ, **environ}, site.folder, crews=crews, mutant=mutant, rung=rung)
            running.callback(fleet.stop)
            return fleet

        yield start


def _environ(engines: Engines, url: str) -> dict[str, str]:
    return {
        **engines.environ(),
        **_NO_STORAGE,
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET,
        "SITE_URL": "http://circle.test",
        "TEST_MODE": "on",
        "RATE_LIMITS": "off",
        # Thousands renew on one day here: not what the breaker should stop.
        "USUAL_CHARGES": "1000000",
        "MAIL_URL": "mailbox:",
        "SMS_URL": "mailbox:",
        "LOG_LEVEL": "warning",
        # As many as deliver webhooks to this process at one moment.
        "WEB_THREADS": "20",
    }
