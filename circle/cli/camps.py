"""`circle camps`: figures of check-in camps."""

from uuid import UUID

import click

from circle.cli.root import circle, installation, settings_here


@circle.group()
def camps() -> None:
    """Check-in camps."""


@camps.command()
@click.argument("camp_ids", nargs=-1, type=click.UUID)
def rebuild(camp_ids: tuple[UUID, ...]) -> None:
    """Derive streaks, totals and rankings anew from the days that members did; all camps unless some are named."""
    from circle.checkins.services.rebuilding import rebuild_camps

    with installation(settings_here()) as units:
        changed = rebuild_camps(units, camp_ids)
    click.echo(f"{changed} members' figures were not as their days say, and are now")
