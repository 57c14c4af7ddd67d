"""What the end of a term brings: past due while the next may still be paid, then the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, any_, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from circle.billing import events
from circle.billing.models import Collection, Invoice, Subscription
from circle.billing.renewal_sql import NEXT_PRICE, RENEWABLE
from circle.billing.rules import CHARGE_TAKES, LAST_RETRY_TAKES, PAST_DUE_FOR
from circle.billing.services.checkouts import close_unpaid, write_off
from circle.billing.services.locks import lock_each
from circle.billing.services.pricing import renewal_amount
from circle.billing.services.subscriptions import end_as_wished, end_subscription
from circle.billing.states import SUBSCRIPTION, InvoiceStatus, SubscriptionStatus
from circle.circles.models import Price
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership

_S = SubscriptionStatus


class Verdict(StrEnum):
    """What is due to a subscription whose term is over."""

    PAST_DUE = "past_due"
    GIVE_UP = "give_up"  # could not be collected
    END = "end"


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription and what is due to it."""

    subscription_id: UUID
    membership_id: UUID
    # The open renewal, if there is one, and whether somebody is paying it.
    invoice_id: UUID | None
    is_being_paid: bool
    verdict: Verdict


# A renewal that is being paid is waited for; without an open one, whatever can be renewed is left to `billing.bill`.
_VERDICTS = f"""
SELECT s.id, s.membership_id, i.id AS invoice_id, paying.under_way, CASE
    WHEN s.renewal_open AND s.status <> 'past_due' THEN
        CASE WHEN s.current_period_end <= :now - CASE s.collection WHEN 'auto' THEN :charge_takes ELSE interval '0' END
            THEN 'past_due' END
    WHEN s.renewal_open AND (paying.under_way OR i.due_at > :now - :past_due_for) THEN NULL
    WHEN s.renewal_open AND s.collection = 'manual' THEN 'end'
    WHEN s.renewal_open AND (i.charge_at IS NULL OR i.due_at <= :now - :past_due_for - :last_retry_takes) THEN 'give_up'
    WHEN s.renewal_open OR s.status <> 'past_due' AND {RENEWABLE} THEN NULL
    ELSE 'end' END AS verdict
FROM subscriptions AS s
JOIN circles AS c ON c.id = s.circle_id
JOIN {NEXT_PRICE}
LEFT JOIN invoices AS i
    ON s.renewal_open AND i.subscription_id = s.id AND i.kind = 'renewal' AND i.status = 'open'
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM payment_attempts AS a WHERE a.invoice_id = i.id
                   AND a.status IN ('created', 'processing', 'requires_action')) AS under_way
) AS paying
WHERE s.status IN ('trialing', 'active', 'past_due') AND s.current_period_end <= :now
"""  # noqa: S608 - our own words
_DUE = text(
    f"SELECT * FROM ({_VERDICTS} ORDER BY s.current_period_end) AS found"  # noqa: S608 - our own words
    " WHERE verdict IS NOT NULL LIMIT :limit"
)
_OF_CLOSED_CIRCLES = text(
    "SELECT i.id FROM circles AS c JOIN invoices AS i ON i.circle_id = c.id"
    " JOIN subscriptions AS s ON s.id = i.subscription_id AND s.renewal_open"
    " WHERE c.closed_at IS NOT NULL AND i.kind = 'renewal' AND i.status = 'open' LIMIT :limit"
)
_THESE = text(f"{_VERDICTS} AND s.id = ANY (:ids)")


def over(uow: UnitOfWork, *, limit: int) -> list[Due]:
    """Return subscriptions whose term is over and to which something is due now."""
    return [_due(row) for row in uow.session.execute(_DUE, {**_params(uow), "limit": limit})]


def _due(row: Row[Any]) -> Due:
    return Due(row.id, row.membership_id, row.invoice_id, row.under_way, Verdict(row.verdict))


def settle_over(uow: UnitOfWork, found: Sequence[Due]) -> None:
    """Do what is due to such subscriptions, in some statements for all; nothing where that has changed meanwhile."""
    lock_each(uow, Membership, {one.membership_id for one in found})
    renewals = lock_each(uow, Invoice, {one.invoice_id for one in found if one.invoice_id})
    subscriptions = lock_each(uow, Subscription, {one.subscription_id for one in found})
    ids = {"ids": [one.subscription_id for one in found]}
    now = {row.id: _due(row) for row in uow.session.execute(_THESE, _params(uow) | ids) if row.verdict is not None}
    due = [one for one in found if now.get(one.subscription_id) == one]
    by_verdict = {verdict: [one for one in due if one.verdict == verdict] for verdict in Verdict}
    for one in by_verdict[Verdict.PAST_DUE]:
        _call_past_due(uow, subscriptions[one.subscription_id], one, renewals)
    write_off(uow, [renewals[one.invoice_id] for one in by_verdict[Verdict.GIVE_UP] if one.invoice_id])
    close_unpaid(
        uow, [renewals[one.invoice_id] for one in by_verdict[Verdict.END] if one.invoice_id], InvoiceStatus.VOID
    )
    ended = list[events.EndedSubscription]()
    for one in (*by_verdict[Verdict.GIVE_UP], *by_verdict[Verdict.END]):
        subscription = subscriptions[one.subscription_id]
        if one.verdict == Verdict.GIVE_UP:
            end_subscription(uow, subscription, _S.CANCELED)
        else:
            end_as_wished(uow, subscription)
        if not subscription.cancel_at_period_end:
            ended.append(events.EndedSubscription(subscription.id, subscription.circle_id, subscription.user_id))
    if ended:
        uow.emit(events.SubscriptionsEnded(tuple(ended)))


def _call_past_due(uow: UnitOfWork, subscription: Subscription, due: Due, renewals: Mapping[UUID, Invoice]) -> None:
    """The next term was not paid in time; who pays by themselves pays the price of that phase from now on."""
    subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.PAST_DUE)
    if due.invoice_id is None or subscription.collection == Collection.AUTO or due.is_being_paid:
        return
    renewal = renewals[due.invoice_id]
    price = uow.session.get_one(Price, renewal.price_id)
    number = renewal.period_no or subscription.period_no + 1
    renewal.amount = renewal_amount(uow, subscription, price, number, percent=price.grace_percent)


def in_closed_circles(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return open renewals of circles that were closed since they were opened."""
    return list(uow.session.scalars(_OF_CLOSED_CIRCLES, {"limit": limit}))


def give_up_renewals(uow: UnitOfWork, invoice_ids: Sequence[UUID]) -> None:
    """Void renewals that nobody has to pay any more."""
    found = select(Invoice.membership_id).where(Invoice.id == any_(literal(list(invoice_ids), ARRAY(Uuid()))))
    lock_each(uow, Membership, {one for one in uow.session.scalars(found) if one is not None})
    close_unpaid(uow, list(lock_each(uow, Invoice, invoice_ids).values()), InvoiceStatus.VOID)


def _params(uow: UnitOfWork) -> dict[str, Any]:
    return {
        "now": uow.now,
        "charge_takes": CHARGE_TAKES,
        "past_due_for": PAST_DUE_FOR,
        "last_retry_takes": LAST_RETRY_TAKES,
    }
