"""What the end of a term brings: past due while the next may still be paid, then the end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from circle.billing import events
from circle.billing.models import Collection, Invoice, Subscription
from circle.billing.renewal_sql import NEXT_PRICE, RENEWABLE
from circle.billing.rules import CHARGE_TAKES, LAST_RETRY_TAKES, PAST_DUE_FOR
from circle.billing.services.checkouts import has_payment_under_way, void_unpaid, write_off
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.services.pricing import renewal_amount
from circle.billing.services.renewing import open_renewal
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
    verdict: Verdict


# A renewal that is being paid is waited for; without an open one, whatever can be renewed is left to `billing.bill`.
_VERDICTS = f"""
SELECT s.id, s.membership_id, CASE
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
_ONE = text(f"{_VERDICTS} AND s.id = :id")


def over(uow: UnitOfWork, *, limit: int) -> list[Due]:
    """Return subscriptions whose term is over and to which something is due now."""
    found = uow.session.execute(_DUE, {**_params(uow), "limit": limit})
    return [Due(row.id, row.membership_id, Verdict(row.verdict)) for row in found]


def settle_over(uow: UnitOfWork, due: Due) -> bool:
    """Do what is due to one such subscription; False where that has changed meanwhile."""
    lock(uow, Membership, due.membership_id)
    renewal = open_renewal(uow, due.subscription_id)
    subscription = lock(uow, Subscription, due.subscription_id)
    uow.session.flush()
    row = uow.session.execute(_ONE, {**_params(uow), "id": due.subscription_id}).first()
    if row is None or row.verdict != due.verdict:
        return False
    if due.verdict == Verdict.PAST_DUE:
        _call_past_due(uow, subscription, renewal)
        return True
    if due.verdict == Verdict.GIVE_UP and renewal is not None:
        write_off(uow, renewal)
        end_subscription(uow, subscription, _S.CANCELED)
    else:
        if renewal is not None:
            void_unpaid(uow, renewal)
        end_as_wished(uow, subscription)
    if not subscription.cancel_at_period_end:
        about = (subscription.id, subscription.circle_id, subscription.user_id)
        uow.emit(events.SubscriptionsEnded((events.EndedSubscription(*about),)))
    return True


def _call_past_due(uow: UnitOfWork, subscription: Subscription, renewal: Invoice | None) -> None:
    """The next term was not paid in time; who pays by themselves pays the price of that phase from now on."""
    subscription.status = SUBSCRIPTION.require(_S(subscription.status), _S.PAST_DUE)
    if renewal is None or subscription.collection == Collection.AUTO or has_payment_under_way(uow, renewal.id):
        return
    price = uow.session.get_one(Price, renewal.price_id)
    number = renewal.period_no or subscription.period_no + 1
    renewal.amount = renewal_amount(uow, subscription, price, number, percent=price.grace_percent)


def in_closed_circles(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return open renewals of circles that were closed since they were opened."""
    return list(uow.session.scalars(_OF_CLOSED_CIRCLES, {"limit": limit}))


def give_up_renewal(uow: UnitOfWork, invoice_id: UUID) -> bool:
    """Void a renewal that nobody has to pay any more; False where it is closed already."""
    invoice = lock_invoice(uow, invoice_id)
    if invoice.status != InvoiceStatus.OPEN:
        return False
    void_unpaid(uow, invoice)
    return True


def _params(uow: UnitOfWork) -> dict[str, Any]:
    return {
        "now": uow.now,
        "charge_takes": CHARGE_TAKES,
        "past_due_for": PAST_DUE_FOR,
        "last_retry_takes": LAST_RETRY_TAKES,
    }
