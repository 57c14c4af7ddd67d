"""Migrations as a call: used at release, by tests, and by `circle db`. Alembic is loaded when it is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from alembic.config import Config

# Asked for at the start of a connection. Poolers answer that themselves, so the server has not heard of it.
DIRECT = "circle.direct"
_END_CLIENTS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'
"""
_SCRIPTS = Path(__file__).parent.parent / "migrations"


class BehindPooler(Exception):
    """Migrations lock and set what holds for their session, which a pooler would hand to others."""

    def __str__(self) -> str:
        return "migrations must reach PostgreSQL itself: DATABASE_URL names a pooler"


def require_direct(connection: Connection) -> None:
    """Errors: BehindPooler, for a connection that asked for `DIRECT` and did not get it."""
    if connection.scalar(text("SELECT current_setting(:name, true)"), {"name": DIRECT}) != "on":
        raise BehindPooler


def alembic_config(database_url: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["database_url"] = database_url
    return config


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the database's schema up to `revision`."""
    from alembic import command  # noqa: PLC0415

    command.upgrade(alembic_config(database_url), revision)


def newest_revision() -> str:
    """Return the revision that the code expects. `circle db check` holds that files are named after their revisions."""
    return max(file.stem.partition("_")[0] for file in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def present_revision(at: Connection | Session) -> str | None:
    """Return the revision that the database is at, None before the first."""
    if not at.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
        return None
    revision: str | None = at.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def grant(at: Connection, role: str) -> None:
    """Give a role what serving needs and no more.

    It owns nothing, so that it can switch off no trigger and drop no table; what is append-only it reads and adds to.
    Run again after each release: tables that came with it are covered until then by what is granted in advance.
    """
    named = at.dialect.identifier_preparer.quote(role)
    kept = at.scalars(text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'refuse_change'")).all()
    for statement in (
        # Whatever else it was given once, by hand or by a release before.
        f"REVOKE ALL ON SCHEMA public FROM {named}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {named}",
        f"GRANT USAGE ON SCHEMA public TO {named}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {named}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {named}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {named}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {named}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {named}",
        *(f"REVOKE UPDATE, DELETE ON {table} FROM {named}" for table in kept),
        # Forgotten with an account; a trigger holds that nothing else is written there.
        f"GRANT UPDATE (note) ON extensions TO {named}",
    ):
        at.execute(text(statement))


def drop_database(at: Connection, name: str) -> None:
    """Drop a database with whoever is connected to it.

    Not by FORCE, which fails where the server's autovacuum is at work in it: a plain DROP waits for that to give way.
    """
    at.execute(text(_END_CLIENTS), {"name": name})
    at.execute(text(f"DROP DATABASE IF EXISTS {at.dialect.identifier_preparer.quote(name)}"))
