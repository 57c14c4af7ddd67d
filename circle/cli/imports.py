"""`circle import`: takes over what a creator has elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from circle.cli.root import circle, installation, read_settings

if TYPE_CHECKING:
    from circle.archive.importing.sources import Source
    from circle.archive.importing.survey import Progress
    from circle.archive.services.import_batches import Tally
    from circle.kernel.uow import Units

# Nothing of the archive could be imported. Single files that could not are told, and are no failure of the command.
NOTHING_IMPORTED = 2

_HOW_FAR = {"reading": "Reading", "writing": "Writing", "comparing": "Comparing"}


class NotImported(click.ClickException):
    exit_code = NOTHING_IMPORTED


@circle.group("import")
def import_() -> None:
    """Take over an archive from elsewhere."""


@import_.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--circle", "slug", required=True, help="Slug of the circle.")
@click.option("--author", help="E-mail of the staff or guest whose posts they become; the owner unless given.")
@click.option("--access", default="members", show_default=True, help="members, preview or tier:<name>.")
@click.option("--as", "kind", type=click.Choice(["article", "talk"]), default="article", show_default=True)
@click.option("--source", default="", help="Keeps archives apart that have files of the same paths.")
@click.option("--site", default="", help="Where the articles stood: full links to it become links between posts.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
def markdown(path: Path, slug: str, *, dry_run: bool, **wanted: Any) -> None:
    """Import a folder or ZIP of Markdown files into a circle.

    A top folder becomes a column, folders below it become its sections; front matter gives title, date, author, tag(s),
    category, column, digest, draft and excerpt. Importing again changes nothing; a file that has changed becomes an
    edit of its post, unless the post was edited or trashed in the circle.

    Files that can't be imported are named with their line and do not stop the rest: the exit code is 0 then, and 2
    only if nothing could be imported.
    """
    from circle.archive.importing.sources import open_source
    from circle.kernel.errors import CircleError

    with installation(read_settings()) as units:
        try:
            with open_source(path) as archive, _shown_progress() as progress:
                tally = _import(units, archive, progress, slug=slug, dry_run=dry_run, **wanted)
        except CircleError as refusal:
            raise NotImported(_sentence(refusal)) from None
    _report(tally, dry_run=dry_run)


def _import(
    units: "Units",
    archive: "Source",
    progress: "Progress",
    *,
    slug: str,
    author: str | None,
    access: str,
    dry_run: bool,
    **options: Any,
) -> "Tally":
    from circle.archive.services import import_requests as requests
    from circle.archive.services.import_targets import find_target
    from circle.archive.services.importing import rehearse_import, run_import

    with units.read() as uow:
        target = find_target(uow, slug=slug, access=access, author=author)
        if dry_run:
            planned = requests.plan_import(uow, target.owner, target.circle_id, **target.options, **options)
            rehearsed = requests.running_of(uow, planned)
    if dry_run:
        return rehearse_import(units, rehearsed, archive, progress)
    with units.write() as uow:
        found = requests.request_import(uow, target.owner, target.circle_id, **target.options, **options)
        running = requests.take_up(uow, found.id)
    ended = False
    try:
        tally = run_import(units, running, archive, progress)
        ended = True
    finally:
        if not ended:
            # Interrupted: the next try need not wait for the lease to end.
            with units.write() as uow:
                requests.refuse(uow, found.id, requests.ABANDONED)
    return tally


@contextmanager
def _shown_progress() -> "Iterator[Progress]":
    """Yield a progress bar on a terminal, and nothing to see elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("Reading", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, description=_HOW_FAR[what], completed=done, total=total)

        yield show


def _report(tally: "Tally", *, dry_run: bool) -> None:
    from circle.archive.importing.faults import say_fault

    for told in tally.report:
        where = told["path"] if told["line"] is None else f"{told['path']}:{told['line']}"
        click.echo(f"{where}: {say_fault(told['code'], 'en', told['data'])}", err=True)
    counts = tally.counts
    summary = ", ".join(f"{counts[name]} {name}" for name in ("created", "updated", "unchanged", "skipped", "failed"))
    click.echo(f"would be: {summary}" if dry_run else summary)
    if not counts.total():
        raise NotImported("There are no Markdown files in it.")
    if counts["failed"] == counts.total():
        raise NotImported("Nothing could be imported.")


def _sentence(refusal: Any) -> str:
    errors = getattr(refusal, "errors", ())
    return "; ".join(one.text.say("en") for one in errors) or refusal.say("en")
