"""`circle demo`: fills a running installation with a living example."""

import os
import secrets
from pathlib import Path

import click

from circle.cli.root import circle, installation
from circle.config import SettingError, Settings

# What `circle up` calls each engine's keys in its data folder.
_SECRETS = {"SECRET_KEY": "secret_key", "S3_ACCESS_KEY": "s3_access_key", "S3_SECRET_KEY": "s3_secret_key"}
_ADDRESSES = {
    "DATABASE_URL": "database_url",
    "REDIS_URL": "redis_url",
    "S3_ENDPOINT": "s3_endpoint",
    "SITE_URL": "base_url",
}


@circle.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path(".data/up"), show_default=True)
@click.option("--archive", type=click.Path(exists=True, path_type=Path), help="Markdown to import, folder or ZIP.")
@click.option("--members", type=click.IntRange(30, 1000), default=200, show_default=True)
def demo(data: Path, archive: Path | None, members: int) -> None:
    """Fill an installation with an example: a circle with tiers, members in all states, weeks of life, an archive.

    It is the one that runs from the data folder, else the one that the environment names. A second run changes nothing.
    """
    from circle.demo.filling import EMAIL, fill, find
    from circle.embedded.datafolder import DataFolder
    from circle.kernel.shared_clock import SharedClock
    from circle.web.connections import PooledConnections

    # Time as the installation sees it, also where test mode has moved it; the payment provider's, too.
    with installation(_settings(data), clock=SharedClock(PooledConnections())) as units:
        there = find(units)
        if there is not None:
            click.echo(f"The example is there already: {there.members} members, {there.posts} posts.")
            return
        password = secrets.token_urlsafe(12)
        filled = fill(units, password=password, count=members, archive=archive)
    line = f"{EMAIL}  {password}"
    DataFolder(data).write_json("demo.json", {"login": [line]})
    click.echo(f"The example is ready: {filled.members} members, {filled.posts} posts.")
    click.echo(f"Log in as {line}")


def _settings(data: Path) -> Settings:
    """Return the settings of the installation that runs from this folder, else those of the environment."""
    from circle.embedded.datafolder import DataFolder

    environ = {"LOG_LEVEL": "error", **os.environ}
    if (data / "run.json").exists():
        folder = DataFolder(data)
        running = folder.read_json("run.json")
        keys = {name: folder.secret(key) for name, key in _SECRETS.items()}
        environ = {**keys, **environ, **{name: running[key] for name, key in _ADDRESSES.items()}}
    elif "DATABASE_URL" not in environ:
        raise click.ClickException(f"Nothing runs from {data}: start it first, with `make up`.")
    try:
        return Settings.from_env(environ)
    except SettingError as error:
        raise click.ClickException(str(error)) from None
