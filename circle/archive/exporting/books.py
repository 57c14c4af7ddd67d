"""Members, orders and ledger as spreadsheets, for people; the same as JSON Lines are for programs."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select, tuple_

from circle.accounts.models import User
from circle.archive.exporting.tables import Whose
from circle.billing.models import Invoice, LedgerAccount, LedgerEntry, LedgerTransaction
from circle.circles.models import Tier
from circle.kernel.spreadsheet import csv_file
from circle.kernel.uow import Units
from circle.memberships.models import Membership

_PAGE = 1_000

Selecting = Callable[[Whose], Select[*tuple[Any, ...]]]


def _members(whose: Whose) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Membership.id.label("key"),
            Membership.number,
            User.display_name,
            Membership.alias,
            Membership.role,
            Membership.status,
            Membership.joined_at,
            Membership.ended_at,
            Membership.note,
        )
        .join(User, User.id == Membership.user_id)
        .where(Membership.circle_id == whose.circle_id)
    )


def _orders(whose: Whose) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Invoice.id.label("key"),
            Invoice.number,
            Invoice.kind,
            User.display_name.label("payer"),
            Tier.name.label("tier"),
            Invoice.status,
            Invoice.amount,
            Invoice.currency,
            Invoice.refunded,
            Invoice.platform_fee,
            Invoice.period_start,
            Invoice.period_end,
            Invoice.created_at,
            Invoice.paid_at,
        )
        .join(User, User.id == Invoice.payer_id)
        .outerjoin(Tier, Tier.id == Invoice.tier_id)
        .where(Invoice.circle_id == whose.circle_id)
    )


def _ledger(whose: Whose) -> Select[*tuple[Any, ...]]:
    return (
        select(
            LedgerTransaction.id.label("key"),
            LedgerEntry.account_id.label("key2"),
            LedgerTransaction.at,
            LedgerTransaction.kind,
            LedgerAccount.kind.label("account"),
            LedgerEntry.amount,
            LedgerEntry.currency,
            Invoice.number.label("invoice"),
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, and_(LedgerAccount.id == LedgerEntry.account_id))
        .outerjoin(Invoice, Invoice.id == LedgerTransaction.invoice_id)
        .where(LedgerTransaction.circle_id == whose.circle_id)
    )


_SHEETS: tuple[tuple[str, Selecting, Sequence[Any]], ...] = (
    ("csv/members.csv", _members, (Membership.id,)),
    ("csv/orders.csv", _orders, (Invoice.id,)),
    ("csv/ledger.csv", _ledger, (LedgerTransaction.id, LedgerEntry.account_id)),
)


def spreadsheets(units: Units, whose: Whose) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield each sheet's path and its bytes, a page at a time; amounts in minor units, instants in UTC."""
    for path, selecting, key in _SHEETS:
        yield path, _sheet(units, selecting(whose), key)


def _sheet(units: Units, chosen: Select[*tuple[Any, ...]], key: Sequence[Any]) -> Iterator[bytes]:
    names = [column.name for column in chosen.selected_columns if not column.name.startswith("key")]
    after: tuple[UUID, ...] | None = None
    head: list[Sequence[Any]] = [names]
    while True:
        page_of = chosen.order_by(*key).limit(_PAGE)
        if after is not None:
            page_of = page_of.where(tuple_(*key) > tuple_(*after))
        with units.read() as uow:
            page = [dict(row) for row in uow.session.execute(page_of).mappings()]
        lines = [[_cell(row[name]) for name in names] for row in page]
        text = csv_file([*head, *lines])
        yield (text if head else text.removeprefix("\ufeff")).encode()
        if len(page) < _PAGE:
            return
        head = []
        after = tuple(page[-1][f"key{at or ''}"] for at in ("", 2)[: len(key)])


def _cell(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value
