"""What a standing reads is the same in Python and in SQL, whatever the standing."""

from datetime import timedelta
from itertools import product
from typing import Any

from sqlalchemy import DateTime, Integer, Text, Uuid, column, select, values

from circle.circles.models import AfterExpiry
from circle.kernel.uow import Units
from circle.memberships.models import Role, Status
from circle.memberships.permissions import Permission
from circle.memberships.policy import reading_columns
from tests.builders.standings import NOW, standing

INSTANT = DateTime(timezone=True)
COLUMNS = {
    "user_id": Uuid(),
    "membership_id": Uuid(),
    "status": Text(),
    "role": Text(),
    "rank": Integer(),
    "joined_at": INSTANT,
    "ended_at": INSTANT,
    "after_expiry": Text(),
    "lookback_days": Integer(),
}
# One that moderates, one that only reads everything, one that does neither.
ROLES = (Role.ADMIN, Role.GUEST, Role.MEMBER)
THEN = NOW - timedelta(days=9)
EVERY = [
    {"status": status, "role": role, "rank": rank, "joined_at": joined, "ended_at": ended, "after_expiry": after,
     "lookback_days": days}
    for status, role, rank, joined, ended, after, days in product(
        [*Status], ROLES, (None, 2), (None, THEN), (None, THEN), [*AfterExpiry], (None, 7)
    )
]  # fmt: skip
STRANGER = dict.fromkeys(("status", "role", "rank", "joined_at", "ended_at", "lookback_days", "membership_id"))


def test_sql_reads_what_python_reads(units: Units) -> None:
    found = [standing(**what) for what in (*EVERY, {**STRANGER, "after_expiry": AfterExpiry.PAID_TERM})]
    numbered = [(number, *(_plain(getattr(one, name)) for name in COLUMNS)) for number, one in enumerate(found)]
    typed = [column("number", Integer()), *(column(name, kind) for name, kind in COLUMNS.items())]
    rows = values(*typed, name="rows").data(numbered).alias("rows")
    read = select(*(value.label(name) for name, value in reading_columns(rows).items())).order_by(rows.c.number)

    with units.read() as uow:
        in_sql = [dict(row) for row in uow.session.execute(read).mappings()]

    assert in_sql == [{**one.reading(), "moderates": one.may(Permission.MODERATE)} for one in found]


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)
