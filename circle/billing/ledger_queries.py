"""Reading a circle's money in the ledger, as rows: balances, movements, what may be released."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, bindparam, exists, func, select, tuple_
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import aggregate_order_by

from circle.billing.models import Invoice, LedgerAccount, LedgerEntry, LedgerTransaction, PaymentAttempt
from circle.billing.oversight_models import Finding, FindingStatus
from circle.billing.queries import money
from circle.billing.services.ledger import PAYOUT_MOVEMENTS, AccountKind
from circle.billing.states import EARNING
from circle.circles.models import Circle
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork

# Newest first; the key of an imaginary row before the first.
_LEDGER_START = {"at": datetime(9999, 12, 31, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
_LEDGER_KEY = Keyset("ledger", {"at": datetime, "id": UUID})


def balance(uow: UnitOfWork, circle_id: UUID) -> Json:
    """Return a circle's money: `pending` while it may be refunded without a reason, then `available`, `in_payout`."""
    kept = select(LedgerAccount.kind, LedgerAccount.currency, LedgerAccount.balance).where(
        LedgerAccount.circle_id == circle_id
    )
    amounts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in uow.session.execute(kept):
        amounts[row.currency][row.kind] = row.balance or 0
    own = uow.session.scalars(select(Circle.currency).where(Circle.id == circle_id)).one()
    amounts.setdefault(own, {})
    sides = [
        {
            "pending": money(held.get(AccountKind.CREATOR_PENDING, 0), currency),
            "available": money(held.get(AccountKind.CREATOR_AVAILABLE, 0), currency),
            "in_payout": money(held.get(AccountKind.CREATOR_PAYOUT, 0), currency),
        }
        for currency, held in sorted(amounts.items(), key=lambda item: (item[0] != own, item[0]))
    ]
    return {**sides[0], "other_currencies": sides[1:]}


def _select_ledger() -> Select[*tuple[Any, ...]]:
    key = tuple_(bindparam("at", type_=DateTime(timezone=True)), bindparam("id", type_=UuidType()))
    entry = func.jsonb_build_object(
        "account", LedgerAccount.kind, "amount", LedgerEntry.amount, "currency", LedgerEntry.currency
    )
    entries = (
        select(func.jsonb_agg(aggregate_order_by(entry, LedgerAccount.kind)))
        .select_from(LedgerEntry)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerEntry.transaction_id == LedgerTransaction.id)
        .scalar_subquery()
    )
    return (
        select(
            LedgerTransaction.id,
            LedgerTransaction.kind,
            LedgerTransaction.invoice_id,
            LedgerTransaction.source_id,
            LedgerTransaction.at,
            entries.label("entries"),
        )
        .where(
            LedgerTransaction.circle_id == bindparam("circle_id", type_=UuidType()),
            tuple_(LedgerTransaction.at, LedgerTransaction.id) < key,
        )
        .order_by(LedgerTransaction.at.desc(), LedgerTransaction.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


_LEDGER = Query(_select_ledger)


def ledger(uow: UnitOfWork, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's movements of money, newest first."""
    key = _LEDGER_KEY.decode(cursor) if cursor else _LEDGER_START
    rows = uow.rows(_LEDGER, circle_id=circle_id, limit=limit + 1, **key)
    page, next_cursor = _LEDGER_KEY.page(rows, limit)
    return {"items": [_movement(row) for row in page], "next_cursor": next_cursor}


def _movement(row: Row) -> Json:
    entries = [
        {"account": one["account"], "amount": money(one["amount"], one["currency"])} for one in row["entries"] or []
    ]
    payout_id = row["source_id"] if row["kind"] in PAYOUT_MOVEMENTS else None
    plain = {name: row[name] for name in ("id", "kind", "invoice_id", "at")}
    return {**plain, "payout_id": payout_id, "entries": entries}


def releasable(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return paid invoices whose refund window is over and whose money is still pending, and not frozen."""
    frozen = exists().where(
        Finding.status == FindingStatus.FROZEN,
        Finding.number == PaymentAttempt.number,
        PaymentAttempt.invoice_id == Invoice.id,
    )
    due = select(Invoice.id).where(
        Invoice.released_at.is_(None),
        Invoice.status.in_(EARNING),
        Invoice.refundable_until <= uow.now,
        Invoice.refunding == 0,
        ~frozen,
    )
    return list(uow.session.scalars(due.order_by(Invoice.refundable_until).limit(limit)))
