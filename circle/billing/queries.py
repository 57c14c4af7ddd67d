"""Reading money, as rows: checkouts, invoices, subscriptions."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, bindparam, exists, select, tuple_
from sqlalchemy import Uuid as UuidType

from circle.billing.models import (
    Checkout,
    Invoice,
    InvoiceKind,
    PaymentAttempt,
    Refund,
    Subscription,
)
from circle.billing.services.checkouts import checkout_url
from circle.billing.services.joining import Joined
from circle.billing.states import LIVE, UNDER_WAY, AttemptStatus, CheckoutStatus, InvoiceStatus
from circle.circles.models import Circle, Price, Tier
from circle.circles.queries import circle_card, price_out
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.queries import membership_card

# Newest first; the key of an imaginary row before the first.
_LAST_ID = UUID(int=2**128 - 1)
_START = {"created_at": datetime(9999, 12, 31, tzinfo=UTC), "id": _LAST_ID}
_INVOICE_KEY = Keyset("invoices", {"created_at": datetime, "id": UUID})

_CIRCLE_CARD = tuple(
    column.label(f"circle_{column.key}") for column in (Circle.id, Circle.slug, Circle.name, Circle.cover_media_id)
)
_TIER_CARD = (Tier.id.label("tier_id"), Tier.name.label("tier_name"), Tier.rank.label("tier_rank"))


def money(amount: int, currency: str) -> Json:
    return {"amount": amount, "currency": currency}


def _tier_card(row: Row) -> Json | None:
    if row["tier_id"] is None:
        return None
    return {"id": str(row["tier_id"]), "name": row["tier_name"], "rank": row["tier_rank"]}


def _price(price: Price) -> Json:
    return price_out({column.key: getattr(price, column.key) for column in Price.__table__.columns})


def checkout(uow: UnitOfWork, checkout_id: UUID) -> Json:
    """Return a checkout in the shape of `CheckoutOut`: what is to be paid, for what, and how far that is."""
    row = (
        uow.session.execute(
            select(
                Checkout.id,
                Checkout.status,
                Checkout.expires_at,
                Invoice.id.label("invoice_id"),
                Invoice.kind,
                Invoice.subscription_id,
                Invoice.amount,
                Invoice.currency,
                Invoice.period_start,
                Invoice.period_end,
                Circle.timezone,
                Price,
                *_CIRCLE_CARD,
                *_TIER_CARD,
            )
            .join(Invoice, Invoice.id == Checkout.invoice_id)
            .join(Circle, Circle.id == Invoice.circle_id)
            .outerjoin(Tier, Tier.id == Invoice.tier_id)
            .outerjoin(Price, Price.id == Invoice.price_id)
            .where(Checkout.id == checkout_id)
        )
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound
    late = row["status"] == CheckoutStatus.OPEN and row["expires_at"] <= uow.now
    plain = ("id", "expires_at", "invoice_id", "kind", "subscription_id", "period_start", "period_end", "timezone")
    return {
        **{name: row[name] for name in plain},
        "status": CheckoutStatus.EXPIRED.value if late else row["status"],
        "amount": money(row["amount"], row["currency"]),
        "url": checkout_url(uow, row["id"]),
        "circle": circle_card(dict(row)),
        "tier": _tier_card(dict(row)),
        "price": _price(row["Price"]) if row["Price"] is not None else None,
        "payment": _last_payment(uow, row["invoice_id"]),
    }


def payment(uow: UnitOfWork, checkout_id: UUID) -> Json:
    """Return how the payment of a checkout stands, in the shape of `PaymentOut`."""
    invoice_id = uow.session.scalars(select(Checkout.invoice_id).where(Checkout.id == checkout_id)).one()
    last = _last_payment(uow, invoice_id)
    if last is None:
        raise NotFound
    return last


def _last_payment(uow: UnitOfWork, invoice_id: UUID) -> Json | None:
    """Return the attempt that paid, or else the latest."""
    kept = (PaymentAttempt.status == AttemptStatus.SUCCEEDED) & PaymentAttempt.surplus.is_(False)
    attempt = uow.session.scalar(
        select(PaymentAttempt)
        .where(PaymentAttempt.invoice_id == invoice_id)
        .order_by(kept.desc(), PaymentAttempt.created_at.desc(), PaymentAttempt.id.desc())
        .limit(1)
    )
    if attempt is None:
        return None
    status, code = attempt.status, attempt.failure_code
    if status == AttemptStatus.CREATED:
        status = AttemptStatus.PROCESSING
    if attempt.surplus:
        status, code = AttemptStatus.FAILED, "refunded"
    return {"status": str(status), "action": attempt.action, "code": code, "retry": attempt.retry}


def awaiting_action(uow: UnitOfWork, checkout_id: UUID, provider: str) -> str | None:
    """Return the number of the checkout's attempt that waits for its payer at a provider; None where none does."""
    return uow.session.scalar(
        select(PaymentAttempt.number)
        .join(Checkout, Checkout.invoice_id == PaymentAttempt.invoice_id)
        .where(
            Checkout.id == checkout_id,
            PaymentAttempt.provider == provider,
            PaymentAttempt.status == AttemptStatus.REQUIRES_ACTION,
        )
    )


def provider_of_attempt(uow: UnitOfWork, number: str) -> str:
    return uow.session.scalars(select(PaymentAttempt.provider).where(PaymentAttempt.number == number)).one()


def joined(uow: UnitOfWork, how_far: Joined) -> Json:
    """Return how far somebody got in joining, in the shape of `JoinedOut`."""
    uow.session.flush()
    membership = how_far.membership
    return {
        "membership": membership_card(uow, membership.circle_id, membership.user_id),
        "subscription": how_far.subscription and card_of(how_far.subscription),
        "checkout": how_far.checkout and checkout(uow, how_far.checkout.id),
    }


def membership(uow: UnitOfWork, circle_id: UUID, user_id: UUID) -> Json:
    """Return one's membership with its live subscription, in the shape of `MembershipOut`. Errors: NotFound."""
    card = membership_card(uow, circle_id, user_id)
    return {**card, "subscription": _live_subscription(uow, UUID(card["id"]))}


def _live_subscription(uow: UnitOfWork, membership_id: UUID) -> Json | None:
    live = uow.session.scalar(
        select(Subscription).where(Subscription.membership_id == membership_id, Subscription.status.in_(LIVE))
    )
    return None if live is None else card_of(live)


def card_of(subscription: Subscription) -> Json:
    names = ("id", "status", "collection", "current_period_end", "cancel_at_period_end")
    return {name: getattr(subscription, name) for name in names}


def subscription(uow: UnitOfWork, one: Subscription) -> Json:
    """Return a subscription in the shape of `SubscriptionOut`."""
    price = uow.session.get_one(Price, one.price_id)
    tier = uow.session.get_one(Tier, one.tier_id)
    names = ("circle_id", "current_period_start", "trial_ends_at", "paused_at", "canceled_at", "ended_at", "created_at")
    return {
        **card_of(one),
        **{name: getattr(one, name) for name in names},
        "tier": {"id": tier.id, "name": tier.name, "rank": tier.rank},
        "price": _price(price),
        "next_price": _price(uow.session.get_one(Price, one.next_price_id)) if one.next_price_id else None,
        "renewal": _renewal(uow, one.id) if one.renewal_open else None,
        "payment_method": one.payment_method_id,
    }


def renewing(uow: UnitOfWork, one: Subscription) -> Json:
    """Return a subscription with what is left to pay for its next term, in the shape of `RenewingOut`."""
    shown = subscription(uow, one)
    checkout_id = shown["renewal"] and shown["renewal"]["checkout_id"]
    return {**shown, "checkout": checkout(uow, checkout_id) if checkout_id else None}


def _renewal(uow: UnitOfWork, subscription_id: UUID) -> Json:
    """Return the open renewal of a subscription, in the shape of `RenewalOut`."""
    i = Invoice
    row = uow.session.execute(
        select(
            *(i.id, i.amount, i.currency, i.due_at, i.period_start, i.period_end, i.charge_at),
            Checkout.id.label("checkout_id"),
        )
        .outerjoin(Checkout, Checkout.invoice_id == i.id)
        .where(i.subscription_id == subscription_id, i.kind == InvoiceKind.RENEWAL, i.status == InvoiceStatus.OPEN)
    ).one()
    return {
        **{name: getattr(row, name) for name in ("due_at", "period_start", "period_end", "charge_at")},
        "invoice_id": row.id,
        "checkout_id": row.checkout_id,
        "amount": money(row.amount, row.currency),
    }


def _select_invoices() -> Select[*tuple[Any, ...]]:
    key = tuple_(bindparam("created_at", type_=DateTime(timezone=True)), bindparam("id", type_=UuidType()))
    return (
        select(*Invoice.__table__.columns)
        .where(
            Invoice.payer_id == bindparam("payer_id", type_=UuidType()),
            tuple_(Invoice.created_at, Invoice.id) < key,
        )
        .order_by(Invoice.created_at.desc(), Invoice.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


_INVOICES = Query(_select_invoices)


def invoices(uow: UnitOfWork, payer_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of what somebody was billed, newest first."""
    key = _INVOICE_KEY.decode(cursor) if cursor else _START
    rows = uow.rows(_INVOICES, payer_id=payer_id, limit=limit + 1, **key)
    page, next_cursor = _INVOICE_KEY.page(rows, limit)
    ids = [row["id"] for row in page]
    tries, back = _attempts_of(uow, ids), _refunds_of(uow, ids)
    items = [_invoice(row, tries[row["id"]], back[row["id"]]) for row in page]
    return {"items": items, "next_cursor": next_cursor}


def invoice(uow: UnitOfWork, one: Invoice) -> Json:
    """Return an invoice in the shape of `InvoiceOut`."""
    row = {column.key: getattr(one, column.key) for column in Invoice.__table__.columns}
    return _invoice(row, _attempts_of(uow, [one.id])[one.id], _refunds_of(uow, [one.id])[one.id])


def _invoice(row: Row, attempts: list[Json], refunds: list[Json]) -> Json:
    plain = ("id", "number", "kind", "status", "currency", "circle_id", "subscription_id", "subject_id")
    dates = ("period_start", "period_end", "due_at", "paid_at", "refundable_until", "created_at")
    return {
        **{name: row[name] for name in (*plain, *dates)},
        "amount": money(row["amount"], row["currency"]),
        "refunded": money(row["refunded"], row["currency"]),
        "refunding": money(row["refunding"], row["currency"]),
        "attempts": attempts,
        "refunds": refunds,
    }


def _attempts_of(uow: UnitOfWork, invoice_ids: list[UUID]) -> dict[UUID, list[Json]]:
    """Return the attempts of invoices, in order, by invoice."""
    a = PaymentAttempt
    found = select(
        a.invoice_id, a.number, a.provider, a.status, a.failure_code, a.surplus, a.created_at, a.settled_at
    ).where(a.invoice_id.in_(invoice_ids))
    by_invoice: dict[UUID, list[Json]] = defaultdict(list)
    for row in uow.session.execute(found.order_by(a.created_at, a.id)).mappings():
        by_invoice[row["invoice_id"]].append({name: row[name] for name in row if name != "invoice_id"})
    return by_invoice


def refund(uow: UnitOfWork, number: str) -> Json:
    """Return a refund in the shape of `RefundOut`."""
    return _refund(uow.session.scalars(select(Refund).where(Refund.number == number)).one())


def _refunds_of(uow: UnitOfWork, invoice_ids: list[UUID]) -> dict[UUID, list[Json]]:
    """Return the refunds of invoices, in order, by invoice."""
    found = select(Refund).where(Refund.invoice_id.in_(invoice_ids)).order_by(Refund.created_at, Refund.id)
    by_invoice: dict[UUID, list[Json]] = defaultdict(list)
    for one in uow.session.scalars(found):
        by_invoice[one.invoice_id].append(_refund(one))
    return by_invoice


def _refund(one: Refund) -> Json:
    plain = ("id", "number", "invoice_id", "status", "reason", "failure_code", "created_at", "settled_at")
    return {**{name: getattr(one, name) for name in plain}, "amount": money(one.amount, one.currency)}


def expired_checkouts(uow: UnitOfWork, *, limit: int) -> list[UUID]:
    """Return checkouts past their time; those with a payment under way wait for its end."""
    paying = exists().where(PaymentAttempt.invoice_id == Checkout.invoice_id, PaymentAttempt.status.in_(UNDER_WAY))
    due = select(Checkout.id).where(Checkout.status == CheckoutStatus.OPEN, Checkout.expires_at <= uow.now, ~paying)
    return list(uow.session.scalars(due.order_by(Checkout.expires_at).limit(limit)))
