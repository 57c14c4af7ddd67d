"""Comparing a provider's own books of a day with ours, movement by movement.

A difference is not believed before the provider was asked about that very number. Then it is repaired, if the provider
knows more than we do, by the same `apply` as any other news; else it is frozen: shown to the operator, and the money of
its invoice stays pending until the operator has settled it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from circle.billing.oversight_models import (
    ChargeDay,
    Difference,
    Finding,
    FindingStatus,
    Fingerprint,
    ReconciledDay,
    SettlementLine,
)
from circle.billing.providers.base import Outcome, OutcomeState
from circle.billing.providers.base import SettlementLine as Line
from circle.billing.services import outcomes, payout_sending, refunds
from circle.billing.services.locks import lock
from circle.kernel import audit
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

# A provider's books of a day are complete so long after its end.
BOOKS_CLOSE = timedelta(hours=6)
MOST_DAYS = 7  # of one provider in one run
_ONE_DAY = timedelta(days=1)
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Doubt:
    """A movement on which the books disagree; amounts are signed, money that came in is positive."""

    provider: str
    day: date
    what: Difference
    kind: str
    number: str
    reference: str | None
    currency: str
    theirs: int | None
    ours: int | None


# A line of theirs beside the movement of ours under the same number, where that has happened.
_THEIRS = """
    SELECT l.kind, l.number, l.currency, l.amount AS theirs, coalesce(a.received, -r.amount, -p.amount) AS ours,
        coalesce(a.reference, r.reference, p.reference) AS reference,
        CASE WHEN coalesce(a.number, r.number, p.number) IS NULL THEN 'theirs_only' ELSE 'amount_differs' END AS what
    FROM settlement_lines AS l
    LEFT JOIN payment_attempts AS a
        ON l.kind = 'charge' AND a.number = l.number AND a.provider = l.provider AND a.status = 'succeeded'
    LEFT JOIN refunds AS r ON l.kind = 'refund' AND r.number = l.number AND r.status = 'succeeded'
    LEFT JOIN payouts AS p
        ON l.kind = 'payout' AND p.number = l.number AND p.provider = l.provider AND p.status = 'succeeded'
    WHERE l.provider = :provider AND l.day = :day AND l.kind IN ('charge', 'refund', 'payout')
      AND (coalesce(a.received, -r.amount, -p.amount), coalesce(a.received_currency, r.currency, p.currency))
          IS DISTINCT FROM (l.amount, l.currency)
"""
# Ours of a day that are in no books of theirs, of that day or any other.
_OURS = """
    SELECT mine.kind, mine.number, mine.currency, NULL::bigint AS theirs, mine.amount AS ours, mine.reference,
        'ours_only' AS what
    FROM (
        SELECT 'charge' AS kind, a.number, a.received_currency AS currency, a.received AS amount, a.reference
        FROM payment_attempts AS a
        WHERE a.provider = :provider AND a.status = 'succeeded' AND a.settled_at >= :start AND a.settled_at < :end
        UNION ALL
        SELECT 'refund', r.number, r.currency, -r.amount, r.reference
        FROM refunds AS r JOIN payment_attempts AS a ON a.id = r.attempt_id AND a.provider = :provider
        WHERE r.status = 'succeeded' AND r.settled_at >= :start AND r.settled_at < :end
        UNION ALL
        SELECT 'payout', p.number, p.currency, -p.amount, p.reference
        FROM payouts AS p
        WHERE p.provider = :provider AND p.status = 'succeeded' AND p.settled_at >= :start AND p.settled_at < :end
    ) AS mine
    WHERE NOT EXISTS (
        SELECT FROM settlement_lines AS l
        WHERE l.provider = :provider AND l.kind = mine.kind AND l.number = mine.number
    )
"""
_DOUBTS = text(f"{_THEIRS} UNION ALL {_OURS} ORDER BY number")
_STILL = text(f"SELECT EXISTS ({_THEIRS} AND l.kind = :kind AND l.number = :number)")


def days_due(uow: UnitOfWork, provider: str) -> list[date]:
    """Return the next days whose books are closed and were not compared yet, from the first charge on."""
    last = uow.session.scalar(select(func.max(ReconciledDay.day)).where(ReconciledDay.provider == provider))
    first_charge = uow.session.scalar(select(Fingerprint.confirmed_at).where(Fingerprint.provider == provider))
    if last is None and first_charge is None:
        return []
    first = last + _ONE_DAY if last else first_charge.astimezone(UTC).date()  # type: ignore[union-attr]
    closed = (uow.now - BOOKS_CLOSE).astimezone(UTC).date() - _ONE_DAY
    return [first + _ONE_DAY * n for n in range(min((closed - first).days + 1, MOST_DAYS))]


def keep_lines(uow: UnitOfWork, provider: str, day: date, lines: Sequence[Line]) -> None:
    """Keep a provider's lines, those of one number as one; what it corrects is corrected."""
    merged: dict[tuple[str, str], Line] = {}
    for line in lines:
        before = merged.get((line.kind, line.number))
        both = replace(line, amount=line.amount + before.amount, fee=line.fee + before.fee) if before else line
        merged[line.kind, line.number] = both
    kept = list(merged.values())
    for start in range(0, len(kept), _AT_ONCE):
        new = insert(SettlementLine).values(
            [
                {
                    "provider": provider,
                    "kind": line.kind,
                    "number": line.number,
                    "day": day,
                    "amount": line.amount,
                    "currency": line.currency,
                    "fee": line.fee,
                    "at": line.at,
                }
                for line in kept[start : start + _AT_ONCE]
            ]
        )
        corrected = {name: new.excluded[name] for name in ("day", "amount", "currency", "fee", "at")}
        uow.session.execute(new.on_conflict_do_update(index_elements=["provider", "kind", "number"], set_=corrected))


def find_doubts(uow: UnitOfWork, provider: str, day: date) -> list[Doubt]:
    """Return every movement of a day on which the books disagree."""
    start = datetime.combine(day, time(), UTC)
    found = uow.session.execute(_DOUBTS, {"provider": provider, "day": day, "start": start, "end": start + _ONE_DAY})
    return [
        Doubt(
            provider, day, Difference(row.what), row.kind, row.number, row.reference, row.currency, row.theirs, row.ours
        )
        for row in found
    ]


def judge(uow: UnitOfWork, doubt: Doubt, outcome: Outcome) -> FindingStatus | None:
    """Repair or freeze what a provider says about a doubt; None where the doubt was ours, and there is nothing."""
    if doubt.what == Difference.OURS_ONLY and _confirms(doubt, outcome):
        return None
    if doubt.what == Difference.THEIRS_ONLY:
        _apply(uow, doubt, outcome)
    repaired = doubt.what == Difference.THEIRS_ONLY and not _still_differs(uow, doubt)
    status = FindingStatus.REPAIRED if repaired else FindingStatus.FROZEN
    _record(uow, doubt, status, outcome)
    return status


def _confirms(doubt: Doubt, outcome: Outcome) -> bool:
    """Whether the provider has it after all, in the books of another day."""
    figures = (outcome.amount, outcome.currency)
    return outcome.state == OutcomeState.SUCCEEDED and figures == (abs(doubt.ours or 0), doubt.currency)


def _apply(uow: UnitOfWork, doubt: Doubt, outcome: Outcome) -> None:
    if doubt.kind == "refund":
        refunds.apply_refund(uow, doubt.number, outcome)
    elif doubt.kind == "payout":
        payout_sending.apply_payout(uow, doubt.number, outcome)
    else:
        outcomes.apply(uow, doubt.number, outcome)


def _still_differs(uow: UnitOfWork, doubt: Doubt) -> bool:
    uow.session.flush()
    one = {"provider": doubt.provider, "day": doubt.day, "kind": doubt.kind, "number": doubt.number}
    return bool(uow.session.scalar(_STILL, one))


def _record(uow: UnitOfWork, doubt: Doubt, status: FindingStatus, outcome: Outcome) -> None:
    said = outcome.state.value if outcome.amount is None else f"{outcome.state} {outcome.amount} {outcome.currency}"
    news = {
        "theirs": doubt.theirs,
        "ours": doubt.ours,
        "status": status,
        "note": f"asked again, the provider said: {said}",
        "found_at": uow.now,
    }
    about = {name: getattr(doubt, name) for name in ("provider", "day", "kind", "number", "what", "currency")}
    uow.session.execute(
        insert(Finding)
        .values(id=new_id(), **about, **news)
        # What an operator is to look at, or has looked at, stays as it is.
        .on_conflict_do_update(
            index_elements=["provider", "kind", "number", "what"],
            set_=news,
            where=Finding.status == FindingStatus.REPAIRED,
        )
    )
    level = log.warning if status == FindingStatus.REPAIRED else log.error
    level("reconciliation_finding", provider=doubt.provider, number=doubt.number, what=doubt.what, status=status)


def close_day(uow: UnitOfWork, provider: str, day: date, lines: int) -> None:
    """Note that a day was compared, and how many payments it brought, which is what the breaker calls usual."""
    done = {"lines": lines, "reconciled_at": uow.now}
    uow.session.execute(
        insert(ReconciledDay)
        .values(provider=provider, day=day, **done)
        .on_conflict_do_update(index_elements=["provider", "day"], set_=done)
    )
    paid = select(func.count()).where(SettlementLine.day == day, SettlementLine.kind == "charge").scalar_subquery()
    uow.session.execute(
        insert(ChargeDay)
        .values(day=day, unasked=0, paid=paid)
        .on_conflict_do_update(index_elements=["day"], set_={"paid": paid})
    )


def settle_finding(uow: UnitOfWork, number: str, *, note: str) -> int:
    """Unfreeze what was found about a number, as the operator, who has looked. Errors: NotFound, WrongState."""
    found = uow.session.scalars(select(Finding.id).where(Finding.number == number).order_by(Finding.id)).all()
    findings = [lock(uow, Finding, finding_id) for finding_id in found]
    if not findings:
        raise NotFound
    frozen = [one for one in findings if one.status == FindingStatus.FROZEN]
    if not frozen:
        raise WrongState(state=findings[-1].status)
    for one in frozen:
        one.status, one.note, one.settled_at = FindingStatus.SETTLED, note, uow.now
    audit.record(
        uow,
        None,
        "reconciliation.settle",
        circle_id=None,
        subject_kind="finding",
        subject_id=frozen[-1].id,
        number=number,
        note=note,
    )
    return len(frozen)
