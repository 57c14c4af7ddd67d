"""What sends money to creators: claim, call and apply, as in `steps`."""

from functools import partial

from circle.billing.batches import Stretch, answers
from circle.billing.providers.base import Outcome, OutcomeState, PayoutOrder, Providers
from circle.billing.services import payout_sending
from circle.billing.services.leases import BATCH, Errand
from circle.kernel.isolation import isolated
from circle.kernel.uow import Units


def send_payouts(units: Units) -> int:
    """Send approved payouts, and find out about those without an answer."""
    stretch = Stretch()
    with units.write() as uow:
        errands = payout_sending.claim_due_payouts(uow, limit=BATCH)
    for answered in answers(units, "payout_poison", stretch, errands, partial(_ask, units)):
        for errand, outcome in answered:
            with isolated("payout_poison", number=errand.number), units.write() as uow:
                payout_sending.apply_payout(uow, errand.number, outcome)
    return len(errands)


def _ask(units: Units, errand: Errand[PayoutOrder]) -> Outcome:
    order = errand.order
    provider = units.use(Providers).get(order.provider)
    outcome = provider.query_payout(order.number) if errand.ask_first else Outcome(OutcomeState.NOT_FOUND)
    if outcome.state == OutcomeState.NOT_FOUND and errand.may_send:
        outcome = provider.payout(order)
    return outcome
