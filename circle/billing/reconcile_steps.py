"""What asks providers for their books, and about every difference: ask outside, keep and apply inside."""

from datetime import date

from circle.billing.providers.base import OutcomeState, Provider, Providers
from circle.billing.services import reconciling
from circle.billing.services.installation import original_providers, require_original
from circle.kernel.isolation import isolated
from circle.kernel.uow import Units


def reconcile(units: Units) -> int:
    """Compare the next closed days of every provider with our books; return how many days."""
    with units.read() as uow:
        due = {name: reconciling.days_due(uow, name) for name in original_providers(uow)}
    compared = 0
    for name, days in due.items():
        provider = units.use(Providers).get(name)
        for day in days:
            is_done = False
            with isolated("reconciliation_poison", provider=name, day=day.isoformat()):
                is_done = reconcile_day(units, provider, day)
            if not is_done:
                break
            compared += 1
    return compared


def reconcile_again(units: Units, name: str, day: date) -> bool:
    """Compare one day anew, as the operator. Errors: UnknownProvider, InstallationMoved."""
    provider = units.use(Providers).get(name)
    with units.write() as uow:
        require_original(uow, name)
    return reconcile_day(units, provider, day)


def reconcile_day(units: Units, provider: Provider, day: date) -> bool:
    """Compare one day, which may be done again; False where the provider can't be asked now."""
    lines = provider.settlement(day)
    with units.write() as uow:
        reconciling.keep_lines(uow, provider.name, day, lines)
        doubts = reconciling.find_doubts(uow, provider.name, day)
    for doubt in doubts:
        ask = {"refund": provider.query_refund, "payout": provider.query_payout}.get(doubt.kind, provider.query)
        outcome = ask(doubt.number, doubt.reference)
        if outcome.state == OutcomeState.UNKNOWN:
            return False
        with units.write() as uow:
            reconciling.judge(uow, doubt, outcome)
    with units.write() as uow:
        reconciling.close_day(uow, provider.name, day, len(lines))
    return True
