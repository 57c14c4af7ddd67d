"""Upgrades: a better tier for the rest of the term, begun when its invoice is paid, undone when it is given back."""

from uuid import UUID

from sqlalchemy import select

from circle.billing.errors import PaymentUnderWay
from circle.billing.events import InvoiceRefunded
from circle.billing.models import Invoice, InvoiceKind, Subscription
from circle.billing.offer_models import Quote
from circle.billing.services.checkouts import free_held_seats
from circle.billing.services.locks import lock
from circle.billing.services.refunds import request_refund
from circle.billing.services.unpaid import give_up_unpaid
from circle.billing.states import EARNING, LIVE, SubscriptionStatus
from circle.circles.models import Price
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import SeatsTaken
from circle.memberships.models import GrantSource, Membership
from circle.memberships.services.access import give_access, revoke_access


def begin_upgrade(uow: UnitOfWork, invoice: Invoice) -> bool:
    """Give the better tier until the end of the term; False where it can't be given any more.

    That is: the subscription has changed or ended since the quote, its renewal is being paid, or the last seat went
    to somebody else.
    """
    subscription, quote = _subject(uow, invoice)
    price = uow.session.get_one(Price, quote.to_price_id)
    same_term = (subscription.price_id, subscription.current_period_end) == (quote.from_price_id, invoice.period_end)
    if subscription.status != SubscriptionStatus.ACTIVE or not same_term or quote.renews_at <= uow.now:
        return False
    try:
        with uow.session.begin_nested():
            # It was billed by the lesser price.
            give_up_unpaid(uow, subscription.id, kind=InvoiceKind.RENEWAL)
            give_access(
                uow,
                uow.session.get_one(Membership, subscription.membership_id),
                tier_id=price.tier_id,
                source=GrantSource.INVOICE,
                source_id=invoice.id,
                starts_at=uow.now,
                ends_at=invoice.period_end,
            )
    except (SeatsTaken, PaymentUnderWay):
        return False
    invoice.period_start = uow.now
    drop_plan(uow, subscription)
    subscription.tier_id, subscription.price_id = price.tier_id, price.id
    return True


def drop_plan(uow: UnitOfWork, subscription: Subscription) -> None:
    """Forget what the next period was to be billed by, and the seat that waited for it."""
    if subscription.next_price_id is None:
        return
    planned = uow.session.get_one(Price, subscription.next_price_id)
    subscription.next_price_id = None
    if planned.tier_id != subscription.tier_id:
        free_held_seats(uow, [(subscription.membership_id, planned.tier_id)])


def on_invoice_refunded(uow: UnitOfWork, event: InvoiceRefunded) -> None:
    """Undo what an upgrade that was given back did; with a whole term its upgrades are given back, too."""
    if not event.full:
        return
    invoice = uow.session.get_one(Invoice, event.invoice_id)
    if invoice.kind == InvoiceKind.UPGRADE:
        _fall_back(uow, invoice)
    elif invoice.subscription_id is not None:
        _give_back_upgrades(uow, invoice.subscription_id)


def _fall_back(uow: UnitOfWork, invoice: Invoice) -> None:
    subscription, quote = _subject(uow, invoice)
    if subscription.status not in LIVE or subscription.current_period_end != invoice.period_end:
        return
    if subscription.price_id == quote.to_price_id:
        price = uow.session.get_one(Price, quote.from_price_id)
        subscription.tier_id, subscription.price_id = price.tier_id, price.id


def _give_back_upgrades(uow: UnitOfWork, subscription_id: UUID) -> None:
    """Without the term that they made better, upgrades are worth nothing."""
    if uow.session.get_one(Subscription, subscription_id).status in LIVE:
        return
    upgrades = uow.session.scalars(
        select(Invoice)
        .where(
            Invoice.subscription_id == subscription_id,
            Invoice.kind == InvoiceKind.UPGRADE,
            Invoice.status.in_(EARNING),
            Invoice.period_end > uow.now,
        )
        .order_by(Invoice.id)
    ).all()
    for upgrade in upgrades:
        if upgrade.refundable:
            request_refund(uow, invoice_id=upgrade.id, amount=None, reason="term refunded", actor=None)
        elif not upgrade.amount:
            revoke_access(uow, source=GrantSource.INVOICE, source_id=upgrade.id, reason="refunded")


def _subject(uow: UnitOfWork, invoice: Invoice) -> tuple[Subscription, Quote]:
    if invoice.subject_id is None:
        raise ValueError(f"invoice {invoice.number} is for no quote")
    quote = uow.session.get_one(Quote, invoice.subject_id)
    return lock(uow, Subscription, quote.subscription_id), quote
