"""Reminding of renewals: those that a member pays by themselves, and access that is about to end."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from circle.billing import events
from circle.billing.models import Collection, Invoice, InvoiceKind, Subscription
from circle.billing.rules import REMINDER_DAYS
from circle.billing.states import InvoiceStatus
from circle.kernel.clock import local_day
from circle.kernel.uow import UnitOfWork

# Whoever is in their grace is told so long before it ends.
_GRACE_WARNING = timedelta(days=1)


def remind_due(uow: UnitOfWork, *, limit: int) -> int:
    """Send the reminders that are due, one each: of several that were missed only the last; return how many rows."""
    due = (
        select(Invoice, Subscription.collection, Subscription.timezone)
        .join(Subscription, Subscription.id == Invoice.subscription_id)
        .where(
            Invoice.status == InvoiceStatus.OPEN,
            Invoice.remind_at <= uow.now,
            Invoice.kind == InvoiceKind.RENEWAL,
        )
        .order_by(Invoice.remind_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=Invoice)
    )
    unpaid, ending = list[events.UnpaidRenewal](), list[events.EndingGrace]()
    found = uow.session.execute(due).all()
    for invoice, collection, zone in found:
        if collection == Collection.MANUAL:
            unpaid.append(_remind(uow, invoice, ZoneInfo(zone)))
        elif (warning := _warn(uow, invoice, ZoneInfo(zone))) is not None:
            ending.append(warning)
    uow.emit(events.RenewalsUnpaid(tuple(unpaid)))
    uow.emit(events.GraceEnding(tuple(ending)))
    return len(found)


def _remind(uow: UnitOfWork, invoice: Invoice, zone: ZoneInfo) -> events.UnpaidRenewal:
    days = {day: invoice.due_at + timedelta(days=day) for day in REMINDER_DAYS}
    day = max(day for day, at in days.items() if at <= uow.now)
    invoice.remind_at = min((at for at in days.values() if at > uow.now), default=None)
    return events.UnpaidRenewal(
        invoice.id,
        invoice.circle_id,
        invoice.payer_id,
        invoice.amount,
        invoice.currency,
        local_day(invoice.due_at, zone),
        day,
    )


def _warn(uow: UnitOfWork, invoice: Invoice, zone: ZoneInfo) -> events.EndingGrace | None:
    invoice.remind_at = None
    if invoice.covered_until is None or invoice.covered_until <= uow.now:
        return None
    on = local_day(invoice.covered_until, zone)
    return events.EndingGrace(invoice.id, invoice.circle_id, invoice.payer_id, on)


def warn_before_grace_ends(invoice: Invoice) -> None:
    """Plan the warning of somebody whose charge has failed."""
    if invoice.remind_at is None and invoice.covered_until is not None:
        invoice.remind_at = invoice.covered_until - _GRACE_WARNING
