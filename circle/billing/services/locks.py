"""Taking rows to work on them, in one order everywhere: membership, invoice, attempt or refund, subscription, ledger.

Whoever holds an invoice's lock is alone with its money; nobody waits for somebody who waits for them.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from circle.billing.models import Invoice, Refund
from circle.kernel.db import Base
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

T = TypeVar("T", bound=Base)

# FOR NO KEY UPDATE: rows that only refer to this one may be inserted meanwhile.
_ALONE = {"key_share": True}


def lock(uow: UnitOfWork, kind: type[T], row_id: Any) -> T:
    """Return a row as it is now, locked until the commit."""
    return uow.session.get_one(kind, row_id, with_for_update=_ALONE, populate_existing=True)


def lock_each(uow: UnitOfWork, kind: type[T], ids: Collection[UUID]) -> dict[UUID, T]:
    """Return rows by their ids as they are now, locked until the commit one after the other in the order of the ids."""
    if not ids:
        return {}
    key: Any = kind.__table__.columns["id"]
    found = (
        select(kind).where(key == any_(literal(list(ids), ARRAY(Uuid())))).order_by(key).with_for_update(key_share=True)
    )
    rows: Iterable[Any] = uow.session.scalars(found, execution_options={"populate_existing": True})
    return {row.id: row for row in rows}


def load_by(uow: UnitOfWork, kind: type[T], column: Any, ids: Collection[UUID]) -> dict[UUID, T]:
    """Return rows by a unique column, without taking them."""
    if not ids:
        return {}
    rows = uow.session.scalars(select(kind).where(column == any_(literal(list(ids), ARRAY(Uuid())))))
    return {getattr(row, column.key): row for row in rows}


def lock_invoice(uow: UnitOfWork, invoice_id: UUID) -> Invoice:
    """Return an invoice, locked together with the membership that it is for."""
    membership_id = uow.session.scalar(select(Invoice.membership_id).where(Invoice.id == invoice_id))
    if membership_id is not None:
        lock(uow, Membership, membership_id)
    return lock(uow, Invoice, invoice_id)


def lock_invoices(uow: UnitOfWork, invoice_ids: Collection[UUID]) -> list[Invoice]:
    """Return invoices, locked together with the memberships that they are for."""
    of = select(Invoice.membership_id).where(Invoice.id == any_(literal(list(invoice_ids), ARRAY(Uuid()))))
    lock_each(uow, Membership, {one for one in uow.session.scalars(of) if one is not None})
    return list(lock_each(uow, Invoice, invoice_ids).values())


def lock_refund(uow: UnitOfWork, number: str) -> tuple[Invoice, Refund] | None:
    """Return a refund by its public number with its invoice, both locked; None for a number that is not ours."""
    row = uow.session.execute(select(Refund.id, Refund.invoice_id).where(Refund.number == number)).first()
    if row is None:
        return None
    return lock_invoice(uow, row.invoice_id), lock(uow, Refund, row.id)
