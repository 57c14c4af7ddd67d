"""Opening renewals: the invoice of the next period, for all whose day has come, or for one who asks."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select

from circle.billing import events
from circle.billing.errors import NotRenewable, PaymentUnderWay
from circle.billing.models import Collection, Invoice, InvoiceKind, Subscription
from circle.billing.renewal_sql import OPEN_DUE_RENEWALS, OPEN_ONE_RENEWAL
from circle.billing.rules import GRACE, MANUAL_AHEAD, NOTICE_MARGIN, PAST_DUE_FOR, REMINDER_DAYS
from circle.billing.services.locks import lock_each, lock_invoice
from circle.billing.states import InvoiceStatus
from circle.circles.models import Price
from circle.circles.terms import months_of
from circle.config import Settings
from circle.kernel.clock import local_day
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import GrantSource, Membership
from circle.memberships.services.access import Term, keep_access, seated

JOB = "billing.bill"


def notice_of(uow: UnitOfWork) -> timedelta:
    """Return how long before an automatic charge its payer has to be told."""
    return timedelta(days=uow.use(Settings).notice_days)


def open_due(uow: UnitOfWork, *, limit: int) -> int:
    """Open the renewals whose day has come, those that are charged by themselves first; return how many."""
    ahead = {Collection.AUTO: notice_of(uow) + NOTICE_MARGIN, Collection.MANUAL: MANUAL_AHEAD}
    opened = 0
    for collection, days in ahead.items():
        params = {"collection": collection, "horizon": uow.now + days, "past_due_for": PAST_DUE_FOR}
        rows = uow.session.execute(OPEN_DUE_RENEWALS, _params(uow, limit=limit) | params).all()
        _announce(uow, rows)
        _bridge(uow, rows)
        opened += len(rows)
    return opened


def open_one(uow: UnitOfWork, subscription: Subscription) -> Invoice:
    """Open the renewal of one subscription ahead of its day.

    Errors: NotRenewable (a term for life or to a fixed end), PaymentUnderWay (somebody else holds its rows).
    """
    price = uow.session.get_one(Price, subscription.next_price_id or subscription.price_id)
    if not months_of(price):
        raise NotRenewable
    uow.session.flush()
    params = _params(uow, limit=1) | {"subscription_id": subscription.id}
    rows = uow.session.execute(OPEN_ONE_RENEWAL, params).all()
    if not rows:
        raise PaymentUnderWay
    _announce(uow, rows)
    _bridge(uow, rows)
    uow.session.refresh(subscription)
    return uow.session.get_one(Invoice, rows[0].id)


def open_renewal(uow: UnitOfWork, subscription_id: UUID) -> Invoice | None:
    """Return the open renewal of a subscription, locked; None where there is none."""
    found = uow.session.scalar(
        select(Invoice.id).where(
            Invoice.subscription_id == subscription_id,
            Invoice.kind == InvoiceKind.RENEWAL,
            Invoice.status == InvoiceStatus.OPEN,
        )
    )
    invoice = lock_invoice(uow, found) if found is not None else None
    return invoice if invoice is not None and invoice.status == InvoiceStatus.OPEN else None


def _params(uow: UnitOfWork, *, limit: int) -> dict[str, Any]:
    return {
        "now": uow.now,
        "notice": notice_of(uow),
        "grace": GRACE,
        "reminder_days": list(REMINDER_DAYS),
        "limit": limit,
    }


def _announce(uow: UnitOfWork, rows: Sequence[Row[Any]]) -> None:
    """Tell those who will be charged."""
    coming = tuple(
        events.ComingCharge(
            row.id,
            row.circle_id,
            row.payer_id,
            row.amount,
            row.currency,
            local_day(row.charge_at, ZoneInfo(row.timezone)),
        )
        for row in rows
        if row.charge_at is not None
    )
    if coming:
        uow.emit(events.RenewalsAnnounced(coming))


def _bridge(uow: UnitOfWork, rows: Sequence[Row[Any]]) -> None:
    """Give access again to those whose term ran out before their renewal was opened: that was not their fault."""
    late = [row for row in rows if row.collection == Collection.AUTO and row.ends_at <= uow.now]
    memberships = lock_each(uow, Membership, {row.membership_id for row in late})
    extend_grace(uow, [grace(uow, memberships[row.membership_id], row, row.present_tier_id) for row in late])


class Collected(Protocol):
    """An invoice that is being collected."""

    id: Any
    covered_until: Any


def grace(uow: UnitOfWork, membership: Membership, invoice: Collected, tier_id: UUID) -> Term:
    """Return the access that lasts while an invoice is collected, from now on."""
    return Term(membership, tier_id, GrantSource.GRACE, invoice.id, uow.now, invoice.covered_until)


def extend_grace(uow: UnitOfWork, terms: Sequence[Term]) -> None:
    """Give access while invoices are collected to members whose rows are locked; none where the seat is gone."""
    sitting = seated(uow, {(one.membership.id, one.tier_id) for one in terms})
    keep_access(uow, [one for one in terms if (one.membership.id, one.tier_id) in sitting])
    for one in terms:
        if (one.membership.id, one.tier_id) not in sitting:
            with suppress(SeatsTaken), uow.session.begin_nested():
                keep_access(uow, [one])
