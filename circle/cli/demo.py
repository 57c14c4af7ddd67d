"""`circle demo`: fills a running installation with a living example."""

import secrets
from pathlib import Path

import click

from circle.cli.root import DATA, circle, installation, settings_here


@circle.command()
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True)
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
    with installation(settings_here(data), clock=SharedClock(PooledConnections())) as units:
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
