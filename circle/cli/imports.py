"""`circle import`: takes over what a creator has elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from circle.cli.root import circle, installation, settings_here

if TYPE_CHECKING:
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


def _choices(command: "click.decorators.FC") -> "click.decorators.FC":
    """Give a command the options that every kind of import has."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Only say what would happen."),
        click.option("--source", default="", help="Keeps archives apart that have items of the same names."),
        click.option("--access", default="members", show_default=True, help="members, preview or tier:<name>."),
        click.option("--author", help="E-mail of the staff or guest whose posts they become; the owner unless given."),
        click.option("--circle", "slug", required=True, help="Slug of the circle."),
        click.argument("path", type=click.Path(exists=True, path_type=Path)),
    ):
        command = option(command)
    return command


@import_.command()
@_choices
@click.option("--as", "kind", type=click.Choice(["article", "talk"]), default="article", show_default=True)
@click.option("--site", default="", help="Where the articles stood: full links to it become links between posts.")
def markdown(path: Path, slug: str, **wanted: Any) -> None:
    """Import a folder or ZIP of Markdown files into a circle.

    A top folder becomes a column, folders below it become its sections; front matter gives title, date, author, tag(s),
    category, column, digest, draft and excerpt; pictures and files of the archive come along. Importing again changes
    nothing; a file that has changed becomes an edit of its post, unless the post was edited or trashed in the circle.

    Files that can't be imported are named with their line and do not stop the rest: the exit code is 0 then, and 2
    only if nothing could be imported.
    """
    _run(path, "markdown", slug=slug, **wanted)


@import_.command()
@_choices
def planet(path: Path, slug: str, **wanted: Any) -> None:
    """Import what a crawler of Knowledge Planet wrote: JSON files with `topics`, a folder or a ZIP of them.

    Talks, questions with answers, comments, hashtags, digest and sticky marks come along. A topic is known by its
    topic_id: importing again changes nothing. Pictures and files come along from beside the JSON; nothing is fetched.
    """
    _run(path, "planet", slug=slug, **wanted)


@import_.command("circle")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--circle", "slug", required=True, help="Slug of a circle in which nothing has happened yet.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
def whole_circle(path: Path, slug: str, **wanted: Any) -> None:
    """Import a creator's export into an empty circle: docs/export-format.md tells what comes along."""
    _run(path, "circle", slug=slug, author=None, access="members", **wanted)


def _run(path: Path, form: str, *, dry_run: bool, **wanted: Any) -> None:
    from circle.kernel.errors import CircleError

    with installation(settings_here()) as units:
        try:
            with _shown_progress() as progress:
                tally = _import(units, path, progress, dry_run=dry_run, format=form, **wanted)
        except CircleError as refusal:
            raise NotImported(_sentence(refusal)) from None
    _report(tally, dry_run=dry_run)


def _import(
    units: "Units",
    path: Path,
    progress: "Progress",
    *,
    slug: str,
    author: str | None,
    access: str,
    dry_run: bool,
    **options: Any,
) -> "Tally":
    from circle.archive.services import import_requests as requests
    from circle.archive.services.import_formats import do_import, rehearse
    from circle.archive.services.import_targets import find_target

    with units.read() as uow:
        target = find_target(uow, slug=slug, access=access, author=author)
        if dry_run:
            planned = requests.plan_import(uow, target.owner, target.circle_id, **target.options, **options)
            rehearsed = requests.running_of(uow, planned)
    if dry_run:
        return rehearse(units, rehearsed, path, progress=progress)
    with units.write() as uow:
        found = requests.request_import(uow, target.owner, target.circle_id, **target.options, **options)
        running = requests.take_up(uow, found.id)
    ended = False
    try:
        tally = do_import(units, running, path, progress=progress)
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
        raise NotImported("There is nothing in it that can be imported.")
    if counts["failed"] == counts.total():
        raise NotImported("Nothing could be imported.")


def _sentence(refusal: Any) -> str:
    errors = getattr(refusal, "errors", ())
    return "; ".join(one.text.say("en") for one in errors) or refusal.say("en")
