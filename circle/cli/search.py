"""`circle search`: makes the index anew, and tells how good search is."""

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click

from circle.cli.root import circle, installation, settings_here

if TYPE_CHECKING:
    from circle.kernel.uow import Units

_LOOK_EVERY_SECONDS = 0.5
# A process of its own runs the hidden command `circle search work`.
_WORK = (sys.executable, "-c", "from circle.cli import main; main()", "search", "work")


@circle.group()
def search() -> None:
    """The index of everything that was written."""


@search.command()
@click.option("--processes", default=2, show_default=True, help="How many work on it beside the workers.")
@click.option("--anew", is_flag=True, help="Begin anew, even if an earlier run was stopped half-way.")
def reindex(processes: int, *, anew: bool) -> None:
    """Make the index anew, beside traffic.

    Stop it whenever you like: what is left is done by the workers, and the next run goes on with it.
    """
    from circle.archive.search.rebuilding import count_owed, owe_everything

    with installation(settings_here()) as units:
        with units.read() as uow:
            left = count_owed(uow)
        if left and not anew:
            click.echo(f"Going on with {left:,} that are left.")
        else:
            with units.write() as uow:
                owe_everything(uow)
            with units.read() as uow:
                left = count_owed(uow)
        began = time.monotonic()
        _show_progress(units, left, [subprocess.Popen(_WORK) for _ in range(processes)])  # noqa: S603 - our own words
        seconds = time.monotonic() - began
        click.echo(f"{left:,} texts in {seconds:.1f} s, {left / seconds:,.0f} a second")


@search.command(hidden=True)
def work() -> None:
    """Index what is owed until nothing is left."""
    from circle.archive.search.catching_up import catch_up

    with installation(settings_here()) as units:
        catch_up(units)


def _show_progress(units: "Units", total: int, running: "list[subprocess.Popen[bytes]]") -> None:
    """Show on a terminal how much is left, until all processes have ended."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from circle.archive.search.rebuilding import count_owed

    console = Console(stderr=True)
    columns = (TextColumn("Indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("", total=total)
        while any(one.poll() is None for one in running):
            if console.is_terminal:
                with units.read() as uow:
                    bars.update(task, completed=max(0, total - count_owed(uow)))
            time.sleep(_LOOK_EVERY_SECONDS)
    if any(one.returncode for one in running):
        raise click.ClickException("A process failed; what is left stays due, and the next run goes on with it.")


@search.command()
@click.option("--circle", "slug", required=True, help="Slug of the circle.")
@click.option("--strings", default=300, show_default=True, help="Strings of two characters to look for.")
@click.option("--seed", default=1, show_default=True)
def evaluate(slug: str, strings: int, seed: int) -> None:
    """Print recall and precision over what is in a circle, searched as its owner.

    Recall is against a scan of the texts; precision by a list of queries over JavaGuide, which has to be imported.
    """
    from circle.archive.search.evaluation import FIRST, judge_queries, mean_precision, measure_recall
    from circle.archive.services.import_targets import find_target
    from circle.kernel.errors import CircleError

    with installation(settings_here()) as units, units.read() as uow:
        try:
            target = find_target(uow, slug=slug, access="members", author=None)
        except CircleError as refusal:
            raise click.ClickException(refusal.say("en")) from None
        owner_id = target.owner.user_id
        recall = measure_recall(uow, owner_id, target.circle_id, strings=strings, seed=seed)
        judged = list(judge_queries(uow, owner_id, target.circle_id))
    click.echo(f"recall {recall.share:.4f}: {recall.found:,} of {recall.standing:,}, seed {seed}")
    for missed in recall.missed:
        click.echo(f"  not all found: {missed}")
    for one in judged:
        precision = "   –" if one.precision is None else f"{one.precision:.2f}"
        click.echo(f"  {precision}  {one.answering:>2} of {one.shown:>2}, {one.standing:>3} answer it  {one.query}")
    answered = sum(one.precision is not None for one in judged)
    click.echo(f"precision@{FIRST} {mean_precision(judged):.2f} over {answered} of {len(judged)} queries")
