"""What stands on a printed invoice, line by line."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from circle.billing.models import Invoice
from circle.billing.receipts import Receipt, receipt
from circle.kernel.clock import ManualClock
from tests.client import World


def printed(world: World, invoice_id: str) -> Receipt:
    with world.units.read() as uow:
        return receipt(uow, uow.session.get_one(Invoice, UUID(invoice_id)))


def test_a_receipt_tells_what_was_owed_paid_and_given_back(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    invoice_id = member.extra["invoice_id"]
    clock.advance(timedelta(hours=1))
    for amount in (100, 200, 300):
        world.refund(circle.owner, invoice_id, amount=amount).ok(201)
    sql("UPDATE refunds SET status = 'failed' WHERE amount = 100")
    sql("UPDATE refunds SET status = 'processing', settled_at = NULL WHERE amount = 200")

    shown = printed(world, invoice_id)
    sql("UPDATE refunds SET status = 'succeeded', settled_at = created_at")

    invoice = world.invoice(member, invoice_id)
    numbers = {one["amount"]["amount"]: one["number"] for one in invoice["refunds"]}
    assert shown.facts == (
        ("账单号 Invoice no.", invoice["number"]),
        ("状态 Status", "已部分退款 Refunded in part"),
        ("星球 Circle", "写作圈"),
        ("付款人 Paid by", "付费成员"),
        ("开具时间 Issued", "2026-03-01 12:00 (Asia/Shanghai)"),
        ("有效期 Period", "2026-03-01 12:00 – 2026-04-01 12:00"),
    )
    assert [(line.what, line.at, line.number, line.amount) for line in shown.lines] == [
        ("首期会费 First term 读者", "2026-03-01 12:00", "应付 Amount", "CNY 19.00"),
        ("付款 Payment (sandbox)", "2026-03-01 12:00", invoice["attempts"][0]["number"], "CNY 19.00"),
        ("退款中 Refund under way", "2026-03-01 13:00", numbers[200], "CNY -2.00"),
        ("退款 Refund", "2026-03-01 13:00", numbers[300], "CNY -3.00"),
    ]
    assert shown.total == ("实付 Kept", "CNY 13.00")


def test_a_receipt_tells_for_how_long(world: World) -> None:
    circle, person = world.circle(), world.person()
    circle.tiers["终身"] = world.tier(circle, "终身", 3, 99900, interval="lifetime")
    life = world.checkout(person, circle, circle.tier(3))
    gift = world.gift(circle, person)["checkout"]

    periods = [dict(printed(world, one["invoice_id"]).facts).get("有效期 Period") for one in (life, gift)]

    assert periods == ["2026-03-01 12:00 – 终身 for life", None]
    assert printed(world, gift["invoice_id"]).lines[0].what == "赠送会员 Gift 读者"
    assert printed(world, gift["invoice_id"]).total == ("实付 Kept", "CNY 0.00")
