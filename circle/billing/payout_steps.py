"""What sends money to creators: claim, call and apply, as in `steps`."""

from circle.billing.providers.base import Outcome, OutcomeState, PayoutOrder, Providers
from circle.billing.services import payout_sending
from circle.billing.services.leases import BATCH, Errand
from circle.kernel.isolation import isolated
from circle.kernel.uow import Units


def send_payouts(units: Units) -> int:
    """Send approved payouts, and find out about those without an answer."""
    with units.write() as uow:
        errands = payout_sending.claim_due_payouts(uow, limit=BATCH)
    for errand in errands:
        with isolated("payout_poison", number=errand.order.number):
            _run(units, errand)
    return len(errands)


def _run(units: Units, errand: Errand[PayoutOrder]) -> None:
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    outcome = provider.query_payout(order.number) if errand.ask_first else Outcome(OutcomeState.NOT_FOUND)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.payout(order)
    with units.write() as uow:
        payout_sending.apply_payout(uow, order.number, outcome)
