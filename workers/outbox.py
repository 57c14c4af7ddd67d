"""Delivers what the outbox holds."""

from circle.kernel import outbox
from circle.kernel.clock import elapsed
from circle.kernel.uow import Units
from circle.subscribers import DELIVERERS, HOOK_DELIVERERS
from workers.runtime import job

# Longer than this, and a deployment would have to wait for the relay.
_LONGEST_SECONDS = 30.0


@job
def relay(units: Units) -> int:
    """Deliver due messages batch by batch; what does not fit the time is rung for again."""
    began, taken = elapsed(), 0
    while batch := outbox.relay(units, DELIVERERS, elsewhere=HOOK_DELIVERERS.keys()):
        taken += batch
        if elapsed() - began > _LONGEST_SECONDS:
            units.doorbell.ring(outbox.RELAY)
            break
    return taken
