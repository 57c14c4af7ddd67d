"""Gifts: bought by one person, claimed by another, refundable until then."""

import hmac
import re
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select

from circle.billing.errors import PaymentUnderWay
from circle.billing.events import InvoiceRefunded
from circle.billing.models import Checkout, Invoice, InvoiceKind, Subscription
from circle.billing.offer_errors import (
    GiftClaimed,
    GiftNotUsable,
    NothingToAdd,
    NotLetIn,
    OwnGift,
    SubscriptionRenews,
)
from circle.billing.offer_events import GiftClaimed as GiftWasClaimed
from circle.billing.offer_models import Gift
from circle.billing.services.charges import start_charge
from circle.billing.services.joining import require_offer
from circle.billing.services.locks import lock, lock_invoice
from circle.billing.services.unpaid import give_up_unpaid
from circle.billing.states import EARNING, LIVE, SubscriptionStatus
from circle.circles.models import Circle, Interval, Price, Tier
from circle.circles.terms import months_after, months_of, term_end
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.ids import code_from, digest, new_id
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Grant, GrantSource, Membership
from circle.memberships.policy import require_look, require_open_circle
from circle.memberships.services.access import give_access, revoke_access
from circle.memberships.services.joining import prepare_join

# 78 bits: nobody guesses one, however many addresses they ask from.
CODE_LETTERS = 16


def buy_gift(
    uow: UnitOfWork, caller: Caller, circle_id: UUID, *, price_id: UUID, message: str
) -> tuple[Gift, Checkout]:
    """Ask somebody to pay for one term of a price that somebody else will have.

    Errors: NotFound, Banned, CircleClosed, UnknownPrice.
    """
    require_open_circle(require_look(uow, caller, circle_id))
    price = require_offer(uow, circle_id, price_id, paid=True)
    gift_id = new_id()
    checkout = start_charge(
        uow,
        payer_id=caller.user_id,
        circle_id=circle_id,
        membership_id=None,
        kind=InvoiceKind.GIFT,
        subject_id=gift_id,
        amount=price.amount,
        currency=price.currency,
    )
    invoice = uow.session.get_one(Invoice, checkout.invoice_id)
    invoice.price_id, invoice.tier_id = price.id, price.tier_id
    gift = Gift(
        id=gift_id,
        circle_id=circle_id,
        price_id=price.id,
        tier_id=price.tier_id,
        buyer_id=caller.user_id,
        invoice_id=invoice.id,
        code_hash=digest(_derive(uow, gift_id)),
        message=message,
        created_at=uow.now,
    )
    uow.session.add(gift)
    uow.session.flush()
    return gift, checkout


def code_of(uow: UnitOfWork, gift_id: UUID, code_hash: bytes) -> str | None:
    """Return a gift's code in groups of four, for its buyer; None where the installation's secret has changed since."""
    code = _derive(uow, gift_id)
    if digest(code) != code_hash:
        return None
    return "-".join(re.findall("....", code))


def _derive(uow: UnitOfWork, gift_id: UUID) -> str:
    seal = hmac.digest(uow.use(Settings).secret_key.encode(), b"gift:" + gift_id.bytes, "sha256")
    return code_from(seal, CODE_LETTERS)


def claim_gift(
    uow: UnitOfWork, caller: Caller, *, code: str, invitation: str | None = None, answers: list[str] | None = None
) -> Gift:
    """Take a gift: its term starts now, or where what one has of its tier or a better one ends.

    Errors: GiftNotUsable, GiftClaimed, OwnGift, NotLetIn, NothingToAdd, SubscriptionRenews, SeatsTaken, and those of
    `prepare_join`.
    """
    found = uow.session.scalar(select(Gift).where(Gift.code_hash == digest(re.sub(r"[\s-]", "", code).upper())))
    if found is None:
        raise GiftNotUsable
    if found.buyer_id == caller.user_id:
        raise OwnGift
    membership = prepare_join(uow, caller, found.circle_id, invitation=invitation, answers=answers)
    gift, invoice = _lock_claimable(uow, found)
    if membership.approved_at is None:
        raise NotLetIn
    _begin_term(uow, membership, gift)
    invoice.membership_id = membership.id  # from now on its lock comes with the membership's
    gift.claimed_by, gift.claimed_at = caller.user_id, uow.now
    uow.session.flush()
    uow.emit(GiftWasClaimed(gift.id, gift.circle_id, gift.buyer_id, caller.user_id))
    return gift


def _lock_claimable(uow: UnitOfWork, found: Gift) -> tuple[Gift, Invoice]:
    """Return a gift that is paid and nobody's yet; the lock of its invoice keeps refunds and others out."""
    invoice = lock_invoice(uow, found.invoice_id)
    gift = lock(uow, Gift, found.id)
    if invoice.status not in EARNING or not invoice.refundable:
        raise GiftNotUsable
    if gift.claimed_by is not None:
        raise GiftClaimed
    return gift, invoice


def _begin_term(uow: UnitOfWork, membership: Membership, gift: Gift) -> None:
    """Give the gift's term: now, after what they have, or in between of a subscription and its renewal."""
    price = uow.session.get_one(Price, gift.price_id)
    after = _has_until(uow, membership, gift.tier_id)
    subscription = _renewing(uow, membership, gift.tier_id)
    if subscription is not None:
        gift.starts_at, gift.ends_at = _put_off_renewal(uow, subscription, gift, price)
    else:
        gift.starts_at = after
        gift.ends_at = term_end(price, after, 1, uow.session.get_one(Circle, gift.circle_id).timezone)
    if gift.ends_at is not None and gift.ends_at <= gift.starts_at:
        raise NothingToAdd if gift.starts_at > uow.now else GiftNotUsable
    give_access(
        uow,
        membership,
        tier_id=gift.tier_id,
        source=GrantSource.GIFT,
        source_id=gift.id,
        starts_at=gift.starts_at,
        ends_at=gift.ends_at,
    )


def _has_until(uow: UnitOfWork, membership: Membership, tier_id: UUID) -> datetime:
    """Return until when they have the tier or a better one; now, where they don't. Errors: NothingToAdd (for good)."""
    ends = uow.session.scalars(
        select(Grant.ends_at)
        .join(Tier, Tier.id == Grant.tier_id)
        .where(
            Grant.membership_id == membership.id,
            Grant.revoked_at.is_(None),
            or_(Grant.ends_at.is_(None), Grant.ends_at > uow.now),
            Tier.rank >= uow.session.get_one(Tier, tier_id).rank,
        )
    ).all()
    covered = [end for end in ends if end is not None]
    if len(covered) < len(ends):
        raise NothingToAdd
    return max(covered, default=uow.now)


def _renewing(uow: UnitOfWork, membership: Membership, tier_id: UUID) -> Subscription | None:
    """Return the subscription, locked, that would go on billing for days that the gift is for."""
    found = uow.session.scalar(
        select(Subscription.id)
        .join(Tier, Tier.id == Subscription.tier_id)
        .join(Price, Price.id == func.coalesce(Subscription.next_price_id, Subscription.price_id))
        .where(
            Price.interval.in_((Interval.MONTH, Interval.YEAR)),
            Subscription.membership_id == membership.id,
            Subscription.status.in_(LIVE),
            Subscription.status != SubscriptionStatus.INCOMPLETE,
            Subscription.cancel_at_period_end.is_(False),
            Tier.rank >= uow.session.get_one(Tier, tier_id).rank,
        )
    )
    return None if found is None else lock(uow, Subscription, found)


def _put_off_renewal(
    uow: UnitOfWork, subscription: Subscription, gift: Gift, price: Price
) -> tuple[datetime, datetime]:
    """Let a subscription renew so many months later: nobody pays for days that somebody gave them.

    Errors: SubscriptionRenews where that can't be reckoned in months of its own tier, PaymentUnderWay.
    """
    months, ends_at = months_of(price), subscription.current_period_end
    is_plain = subscription.status == SubscriptionStatus.ACTIVE and subscription.tier_id == gift.tier_id
    if not is_plain or not months or ends_at is None or subscription.anchor_at is None:
        raise SubscriptionRenews
    give_up_unpaid(uow, subscription.id)
    subscription.anchor_months += months
    subscription.current_period_end = months_after(
        subscription.anchor_at, subscription.anchor_months, subscription.timezone
    )
    gift.subscription_id = subscription.id
    return ends_at, subscription.current_period_end


def on_invoice_refunded(uow: UnitOfWork, event: InvoiceRefunded) -> None:
    """Take back what a gift gave, once all of its price has gone back."""
    if event.kind != InvoiceKind.GIFT or not event.full or event.subject_id is None:
        return
    revoke_access(uow, source=GrantSource.GIFT, source_id=event.subject_id, reason="refunded")
    gift = uow.session.get_one(Gift, event.subject_id)
    if gift.subscription_id is not None and gift.starts_at is not None:
        _renew_earlier(uow, gift, gift.subscription_id, gift.starts_at)


def _renew_earlier(uow: UnitOfWork, gift: Gift, subscription_id: UUID, ends_at: datetime) -> None:
    """Undo what put a renewal off, unless the subscription has gone on since or its renewal is being paid."""
    subscription = lock(uow, Subscription, subscription_id)
    if subscription.status != SubscriptionStatus.ACTIVE or subscription.current_period_end != gift.ends_at:
        return
    with suppress(PaymentUnderWay), uow.session.begin_nested():
        give_up_unpaid(uow, subscription.id)
        subscription.anchor_months -= months_of(uow.session.get_one(Price, gift.price_id))
        subscription.current_period_end = ends_at
