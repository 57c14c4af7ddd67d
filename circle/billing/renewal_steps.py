"""What the clock does to subscriptions: bill, charge, try again, remind, end. Batches, safe twice and side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from circle.billing.providers.base import Order, Outcome, Providers
from circle.billing.services import charging, collecting, ending, outcomes, reminding, renewing
from circle.billing.services.leases import BATCH, Errand
from circle.billing.states import SubscriptionStatus
from circle.config import Settings
from circle.kernel.crowd import side_by_side
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units

A = TypeVar("A")

# Rows of a batch that talks to nobody.
SET_BATCH = 500
# Answers of providers that are applied together.
_AT_A_TIME = 25


def bill(units: Units) -> int:
    """Open the renewals whose day has come, and attempts for those to be charged now."""
    with units.write() as uow:
        opened = renewing.open_due(uow, limit=SET_BATCH)
    return opened + _collect(units, collecting.AT_THE_END_OF_A_TERM)


def dun(units: Units) -> int:
    """Try again to collect what is overdue."""
    return _collect(units, collecting.OVERDUE)


def _collect(units: Units, statuses: tuple[SubscriptionStatus, ...]) -> int:
    with units.write() as uow:
        opened = collecting.open_attempts(uow, statuses, limit=SET_BATCH)
    if opened == SET_BATCH:
        # The odd ones are looked for among all that are due: once, after the others.
        return opened
    with units.read() as uow:
        odd = collecting.odd_ones(uow, limit=SET_BATCH)
    return opened + _together(units, "renewal_poison", odd, collecting.collect_odd)


def charge(units: Units) -> int:
    """Send planned charges side by side, and apply the answers as they come, some at a time."""
    with units.write() as uow:
        errands = charging.claim_charges(uow, limit=BATCH)
    threads = units.use(Settings).charge_threads
    answers: dict[str, Outcome] = {}
    for errand, outcome in side_by_side(lambda one: _send(units, one), errands, threads=threads):
        if outcome is not None:
            answers[errand.order.number] = outcome
        if len(answers) >= _AT_A_TIME:
            _apply(units, answers)
            answers = {}
    _apply(units, answers)
    return len(errands)


def _apply(units: Units, answers: Mapping[str, Outcome]) -> None:
    def apply(uow: UnitOfWork, numbers: Sequence[str]) -> list[str]:
        return outcomes.apply_each(uow, {number: answers[number] for number in numbers})

    _together(units, "charge_poison", list(answers), apply)


def _send(units: Units, errand: Errand[Order]) -> Outcome | None:
    """Ask the provider for a charge; None after an error of ours: its lease runs out, and the sweeper asks."""
    order = errand.order
    with isolated("charge_poison", number=order.number):
        return units.use(Providers).get(order.provider).charge(order)
    return None


def end(units: Units) -> int:
    """Call past due, write off or end the subscriptions whose term is over."""
    with units.read() as uow:
        closed = ending.in_closed_circles(uow, limit=SET_BATCH)
    done = _together(units, "renewal_poison", closed, ending.give_up_renewals)
    with units.read() as uow:
        over = ending.over(uow, limit=SET_BATCH)
    return done + _together(units, "ending_poison", over, ending.settle_over)


def remind(units: Units) -> int:
    """Remind of renewals, and of access that ends."""
    with units.write() as uow:
        return reminding.remind_due(uow, limit=SET_BATCH)


def _together(
    units: Units, what: str, rows: Sequence[A], act: Callable[[UnitOfWork, Sequence[A]], Sequence[A] | None]
) -> int:
    """Act on a batch in one unit of work; return how many rows are done.

    What `act` returns is left, to be done each in a unit of its own, as are all of a batch with a poison row.
    """
    if not rows:
        return 0
    left: Sequence[A] = rows
    with isolated(what, batch=len(rows)), units.write() as uow:
        left = act(uow, rows) or ()
    done = len(rows) - len(left)
    for row in left:
        with isolated(what, row=str(row)) as alone, units.write() as uow:
            act(uow, [row])
        done += alone.error is None
    return done
