"""Reading coupons, gifts, quotes and price campaigns, as rows."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, bindparam, case, func, select, tuple_
from sqlalchemy import Uuid as UuidType

from circle.billing.models import Invoice
from circle.billing.offer_models import ChangeOutcome, Coupon, Discount, Gift, PriceCampaign, PriceChange, Quote
from circle.billing.queries import checkout, money, subscription
from circle.billing.services.changing import Changed
from circle.billing.services.consents import Pending
from circle.billing.services.gifts import code_of
from circle.billing.states import EARNING, InvoiceStatus
from circle.circles.models import Circle, Price, Tier
from circle.circles.queries import circle_card, price_out
from circle.kernel.cursor import Keyset
from circle.kernel.db import Json, Query, Row
from circle.kernel.uow import UnitOfWork
from circle.memberships.queries import membership_card

# Newest first; the key of an imaginary row before the first.
_START = {"created_at": datetime(9999, 12, 31, tzinfo=UTC), "id": UUID(int=2**128 - 1)}
_COUPON_KEY = Keyset("coupons", {"created_at": datetime, "id": UUID})
_GIFT_KEY = Keyset("gifts", {"created_at": datetime, "id": UUID})
_CAMPAIGN_KEY = Keyset("price_campaigns", {"created_at": datetime, "id": UUID})


_CIRCLE = bindparam("circle_id", type_=UuidType())


def _page(statement: Select[*tuple[Any, ...]], table: Any) -> Select[*tuple[Any, ...]]:
    """Keep a page of rows, newest first, after the key."""
    key = tuple_(bindparam("created_at", type_=DateTime(timezone=True)), bindparam("id", type_=UuidType()))
    return (
        statement.where(tuple_(table.created_at, table.id) < key)
        .order_by(table.created_at.desc(), table.id.desc())
        .limit(bindparam("limit", type_=Integer()))
    )


def _select_coupons() -> Select[*tuple[Any, ...]]:
    # Where there is no limit in total, nothing counts: the discounts are the count. Nobody but the owner waits for it.
    counted = (
        select(func.count()).where(Discount.coupon_id == Coupon.id, Discount.released_at.is_(None)).scalar_subquery()
    )
    uses = case((Coupon.max_uses.is_(None), counted), else_=Coupon.uses)
    columns = [column for column in Coupon.__table__.columns if column.key != "uses"]
    return _page(select(*columns, uses.label("uses")).where(Coupon.circle_id == _CIRCLE), Coupon)


_COUPONS = Query(_select_coupons)


def coupons(uow: UnitOfWork, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's coupons, newest first."""
    key = _COUPON_KEY.decode(cursor) if cursor else _START
    page, next_cursor = _COUPON_KEY.page(uow.rows(_COUPONS, circle_id=circle_id, limit=limit + 1, **key), limit)
    return {"items": [_coupon(row) for row in page], "next_cursor": next_cursor}


def coupon(one: Coupon) -> Json:
    """Return a new coupon in the shape of `CouponOut`."""
    return _coupon({column.key: getattr(one, column.key) for column in Coupon.__table__.columns})


def _coupon(row: Row) -> Json:
    hidden = {"currency", "created_by"}
    amount = None if row["amount"] is None else money(row["amount"], row["currency"])
    return {**{name: value for name, value in row.items() if name not in hidden}, "amount": amount}


def _select_gifts(side: Any) -> Select[*tuple[Any, ...]]:
    circle = [
        column.label(f"circle_{column.key}") for column in (Circle.id, Circle.slug, Circle.name, Circle.cover_media_id)
    ]
    price = [column.label(f"price_{column.key}") for column in Price.__table__.columns]
    return _page(
        select(
            *Gift.__table__.columns,
            Invoice.status,
            (Invoice.amount - Invoice.refunded - Invoice.refunding).label("kept"),
            Tier.name.label("tier_name"),
            Tier.rank.label("tier_rank"),
            *circle,
            *price,
        )
        .join(Invoice, Invoice.id == Gift.invoice_id)
        .join(Tier, Tier.id == Gift.tier_id)
        .join(Price, Price.id == Gift.price_id)
        .join(Circle, Circle.id == Gift.circle_id)
        .where(side == bindparam("user_id", type_=UuidType())),
        Gift,
    )


_GIFTS = {
    "bought": Query(lambda: _select_gifts(Gift.buyer_id)),
    "received": Query(lambda: _select_gifts(Gift.claimed_by)),
}


def gifts(uow: UnitOfWork, user_id: UUID, *, side: str, cursor: str | None, limit: int) -> Json:
    """Return a page of the gifts that somebody bought or received, newest first."""
    key = _GIFT_KEY.decode(cursor) if cursor else _START
    page, next_cursor = _GIFT_KEY.page(uow.rows(_GIFTS[side], user_id=user_id, limit=limit + 1, **key), limit)
    return {"items": [_gift(uow, row, user_id) for row in page], "next_cursor": next_cursor}


def gift(uow: UnitOfWork, one: Gift, user_id: UUID) -> Json:
    """Return a gift in the shape of `GiftOut`, to its buyer or to whoever received it."""
    side = "bought" if one.buyer_id == user_id else "received"
    just_before = {"created_at": one.created_at, "id": UUID(int=one.id.int + 1)}
    [row] = uow.rows(_GIFTS[side], user_id=user_id, limit=1, **just_before)
    return _gift(uow, row, user_id)


def _gift(uow: UnitOfWork, row: Row, user_id: UUID) -> Json:
    bought, status = row["buyer_id"] == user_id, _gift_status(row)
    plain = ("id", "message", "claimed_at", "starts_at", "ends_at", "created_at")
    return {
        **{name: row[name] for name in plain},
        "status": status,
        "code": code_of(uow, row["id"], row["code_hash"]) if bought and status == "ready" else None,
        "bought": bought,
        "circle": circle_card(row),
        "tier": {"id": row["tier_id"], "name": row["tier_name"], "rank": row["tier_rank"]},
        "price": price_out({column.key: row[f"price_{column.key}"] for column in Price.__table__.columns}),
        "invoice_id": row["invoice_id"] if bought else None,
    }


def _gift_status(row: Row) -> str:
    """Return what the invoice and the claim say together."""
    if row["status"] not in EARNING:
        return {InvoiceStatus.OPEN: "unpaid", InvoiceStatus.REFUNDED: "refunded"}.get(row["status"], "expired")
    if not row["kept"]:
        return "refunding"
    return "ready" if row["claimed_by"] is None else "claimed"


def bought_gift(uow: UnitOfWork, bought: tuple[Gift, Any]) -> Json:
    """Return a new gift with what is left to pay, in the shape of `BoughtGiftOut`."""
    one, to_pay = bought
    return {"gift": gift(uow, one, one.buyer_id), "checkout": checkout(uow, to_pay.id)}


def claimed_gift(uow: UnitOfWork, one: Gift, user_id: UUID) -> Json:
    """Return a gift to whoever has just claimed it, in the shape of `ClaimedGiftOut`."""
    return {"gift": gift(uow, one, user_id), "membership": membership_card(uow, one.circle_id, user_id)}


def _price(uow: UnitOfWork, price_id: UUID) -> Json:
    price = uow.session.get_one(Price, price_id)
    return price_out({column.key: getattr(price, column.key) for column in Price.__table__.columns})


def quote(uow: UnitOfWork, one: Quote) -> Json:
    """Return a quote in the shape of `QuoteOut`."""
    tier = uow.session.get_one(Tier, uow.session.get_one(Price, one.to_price_id).tier_id)
    plain = ("id", "subscription_id", "effective_at", "renews_at", "expires_at", "created_at")
    amounts = ("cost", "credit", "due", "renewal_amount")
    return {
        **{name: getattr(one, name) for name in plain},
        **{name: money(getattr(one, name), one.currency) for name in amounts},
        "effective": "now" if one.at_once else "period_end",
        "from_price": _price(uow, one.from_price_id),
        "to_price": _price(uow, one.to_price_id),
        "to_tier": {"id": tier.id, "name": tier.name, "rank": tier.rank},
    }


def changed(uow: UnitOfWork, how_far: Changed) -> Json:
    """Return how far a change of plan got, in the shape of `ChangedOut`."""
    uow.session.flush()
    return {
        "subscription": subscription(uow, how_far.subscription),
        "checkout": checkout(uow, how_far.checkout.id) if how_far.checkout else None,
    }


def _select_campaigns() -> Select[*tuple[Any, ...]]:
    ids = select(PriceCampaign.id, PriceCampaign.created_at).where(PriceCampaign.circle_id == _CIRCLE)
    return _page(ids, PriceCampaign)


_CAMPAIGNS = Query(_select_campaigns)


def campaigns(uow: UnitOfWork, circle_id: UUID, *, cursor: str | None, limit: int) -> Json:
    """Return a page of a circle's price campaigns, newest first."""
    key = _CAMPAIGN_KEY.decode(cursor) if cursor else _START
    page, next_cursor = _CAMPAIGN_KEY.page(uow.rows(_CAMPAIGNS, circle_id=circle_id, limit=limit + 1, **key), limit)
    found = uow.session.scalars(select(PriceCampaign).where(PriceCampaign.id.in_([row["id"] for row in page])))
    by_id = {one.id: one for one in found}
    return {"items": [campaign(uow, by_id[row["id"]]) for row in page], "next_cursor": next_cursor}


def campaign(uow: UnitOfWork, one: PriceCampaign) -> Json:
    """Return a campaign, and how far it is, in the shape of `CampaignOut`."""
    counts = uow.session.execute(
        select(
            func.count().label("told"),
            func.count(PriceChange.consented_at).label("consented"),
            func.count().filter(PriceChange.outcome == ChangeOutcome.MOVED).label("moved"),
            func.count().filter(PriceChange.outcome == ChangeOutcome.ENDING).label("ending"),
        ).where(PriceChange.campaign_id == one.id)
    )
    plain = ("id", "circle_id", "rises", "effective_at", "announced_at", "closed_at", "withdrawn", "created_at")
    return {
        **{name: getattr(one, name) for name in plain},
        **counts.mappings().one(),
        "from_price": _price(uow, one.from_price_id),
        "to_price": _price(uow, one.to_price_id),
    }


def price_change(uow: UnitOfWork, pending: Pending) -> Json:
    """Return what waits for a subscriber, in the shape of `PriceChangeOut`."""
    one, change = pending.campaign, pending.change
    return {
        "campaign_id": one.id,
        "subscription_id": change.subscription_id,
        "from_price": _price(uow, one.from_price_id),
        "to_price": _price(uow, one.to_price_id),
        "effective_at": one.effective_at,
        "needs_consent": one.rises and change.consented_at is None,
        "consented_at": change.consented_at,
    }
