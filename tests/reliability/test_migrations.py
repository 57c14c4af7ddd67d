"""Every migration under traffic: beside somebody who reads for three seconds, nobody else waits for long."""

from pathlib import Path

import psycopg
import pytest
from alembic import command

from circle.database import alembic_config, migrate
from tests.reliability.site import Site
from tests.reliability.traffic import address_of, reading, reading_for_long, tables_of

pytestmark = pytest.mark.reliability

REVISIONS = sorted(file.name[:4] for file in (Path(__file__).parents[2] / "migrations/versions").glob("[0-9]*.py"))


@pytest.fixture
def url(site: Site) -> str:
    """A database in which something happened, taken back to the first revision."""
    site.members(20)
    with site.app.app_context():
        world = site.world
        circle = world.circle()
        member = world.member(circle, "学员")
        for number in range(20):
            world.comment(world.post(circle, title=f"第{number}篇", kind="article"), member)
        world.hand_in(world.assignment(circle), member)
        camp = world.camp(circle, evergreen_days=21)
        member.api.post(f"{camp.path}/join").ok()
    address = site.environ["DATABASE_URL"]
    command.downgrade(alembic_config(address), REVISIONS[0])
    return address


def test_no_migration_holds_up_readers(url: str) -> None:
    slowest = {revision: _slowest_read_during(url, revision) for revision in REVISIONS[1:]}

    told = {revision: f"{1000 * seconds:.0f} ms" for revision, seconds in slowest.items()}
    print(told)  # noqa: T201 - the tier's figure
    assert slowest.keys() == set(REVISIONS[1:])


def test_a_migration_that_waits_for_its_table_is_caught(site: Site) -> None:
    address = address_of(site.environ["DATABASE_URL"])
    tables = tables_of(address)

    def migrate_patiently() -> None:
        with reading(address, tables), reading_for_long(address, tables), psycopg.connect(address) as patient:
            patient.execute("ALTER TABLE posts ADD COLUMN mutant integer")

    with pytest.raises(psycopg.errors.LockNotAvailable):
        migrate_patiently()


def _slowest_read_during(url: str, revision: str) -> float:
    address = address_of(url)
    tables = tables_of(address)
    with reading(address, tables) as waits, reading_for_long(address, tables):
        migrate(url, revision)
    return max(waits)
