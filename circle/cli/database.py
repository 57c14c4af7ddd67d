"""`circle db`: migrations. Checks and new revisions work on a scratch database, never on the installation's own."""

import os

import click

from circle.cli.root import circle, read_settings
from circle.cli.scratch import scratch_database


@circle.group()
def db() -> None:
    """Migrations."""


@db.command()
def migrate() -> None:
    """Bring DATABASE_URL's schema up to date."""
    from circle import database

    database.migrate(read_settings().database_url)


@db.command()
@click.argument("role")
def grant(role: str) -> None:
    """Let the PostgreSQL role ROLE serve, as one that owns nothing and rewrites no audit log and no ledger.

    DATABASE_URL is the owner's here; the processes get an address with ROLE. Run it after each release.
    """
    from sqlalchemy import NullPool, create_engine, text

    from circle import database

    with create_engine(read_settings().database_url, poolclass=NullPool).begin() as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
            raise click.ClickException(f'there is no role "{role}" yet: CREATE ROLE "{role}" LOGIN PASSWORD \'…\';')
        database.grant(connection, role)


@db.command()
def check() -> None:
    """Fail unless migrations are one line, go down and up again, and lead to the tables that the code declares."""
    from alembic import command
    from alembic.util import CommandError

    from circle.database import alembic_config

    _require_one_line()
    with scratch_database(os.environ.get("DATABASE_URL"), purpose="check") as url:
        config = alembic_config(url)
        command.upgrade(config, "head")
        # What a way down leaves behind stands in the next way up.
        command.downgrade(config, "base")
        command.upgrade(config, "head")
        try:
            command.check(config)
        except CommandError as error:
            raise click.ClickException(str(error)) from None


@db.command()
@click.argument("message")
def revision(message: str) -> None:
    """Write the next migration from what the code declares; read and edit it before it is used."""
    from alembic import command
    from alembic.script import ScriptDirectory

    from circle.database import alembic_config

    _require_one_line()
    with scratch_database(os.environ.get("DATABASE_URL"), purpose="check") as url:
        config = alembic_config(url)
        command.upgrade(config, "head")
        number = 1 + int(ScriptDirectory.from_config(config).get_current_head() or 0)
        command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")


@db.command()
def sql() -> None:
    """Print every migration as SQL, for linters and careful readers."""
    from alembic import command

    from circle.database import alembic_config

    command.upgrade(alembic_config("postgresql+psycopg://"), "head", sql=True)


def _require_one_line() -> None:
    from alembic.script import ScriptDirectory

    from circle.database import alembic_config, newest_revision

    scripts = ScriptDirectory.from_config(alembic_config(""))
    heads, bases = scripts.get_heads(), scripts.get_bases()
    merges = [script.revision for script in scripts.walk_revisions() if script.is_branch_point or script.is_merge_point]
    if len(heads) > 1 or len(bases) > 1 or merges:
        raise click.ClickException(f"migrations are not one line: heads {', '.join(heads)}")
    if heads != [newest_revision()]:
        raise click.ClickException(f"the newest migration is {heads[0]}, by its file's name {newest_revision()}")
