"""`circle camps`: figures of check-in camps."""

from uuid import UUID

import click

from circle.cli.root import circle, read_settings


@circle.group()
def camps() -> None:
    """Check-in camps."""


@camps.command()
@click.argument("camp_ids", nargs=-1, type=click.UUID)
def rebuild(camp_ids: tuple[UUID, ...]) -> None:
    """Derive streaks and totals anew from the days that members did; all camps unless some are named."""
    from circle.app import create_app
    from circle.checkins.services.rebuilding import rebuild_camps
    from circle.web.system import system

    with create_app(read_settings()).app_context(), system().units.write() as uow:
        changed = rebuild_camps(uow, camp_ids or None)
    click.echo(f"{changed} members' figures were not as their days say, and are now")
