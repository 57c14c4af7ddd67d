"""One cluster for the tier's tests, in network namespaces of this machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.plant import Cluster

_PROGRAMS = ("ip", "setpriv", "haproxy", "pgbouncer", "curl")


def _what_is_missing() -> str | None:
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: apt install haproxy pgbouncer iproute2)"
    probe = subprocess.run(["ip", "netns", "add", "circle-probe"], capture_output=True, check=False)  # noqa: S607
    if probe.returncode:
        return f"this machine allows no network namespaces: {probe.stderr.decode().strip()}"
    subprocess.run(["ip", "netns", "del", "circle-probe"], check=True)  # noqa: S607
    return None


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    missing = _what_is_missing()
    if missing:
        pytest.skip(f"the cluster can't be built here: {missing}")
    # Not below pytest's own folder, which its user alone may enter: PostgreSQL runs as another.
    folder = Path(tempfile.mkdtemp(prefix="circle-cluster-"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        cluster.begin()
        yield cluster
    finally:
        cluster.close()
        if "CIRCLE_KEEP" not in os.environ:
            shutil.rmtree(folder)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure past pytest."""

    def say(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", flush=True)  # noqa: T201

    return say
