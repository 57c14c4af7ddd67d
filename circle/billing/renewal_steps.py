"""What the clock does to subscriptions: bill, charge, try again, remind, end. Batches, safe twice and side by side."""

from circle.billing import steps
from circle.billing.batches import SET_BATCH, Stretch, together
from circle.billing.services import charging, collecting, ending, reminding, renewing
from circle.billing.services.leases import BATCH
from circle.billing.states import SubscriptionStatus
from circle.kernel.uow import Units


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
    return opened + len(together(units, "renewal_poison", odd, collecting.collect_odd))


def charge(units: Units) -> int:
    """Send planned charges side by side, and apply the answers as they come, some at a time."""
    stretch = Stretch()
    with units.write() as uow:
        errands = charging.claim_charges(uow, limit=BATCH)
    steps.settle(units, "charge_poison", stretch, errands)
    return len(errands)


def end(units: Units) -> int:
    """Call past due, write off or end the subscriptions whose term is over."""
    with units.read() as uow:
        closed = ending.in_closed_circles(uow, limit=SET_BATCH)
    done = together(units, "renewal_poison", closed, ending.give_up_renewals)
    with units.read() as uow:
        over = ending.over(uow, limit=SET_BATCH)
    return len(done) + len(together(units, "ending_poison", over, ending.settle_over))


def remind(units: Units) -> int:
    """Remind of renewals, and of access that ends."""
    with units.write() as uow:
        return reminding.remind_due(uow, limit=SET_BATCH)
