"""Posts notices to members' webhooks."""

from circle.kernel import outbox
from circle.kernel.clock import elapsed
from circle.kernel.uow import Units
from circle.notifications.services.sending import RELAY_HOOKS
from circle.subscribers import HOOK_DELIVERERS
from workers.runtime import job

# Each may take six seconds, and all have to be through within the lease of the batch.
_AT_ONCE = 10
_LONGEST_SECONDS = 30.0


@job
def relay(units: Units) -> int:
    """Post due notices batch by batch; what does not fit the time is rung for again."""
    began, taken = elapsed(), 0
    while batch := outbox.relay(units, HOOK_DELIVERERS, limit=_AT_ONCE):
        taken += batch
        if elapsed() - began > _LONGEST_SECONDS:
            units.doorbell.ring(RELAY_HOOKS)
            break
    return taken
