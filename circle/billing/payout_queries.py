"""Reading withdrawals, as rows."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, bindparam, select, tuple_
from sqlalchemy import Uuid as UuidType

from circle.billing.payout_models import Payout, PayoutAccount
from circle.billing.queries import money
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork

# Newest first; the key of an imaginary row before the first.
_START = {"created_at": datetime(9999, 12, 31, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
_KEY = Keyset("payouts", {"created_at": datetime, "id": UUID})


def _select_payouts() -> Select[*tuple[Any, ...]]:
    key = tuple_(bindparam("created_at", type_=DateTime(timezone=True)), bindparam("id", type_=UuidType()))
    return (
        select(*Payout.__table__.columns)
        .where(
            Payout.circle_id == bindparam("circle_id", type_=UuidType()),
            tuple_(Payout.created_at, Payout.id) < key,
        )
        .order_by(Payout.created_at.desc(), Payout.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


_PAYOUTS = Query(_select_payouts)


def payouts(uow: UnitOfWork, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's withdrawals, newest first."""
    key = _KEY.decode(cursor) if cursor else _START
    page, next_cursor = _KEY.page(uow.rows(_PAYOUTS, circle_id=circle_id, limit=limit + 1, **key), limit)
    return {"items": [_card(row) for row in page], "next_cursor": next_cursor}


def payout(one: Payout) -> Json:
    """Return a withdrawal in the shape of `PayoutOut`."""
    return _card({column.key: getattr(one, column.key) for column in Payout.__table__.columns})


def _card(row: Row) -> Json:
    plain = ("id", "number", "circle_id", "status", "provider", "note", "failure_code")
    dates = ("created_at", "approved_at", "settled_at")
    return {**{name: row[name] for name in (*plain, *dates)}, "amount": money(row["amount"], row["currency"])}


def payout_account(one: PayoutAccount) -> Json:
    """Return where a circle's money is sent, in the shape of `PayoutAccountOut`."""
    return {"provider": one.provider, "label": one.reference, "set_at": one.set_at}
