"""Money that has to move or be looked after."""

from circle.billing import offer_steps, oversight, payout_steps, reconcile_steps, renewal_steps, steps
from circle.jobs import JobLog
from circle.kernel.uow import Units
from workers.runtime import batch_job, job


@batch_job
def resolve(units: Units) -> int:
    """Ask providers about payments without an answer."""
    return steps.resolve(units)


@batch_job
def inbox(units: Units) -> int:
    """Look into what providers notify of."""
    return steps.read_inbox(units)


@batch_job
def refund(units: Units) -> int:
    """Send refunds that wait."""
    return steps.send_refunds(units)


@job
def pay_out(units: Units) -> int:
    """Send approved payouts to creators."""
    return payout_steps.send_payouts(units)


@job
def reconcile(units: Units) -> int:
    """Compare providers' books of closed days with ours."""
    return reconcile_steps.reconcile(units)


@batch_job
def expire_checkouts(units: Units) -> int:
    """Close checkouts that nobody paid in time."""
    return steps.expire_checkouts(units)


@batch_job
def release(units: Units) -> int:
    """Make creators' money available whose refund window is over."""
    return steps.release(units)


@batch_job
def bill(units: Units) -> int:
    """Open renewals, and attempts for those to be charged now."""
    return renewal_steps.bill(units)


@batch_job
def charge(units: Units) -> int:
    """Send planned charges."""
    return renewal_steps.charge(units)


@batch_job
def dun(units: Units) -> int:
    """Try again to collect what is overdue."""
    return renewal_steps.dun(units)


@batch_job
def end(units: Units) -> int:
    """Call past due, write off or end subscriptions whose term is over."""
    return renewal_steps.end(units)


@batch_job
def remind(units: Units) -> int:
    """Remind of renewals, and of access that ends."""
    return renewal_steps.remind(units)


@job
def campaigns(units: Units) -> int:
    """Tell subscribers of price changes, and settle those whose time has come."""
    return offer_steps.run_campaigns(units)


@job
def verify(units: Units) -> int:
    """Look whether every rule of money holds, and keep the figure for whoever watches."""
    units.use(JobLog).keep("money_rules_broken", len(oversight.broken_rules(units)))
    return 0


@batch_job
def sandbox(units: Units) -> int:
    """Be the sandbox's own clock and courier, where there is a sandbox."""
    return steps.run_sandbox(units)
