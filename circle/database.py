"""Migrations as a call: used at release, by tests, and by `circle db`. Alembic is loaded when it is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).parent.parent / "migrations"


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


def newest_revision() -> str | None:
    """Return the revision that the code expects."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(alembic_config("")).get_current_head()
