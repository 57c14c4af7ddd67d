"""Money that has to move or be looked after."""

from circle.billing import steps
from circle.kernel.uow import Units
from workers.runtime import job


@job
def resolve(units: Units) -> int:
    """Ask providers about payments without an answer."""
    return steps.resolve(units)


@job
def inbox(units: Units) -> int:
    """Look into what providers notify of."""
    return steps.read_inbox(units)


@job
def refund(units: Units) -> int:
    """Send refunds that wait."""
    return steps.send_refunds(units)


@job
def expire_checkouts(units: Units) -> int:
    """Close checkouts that nobody paid in time."""
    return steps.expire_checkouts(units)


@job
def release(units: Units) -> int:
    """Make creators' money available whose refund window is over."""
    return steps.release(units)


@job
def lapse(units: Units) -> int:
    """Close subscriptions whose term is over."""
    return steps.lapse(units)


@job
def sandbox(units: Units) -> int:
    """Be the sandbox's own clock and courier, where there is a sandbox."""
    return steps.run_sandbox(units)
