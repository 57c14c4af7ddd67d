"""What billing would do now: done by the very statements that do it, and rolled back."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from circle.billing.models import Invoice, InvoiceKind, PaymentAttempt
from circle.billing.services import breaker, collecting, renewing
from circle.billing.services.installation import original_providers
from circle.billing.states import AttemptStatus
from circle.kernel.uow import UnitOfWork, Units

# A rehearsal holds locks while it lasts: of more than this it tells the beginning.
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Sums in minor units by currency; `stopped` says why nothing would be sent, where that is so."""

    renewals: int
    billed: Mapping[str, int]
    charges: int
    charged: Mapping[str, int]
    stopped: str | None


def rehearse(units: Units) -> Rehearsal:
    """Return what would be billed and charged now; nothing of it remains."""
    with units.write() as uow:
        with uow.session.begin_nested() as rehearsal:
            renewals = renewing.open_due(uow, limit=MOST_ROWS)
            billed = _billed(uow) if renewals else {}
            for statuses in (collecting.AT_THE_END_OF_A_TERM, collecting.OVERDUE):
                collecting.open_attempts(uow, statuses, limit=MOST_ROWS)
            charges, charged = _to_charge(uow)
            rehearsal.rollback()
        uow.bells.clear()
        return Rehearsal(renewals, billed, charges, charged, _why_stopped(uow))


def _billed(uow: UnitOfWork) -> dict[str, int]:
    """Sum the invoices that were opened at this moment."""
    opened = select(Invoice.currency, func.sum(Invoice.amount)).where(
        Invoice.created_at == uow.now, Invoice.kind == InvoiceKind.RENEWAL
    )
    return {currency: int(amount) for currency, amount in uow.session.execute(opened.group_by(Invoice.currency))}


def _to_charge(uow: UnitOfWork) -> tuple[int, dict[str, int]]:
    a = PaymentAttempt
    planned = select(a.currency, func.count(), func.sum(a.amount)).where(
        a.status == AttemptStatus.CREATED, a.lease_until <= uow.now
    )
    rows = uow.session.execute(planned.group_by(a.currency)).all()
    return sum(count for _, count, _ in rows), {currency: int(amount) for currency, _, amount in rows}


def _why_stopped(uow: UnitOfWork) -> str | None:
    if breaker.is_open(uow):
        return "the breaker is open"
    if not original_providers(uow):
        return "this database belongs to another site"
    return None
