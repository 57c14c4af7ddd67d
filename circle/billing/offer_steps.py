"""The work of price campaigns: each subscription in a unit of its own, so that one that fails holds up nobody."""

from circle.billing.services import campaigns
from circle.billing.services.leases import BATCH
from circle.kernel.isolation import isolated
from circle.kernel.uow import Units

# Notices of one transaction.
_TOLD_AT_ONCE = 500


def run_campaigns(units: Units) -> int:
    """Tell subscribers of price changes, settle the changes whose time has come, close what is done."""
    with units.write() as uow:
        worked = campaigns.announce(uow, limit=_TOLD_AT_ONCE)
    with units.read() as uow:
        due = campaigns.due_changes(uow, limit=BATCH)
    for campaign_id, subscription_id in due:
        with isolated("price_change_poison", subscription_id=str(subscription_id)), units.write() as uow:
            worked += campaigns.settle_change(uow, campaign_id, subscription_id)
    with units.write() as uow:
        return worked + campaigns.close_finished(uow)
