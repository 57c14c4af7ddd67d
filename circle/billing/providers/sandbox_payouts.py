"""The sandbox's way of sending money to creators: what a payee's name says happens, as with payment methods."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from circle.billing.providers.base import UNKNOWN, Outcome, OutcomeState, PayoutOrder
from circle.billing.providers.sandbox_tables import SandboxEvent, SandboxPayout
from circle.kernel.ids import new_id

# What becomes of money sent to each payee at its first arrival: state, failure code, seconds until a pending one
# succeeds, and whether the answer reaches us.
PAYEES: Mapping[str, tuple[str, str | None, int, bool]] = {
    "ok": ("succeeded", None, 0, True),
    "closed_account": ("failed", "account_closed", 0, True),
    "pending_then_ok": ("processing", None, 60, True),
    "lost_request": ("lost", None, 0, False),
    "lost_answer": ("succeeded", None, 0, False),
    "slow": ("processing", None, 30, False),
}


def send(books: Session, order: PayoutOrder, now: datetime) -> Outcome:
    """Send money once per number, however often it is asked."""
    state, code, seconds, answered = PAYEES[order.payee]
    made = books.execute(
        insert(SandboxPayout)
        .values(
            number=order.number,
            payee=order.payee,
            amount=order.amount,
            currency=order.currency,
            state="arriving",
            code=code,
            settles_at=now + timedelta(seconds=seconds) if seconds else None,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(SandboxPayout.number)
    ).scalar()
    row = books.get_one(SandboxPayout, order.number, with_for_update=True, populate_existing=True)
    if made is not None:
        _move(books, row, state, now)
        return _outcome(row) if answered else UNKNOWN
    if (row.payee, row.amount, row.currency) != (order.payee, order.amount, order.currency):
        raise ValueError(f"number {order.number} was used for another payout")
    if row.state == "lost":
        _move(books, row, "succeeded", now)
    ripen(books, row, now)
    return _outcome(row)


def look_up(books: Session, number: str, now: datetime) -> Outcome:
    """Return what became of a payout."""
    row = books.get(SandboxPayout, number, with_for_update=True)
    if row is None or row.state == "lost":
        return Outcome(OutcomeState.NOT_FOUND)
    ripen(books, row, now)
    return _outcome(row)


def ripen(books: Session, row: SandboxPayout, now: datetime) -> None:
    """Let a pending payout succeed whose time has come."""
    if row.state == "processing" and row.settles_at is not None and row.settles_at <= now:
        _move(books, row, "succeeded", now)


def _move(books: Session, row: SandboxPayout, state: str, now: datetime) -> None:
    row.state = state
    if state in {"succeeded", "failed"}:
        row.settled_at = now
        books.add(SandboxEvent(id=new_id(), kind="payout", number=row.number, created_at=now))


def _outcome(row: SandboxPayout) -> Outcome:
    state = OutcomeState(row.state)
    return Outcome(state, f"sbp_{row.number}", row.amount, row.currency, code=row.code)
