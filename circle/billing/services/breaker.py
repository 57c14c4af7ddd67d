"""The breaker: what no bug of ours may do to members before a person has looked.

It watches charges that nobody asks for at the moment, renewals, where they are claimed: a batch that breaks a rule is
not sent, and no other is until an operator releases the breaker. People who pay at a checkout see what they pay and
are not stopped; neither are refunds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import structlog
from sqlalchemy import Integer, cast, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import BillingStopped
from circle.billing.oversight_models import BreakerTrip, ChargeDay
from circle.billing.services.leases import Numbered
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.db import Json
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

log = structlog.get_logger(__name__)

MOST_CHARGES = 2  # for one period of a subscription, that took money or still may
TIMES_USUAL = 3
# More than a year, so that what is usual holds the day on which everybody renews.
_LOOK_BACK = timedelta(days=400)
_NAMED = 5


class Rule(StrEnum):
    TOO_OFTEN = "too_often"  # more than two charges for one period of a subscription
    TOO_MUCH = "too_much"  # more than the price
    TOO_MANY = "too_many"  # more charges in a day than three times the busiest before
    RESTORED = "restored"  # the database came from a back-up: what was charged after it is not known here


C = TypeVar("C", bound=Numbered)


@dataclass(frozen=True, slots=True)
class _Broken:
    rule: Rule
    detail: Json


# What failed took nothing: dunning may try as often as it is meant to. Another charge of the period may be on another
# invoice of it, if the first was void.
_TOO_OFTEN = text("""
    SELECT c.number FROM payment_attempts AS c
    JOIN invoices AS claimed ON claimed.id = c.invoice_id
    JOIN invoices AS i ON i.membership_id = claimed.membership_id
        AND i.subscription_id = claimed.subscription_id AND i.period_no = claimed.period_no
    JOIN payment_attempts AS a ON a.invoice_id = i.id AND a.status <> 'failed'
    WHERE c.number = ANY (:numbers) AND c.created_at > :since
    GROUP BY c.number HAVING count(*) > :most
""")
_TOO_MUCH = text("""
    SELECT a.number FROM payment_attempts AS a JOIN invoices AS i ON i.id = a.invoice_id
    LEFT JOIN prices AS p ON p.id = i.price_id
    WHERE a.number = ANY (:numbers) AND a.created_at > :since AND (
        a.amount > i.amount
        OR a.amount > ceil(p.amount * greatest(100, p.advance_percent, p.grace_percent, p.later_percent) / 100.0)
    )
""")


def is_open(uow: UnitOfWork) -> bool:
    """Tell whether unasked charges are stopped."""
    return bool(uow.session.scalar(select(exists().where(BreakerTrip.released_at.is_(None)))))


def require_closed(uow: UnitOfWork) -> None:
    """Pass if unasked charges may be made. Errors: BillingStopped."""
    if is_open(uow):
        raise BillingStopped


def within_bounds(uow: UnitOfWork, claim: Callable[[], Sequence[C]]) -> Sequence[C]:
    """Claim a batch of unasked charges; nothing is claimed while the breaker is open, or where that opens it."""
    if is_open(uow):
        return []
    with uow.session.begin_nested() as claiming:
        claimed = claim()
        broken = _broken_rule(uow, [charge.number for charge in claimed]) if claimed else None
        if broken is not None:
            claiming.rollback()
    if broken is None:
        return claimed
    _trip(uow, broken)
    return []


def _broken_rule(uow: UnitOfWork, numbers: list[str]) -> _Broken | None:
    batch: Json = {"numbers": numbers}
    often = {"most": MOST_CHARGES, "since": _last_release(uow, Rule.TOO_OFTEN)}
    found = list(uow.session.scalars(_TOO_OFTEN, batch | often))
    if found:
        return _Broken(Rule.TOO_OFTEN, {"numbers": found[:_NAMED]})
    found = list(uow.session.scalars(_TOO_MUCH, batch | {"since": _last_release(uow, Rule.TOO_MUCH)}))
    if found:
        return _Broken(Rule.TOO_MUCH, {"numbers": found[:_NAMED]})
    return _too_many(uow, len(numbers))


def _last_release(uow: UnitOfWork, rule: Rule) -> datetime:
    """What was there when an operator released the breaker has been looked at, and is charged."""
    latest = select(func.max(BreakerTrip.released_at)).where(BreakerTrip.rule == rule)
    return uow.session.scalar(latest) or datetime(1970, 1, 1, tzinfo=UTC)


def _too_many(uow: UnitOfWork, count: int) -> _Broken | None:
    """Count a batch; the row is locked for as long as a claim takes, once for a batch and not for each charge."""
    today = uow.now.date()
    counted = insert(ChargeDay).values(day=today, unasked=count, paid=0)
    charges = uow.session.scalars(
        counted.on_conflict_do_update(
            index_elements=["day"], set_={"unasked": ChargeDay.unasked + counted.excluded.unasked}
        ).returning(ChargeDay.unasked)
    ).one()
    usual = max(uow.use(Settings).usual_charges, _busiest_day(uow, today), _released_volume(uow, today))
    if charges <= TIMES_USUAL * usual:
        return None
    return _Broken(Rule.TOO_MANY, {"charges": charges, "usual": usual})


def _busiest_day(uow: UnitOfWork, today: date) -> int:
    before = (ChargeDay.day >= today - _LOOK_BACK, ChargeDay.day < today)
    return uow.session.scalar(select(func.max(func.greatest(ChargeDay.unasked, ChargeDay.paid))).where(*before)) or 0


def _released_volume(uow: UnitOfWork, today: date) -> int:
    """What an operator has let pass is usual from then on."""
    let_pass = select(func.max(cast(BreakerTrip.detail["charges"].astext, Integer))).where(
        BreakerTrip.rule == Rule.TOO_MANY, BreakerTrip.released_at >= today - _LOOK_BACK
    )
    return uow.session.scalar(let_pass) or 0


def _trip(uow: UnitOfWork, broken: _Broken) -> None:
    uow.session.execute(
        insert(BreakerTrip)
        .values(id=new_id(), rule=broken.rule, detail=broken.detail, tripped_at=uow.now)
        .on_conflict_do_nothing()
    )
    log.error("billing_stopped", rule=broken.rule.value, **broken.detail)
    _note(uow, "breaker.trip", rule=broken.rule.value, **broken.detail)


def stop_after_restore(uow: UnitOfWork) -> None:
    """Charge nobody unasked until an operator has compared the providers' books since the back-up."""
    _trip(uow, _Broken(Rule.RESTORED, {}))


def release(uow: UnitOfWork) -> list[str]:
    """Go on charging, as the operator, who has looked; return the rules that were broken."""
    released = uow.session.scalars(
        update(BreakerTrip)
        .where(BreakerTrip.released_at.is_(None))
        .values(released_at=uow.now)
        .returning(BreakerTrip.rule)
    ).all()
    if released:
        _note(uow, "breaker.release", rules=sorted(released))
    return sorted(released)


def open_trips(uow: UnitOfWork) -> list[BreakerTrip]:
    """Return why unasked charges are stopped, oldest first."""
    still = select(BreakerTrip).where(BreakerTrip.released_at.is_(None)).order_by(BreakerTrip.tripped_at)
    return list(uow.session.scalars(still))


def _note(uow: UnitOfWork, action: str, **data: Any) -> None:
    audit.record(uow, None, action, circle_id=None, subject_kind="breaker", subject_id=None, **data)
