"""Batches: rows done together in one unit of work, and errands whose answers are awaited side by side."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from circle.billing.providers.base import Outcome
from circle.billing.services.leases import LEASE, Numbered
from circle.config import Settings
from circle.kernel.clock import elapsed
from circle.kernel.crowd import side_by_side
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units

A = TypeVar("A")
N = TypeVar("N", bound=Numbered)

# Rows of a batch that talks to nobody.
SET_BATCH = 500
# Of those that lock rows which people wait for: a circle's balances, a tier's seats.
SHARED_BATCH = 100
# Answers of providers that are applied together.
_AT_A_TIME = 25
# Asking and then sending, each until its provider's time-out.
_LONGEST_ERRAND = timedelta(minutes=1)


class Stretch:
    """The time in which what is claimed from now on may be begun, so that nothing outlives its lease."""

    def __init__(self) -> None:
        self._ends = elapsed() + (LEASE - _LONGEST_ERRAND).total_seconds()

    @property
    def is_over(self) -> bool:
        return elapsed() > self._ends


def together(
    units: Units, what: str, rows: Sequence[A], act: Callable[[UnitOfWork, Sequence[A]], Sequence[A] | None]
) -> list[A]:
    """Act on a batch in one unit of work; return the rows that are done.

    What `act` returns is left, to be done each in a unit of its own, as are all of a batch with a poison row.
    """
    if not rows:
        return []
    left: Sequence[A] = rows
    with isolated(what, again=True, batch=len(rows)), units.write() as uow:
        left = act(uow, rows) or ()
    done = [row for row in rows if row not in left]
    for row in left:
        with isolated(what, row=str(row)) as alone, units.write() as uow:
            act(uow, [row])
        if alone.error is None:
            done.append(row)
    return done


def answers(
    units: Units, what: str, stretch: Stretch, claimed: Sequence[N], ask: Callable[[N], Outcome | None]
) -> Iterator[list[tuple[N, Outcome]]]:
    """Ask providers about claimed rows, side by side; yield answers as they come, some at a time.

    A row that ends in an error of ours has no answer; nor has one for which the stretch is over, because those before
    it took so long. Its lease runs out, and the sweeper asks.
    """

    def run(row: N) -> Outcome | None:
        if stretch.is_over:
            return None
        with isolated(what, number=row.number):
            return ask(row)
        return None

    answered = list[tuple[N, Outcome]]()
    for row, outcome in side_by_side(run, claimed, threads=units.use(Settings).charge_threads):
        if outcome is not None:
            answered.append((row, outcome))
        if len(answered) >= _AT_A_TIME:
            yield answered
            answered = []
    if answered:
        yield answered
