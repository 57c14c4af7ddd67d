"""A circle's money of a month as a CSV file: every movement of the ledger, and what they come to."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, func, select, tuple_

from circle.accounts.models import User
from circle.billing.models import Invoice, LedgerAccount, LedgerEntry, LedgerTransaction
from circle.billing.payout_models import Payout
from circle.billing.services.ledger import AccountKind, Movement
from circle.circles.models import Circle
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid
from circle.kernel.money import CURRENCIES
from circle.kernel.spreadsheet import csv_file
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

_AT_ONCE = 1000
_HEAD = ("时间 Time", "类型 Kind", "单号 Number", "成员 Member", "币种 Currency")
# The accounts that a creator is shown, in the order of the columns.
_COLUMNS: Mapping[AccountKind, str] = {
    AccountKind.CREATOR_PENDING: "待结算 Pending",
    AccountKind.CREATOR_AVAILABLE: "可提现 Available",
    AccountKind.CREATOR_PAYOUT: "提现中 In payout",
    AccountKind.PLATFORM_FEE: "平台费 Platform fee",
}
_KINDS: Mapping[Movement, str] = {
    Movement.PAYMENT: "收款 payment",
    Movement.REFUND: "退款 refund",
    Movement.RELEASE: "结算 release",
    Movement.PAYOUT: "申请提现 payout",
    Movement.PAYOUT_SENT: "提现到账 payout sent",
    Movement.PAYOUT_RETURN: "提现退回 payout returned",
}
_TOTAL = "合计 Total"


def statement(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, month: str) -> str:
    """Return the statement of a month in the circle's zone. Errors: NotFound, MissingPermission, Invalid."""
    require_permission(uow, caller, circle_id, Permission.SEE_MONEY)
    if not re.fullmatch(r"(19|2\d)\d\d-(0[1-9]|1[0-2])", month, re.ASCII):
        raise Invalid.field("month", "bad_time", "月份须为 YYYY-MM。", "A month is YYYY-MM.")
    zone = ZoneInfo(uow.session.scalars(select(Circle.timezone).where(Circle.id == circle_id)).one())
    return csv_file(_lines(uow, circle_id, month, zone))


def _lines(uow: UnitOfWork, circle_id: UUID, month: str, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    yield (*_HEAD, *_COLUMNS.values())
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for row in _movements(uow, circle_id, *_bounds(month, zone)):
        totals[row["currency"]].update(row["amounts"])
        at = row["at"].astimezone(zone).replace(tzinfo=None).isoformat(" ", "seconds")
        about = (at, _KINDS[Movement(row["kind"])], row["number"], row["member"], row["currency"])
        yield (*about, *_figures(row["amounts"], row["currency"]))
    for currency, amounts in sorted(totals.items()):
        yield (_TOTAL, "", "", "", currency, *_figures(amounts, currency))


def _bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    year, number = map(int, month.split("-"))
    following = (year + 1, 1) if number == 12 else (year, number + 1)  # noqa: PLR2004 - December
    first, after = (datetime(*one, 1, tzinfo=zone).astimezone(UTC) for one in ((year, number), following))
    return first, after


def _figures(amounts: Mapping[str, int], currency: str) -> tuple[Decimal, ...]:
    """What each account gained, in major units."""
    return tuple(Decimal(amounts.get(kind, 0)).scaleb(-CURRENCIES[currency]) for kind in _COLUMNS)


def _movements(uow: UnitOfWork, circle_id: UUID, start: datetime, end: datetime) -> Iterator[RowMapping]:
    """Read the movements of a time in their order, some at a time."""
    t = LedgerTransaction
    amounts = (
        select(
            func.min(LedgerEntry.currency).label("currency"),
            func.jsonb_object_agg(LedgerAccount.kind, LedgerEntry.amount).label("amounts"),
        )
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerEntry.transaction_id == t.id)
        .lateral()
    )
    rows = (
        select(
            t.id,
            t.at,
            t.kind,
            func.coalesce(Invoice.number, Payout.number).label("number"),
            User.display_name.label("member"),
            amounts.c.currency,
            amounts.c.amounts,
        )
        .select_from(t)
        .join(amounts, amounts.c.currency.is_not(None))
        .outerjoin(Invoice, Invoice.id == t.invoice_id)
        .outerjoin(User, User.id == Invoice.payer_id)
        .outerjoin(Payout, Payout.id == t.source_id)
        .where(t.circle_id == circle_id, t.at >= start, t.at < end)
        .order_by(t.at, t.id)
        .limit(_AT_ONCE)
    )
    page = uow.session.execute(rows).mappings().all()
    while page:
        yield from page
        last = (page[-1]["at"], page[-1]["id"])
        page = uow.session.execute(rows.where(tuple_(t.at, t.id) > last)).mappings().all()
