"""`circle billing simulate`: a circle's life in a database that is made for it and dropped."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from circle.cli.billing import billing
from circle.cli.scratch import scratch_database
from circle.kernel.clock import elapsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circle.simulation import Life, Month

_COLUMNS = (
    ("month", 7),
    ("members", 8),
    ("joined", 7),
    ("left", 6),
    ("churn", 7),
    ("revenue", 12),
    ("renewals", 9),
    ("recovered", 10),
    ("refunds", 8),
    ("given back", 11),
    ("paid out", 12),
)


@billing.command()
@click.option("--members", type=click.IntRange(1, 20_000), default=200, show_default=True)
@click.option("--months", type=click.IntRange(1, 60), default=6, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed tells the same story.")
@click.option(
    "--server",
    help="SQLAlchemy URL of a PostgreSQL server to make the database on; without it, one is started for this command.",
)
def simulate(members: int, months: int, seed: int, server: str | None) -> None:
    """Live through a circle's life and check all rules of money after every day.

    People join, pay, cancel, pause, change, give and leave at random, over a network that loses requests and answers.
    It happens in a database that is made for it and dropped, never in the installation's own.
    """
    from circle.database import migrate
    from circle.simulation import Broken, begin, figures

    click.echo(f"{members} members, {months} months, seed {seed}")
    with scratch_database(server, purpose="simulation") as url:
        migrate(url)
        with begin(url, members=members, months=months, seed=seed) as life:
            began = elapsed()
            try:
                _watch(life)
            except Broken as broken:
                raise click.ClickException(f"broken on {broken} (seed {seed})") from None
            seconds = elapsed() - began
            _print_table(figures(life))
            _print_counts(life)
    click.echo(f"all rules held after each of {life.length} days; {life.length / seconds:.1f} days/s, {seconds:.0f} s")


def _watch(life: "Life") -> None:
    """Live, and show how far it is."""
    bar: AbstractContextManager[Iterable[object]] = click.progressbar(
        life.days(), length=life.length, label="living", item_show_func=lambda day: str(day or ""), show_pos=True
    )
    with bar as days:
        for _ in days:
            pass


def _print_table(months: "list[Month]") -> None:
    click.echo("  ".join(name.rjust(width) for name, width in _COLUMNS))
    for one in months:
        cells = (
            one.month,
            one.members,
            one.joined,
            one.left,
            f"{one.churn:.1f}%",
            f"{one.revenue / 100:,.2f}",
            one.renewals,
            one.recovered,
            one.refunds,
            f"{one.given_back / 100:,.2f}",
            f"{one.paid_out / 100:,.2f}",
        )
        click.echo("  ".join(str(cell).rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)))


def _print_counts(life: "Life") -> None:
    scene = life.scene
    for what, counts in (("done", scene.done), ("refused", scene.refused), ("provider", scene.network.happened)):
        click.echo(f"{what}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
