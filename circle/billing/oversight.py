"""How billing stands, for operators: `circle billing status`, `circle doctor`, `/metrics`."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from circle.billing.invariants import violations
from circle.billing.models import Invoice, PaymentAttempt, Refund, Subscription
from circle.billing.oversight_models import BreakerTrip, Finding, FindingStatus, ReconciledDay, SettlementLine
from circle.billing.payout_models import Payout
from circle.billing.providers.base import Providers
from circle.billing.services import breaker
from circle.billing.services.installation import moved_providers
from circle.billing.services.reconciling import days_due
from circle.billing.states import AttemptStatus, InvoiceStatus, PayoutStatus, RefundStatus, SubscriptionStatus
from circle.kernel.uow import UnitOfWork, Units

log = structlog.get_logger(__name__)

# Sent so long ago without an answer: somebody should look.
STUCK_AFTER = timedelta(hours=1)
# Books are compared every hour; so many days behind, they are not.
_DAYS_BEHIND = 2
_WHY_STOPPED = {
    breaker.Rule.TOO_OFTEN: "a period was to be charged once too often, {numbers}",
    breaker.Rule.TOO_MUCH: "more than the price was to be charged, {numbers}",
    breaker.Rule.TOO_MANY: "{charges} charges on one day, where at most {usual} are usual",
    breaker.Rule.RESTORED: "the database was restored, and what was charged after the back-up is not known here",
}
_SENT = (AttemptStatus.PROCESSING, AttemptStatus.REQUIRES_ACTION)


def figures(uow: UnitOfWork) -> Mapping[str, int]:
    """Return how many rows are in each state that an operator cares for, by a name that says what they are."""
    long_ago = uow.now - STUCK_AFTER
    a, r, p = PaymentAttempt, Refund, Payout
    return {
        "renewals_due": _count(uow, Invoice.id, Invoice.status == InvoiceStatus.OPEN, Invoice.charge_at <= uow.now),
        "charges_planned": _count(uow, a.id, a.status == AttemptStatus.CREATED),
        "charges_processing": _count(uow, a.id, a.status.in_(_SENT)),
        "charges_stuck": _count(uow, a.id, a.status == AttemptStatus.PROCESSING, a.sent_at <= long_ago),
        "subscriptions_past_due": _count(
            uow,
            Subscription.id,
            Subscription.status == SubscriptionStatus.PAST_DUE,
            Subscription.current_period_end <= uow.now,  # they all are; it is what the index is by
        ),
        "refunds_waiting": _count(uow, r.id, r.status.in_((RefundStatus.PENDING, RefundStatus.PROCESSING))),
        "payouts_requested": _count(uow, p.id, p.status == PayoutStatus.REQUESTED),
        "payouts_approved": _count(uow, p.id, p.status == PayoutStatus.APPROVED),
        "payouts_in_transit": _count(uow, p.id, p.status == PayoutStatus.IN_TRANSIT),
        "findings_frozen": _count(uow, Finding.id, Finding.status == FindingStatus.FROZEN),
        "breaker_open": int(breaker.is_open(uow)),
        "installation_moved": len(moved_providers(uow)),
    }


def _count(uow: UnitOfWork, column: InstrumentedAttribute[Any], *which: Any) -> int:
    return uow.session.scalar(select(func.count(column)).where(*which)) or 0


def payouts_waiting(uow: UnitOfWork) -> list[RowMapping]:
    """Return the payouts that are not settled, oldest first, with the circle and who asked."""
    rows = text("""
        SELECT p.number, p.status, p.amount, p.currency, p.provider, p.note, p.created_at, c.name AS circle,
            u.display_name AS person, coalesce(l.balance, 0) AS available
        FROM payouts p JOIN circles c ON c.id = p.circle_id JOIN users u ON u.id = p.requested_by
        LEFT JOIN ledger_accounts l
            ON l.circle_id = p.circle_id AND l.kind = 'creator_available' AND l.currency = p.currency
        WHERE p.status IN ('requested', 'approved', 'in_transit')
        ORDER BY p.created_at LIMIT 500
    """)
    return list(uow.session.execute(rows).mappings())


def findings(uow: UnitOfWork, *, since: datetime | None = None) -> list[Finding]:
    """Return what is frozen, and with `since` also what was repaired or settled since then."""
    which = Finding.status == FindingStatus.FROZEN
    if since is not None:
        which |= Finding.found_at >= since
    return list(uow.session.scalars(select(Finding).where(which).order_by(Finding.found_at).limit(500)))


def other_lines(uow: UnitOfWork) -> list[tuple[str, str, str, int]]:
    """Return what providers booked beside charges, refunds and payouts, such as disputes: sums in minor units."""
    line = SettlementLine
    sums = select(line.provider, line.kind, line.currency, func.sum(line.amount)).where(
        line.kind.not_in(("charge", "refund", "payout"))
    )
    rows = uow.session.execute(
        sums.group_by(line.provider, line.kind, line.currency).order_by(line.provider, line.kind, line.currency)
    )
    return [(provider, kind, currency, int(amount)) for provider, kind, currency, amount in rows]


def reconciled(uow: UnitOfWork) -> list[tuple[str, date, int, str]]:
    """Return each provider with its last compared day, and what it kept as fees until then, by currency."""
    last = select(ReconciledDay.provider, func.max(ReconciledDay.day), func.sum(ReconciledDay.lines))
    days = uow.session.execute(last.group_by(ReconciledDay.provider).order_by(ReconciledDay.provider)).all()
    return [(provider, day, lines, _fees(uow, provider)) for provider, day, lines in days]


def _fees(uow: UnitOfWork, provider: str) -> str:
    kept = select(SettlementLine.currency, func.sum(SettlementLine.fee)).where(SettlementLine.provider == provider)
    sums = uow.session.execute(kept.group_by(SettlementLine.currency).order_by(SettlementLine.currency)).all()
    return ", ".join(f"{currency} {amount}" for currency, amount in sums if amount)


def broken_rules(units: Units) -> list[str]:
    """Return the rules of money that are broken; each is an error in the log."""
    with units.read() as uow:
        broken = violations(uow)
    for rule in broken:
        log.error("money_rule_broken", rule=rule)
    return broken


def breaker_is_closed(units: Units) -> str | None:
    with units.read() as uow:
        trips = breaker.open_trips(uow)
    if not trips:
        return None
    why = "; ".join(_why_stopped(trip) for trip in trips)
    return f"automatic charges are stopped: {why}. Look, then run `circle billing release-breaker`"


def _why_stopped(trip: BreakerTrip) -> str:
    numbers = ", ".join(trip.detail.get("numbers", []))
    return f"{_WHY_STOPPED[breaker.Rule(trip.rule)].format(**{**trip.detail, 'numbers': numbers})} ({trip.rule})"


def installation_is_original(units: Units) -> str | None:
    with units.read() as uow:
        moved = moved_providers(uow)
    if not moved:
        return None
    return (
        f"this database charged by {', '.join(moved)} for another site or account; nothing is charged, refunded or paid"
        " out. If it is a copy, leave it so; if the site has moved, run `circle billing confirm-installation`"
    )


def books_agree(units: Units) -> str | None:
    with units.read() as uow:
        frozen = findings(uow)
        behind = [name for name in uow.use(Providers).by_name if len(days_due(uow, name)) > _DAYS_BEHIND]
    wrong = [f"{one.provider} {one.kind} {one.number}: {one.what}" for one in frozen[:3]]
    if wrong:
        wrong.append("see `circle billing reconciliation`")
    wrong += [f"the books of {name} were not compared for more than {_DAYS_BEHIND} days" for name in behind]
    return "; ".join(wrong) or None
