"""What is done to money stands in the circle's record: what, to what, and by whom."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from circle.billing.models import Checkout
from circle.billing.services import payouts
from circle.billing.services.installation import confirm_installation
from circle.billing.states import CheckoutStatus
from tests.builders.billing import idempotency_key
from tests.client import World


def test_what_an_owner_does_to_money_is_recorded(world: World, clock: Any, sql: Any) -> None:
    circle = world.circle()
    owner = circle.owner
    coupon = world.coupon(circle)
    owner.api.delete(f"/coupons/{coupon['id']}").ok(204)
    owner.api.delete(f"/coupons/{coupon['id']}").ok(204)
    [member] = world.earn(circle, clock)
    world.pay_out_to(circle, "ok")
    payout = world.withdraw(circle, 500).ok(201)
    owner.api.post(f"/payouts/{payout['id']}/cancel", headers=idempotency_key()).ok()
    owner.api.delete(f"{circle.path}/payout-account").ok(204)
    world.refund(owner, member.extra["invoice_id"], amount=100).ok(201)

    found = sql(
        "SELECT action, subject_kind, subject_id, actor_id FROM audit_log WHERE circle_id = :circle ORDER BY id",
        circle=circle.id,
    )

    money = ("coupon.", "payout", "refund.")
    told = [(row["action"], row["subject_kind"], row["subject_id"]) for row in found if row["action"].startswith(money)]
    assert told == [
        ("coupon.create", "coupon", UUID(coupon["id"])),
        ("coupon.archive", "coupon", UUID(coupon["id"])),
        ("payout_account.set", "circle", circle.id),
        ("payout.request", "payout", UUID(payout["id"])),
        ("payout.cancel", "payout", UUID(payout["id"])),
        ("payout_account.forget", "circle", circle.id),
        ("refund.request", "invoice", UUID(member.extra["invoice_id"])),
    ]
    assert {row["actor_id"] for row in found if row["action"].startswith(money)} == {owner.id}
    for table in ("refunds", "payouts"):
        assert sql(f"SELECT requested_by FROM {table}") == [{"requested_by": owner.id}]  # noqa: S608 - our own words


def test_what_is_done_to_prices_is_recorded_with_its_figures(world: World, sql: Any) -> None:
    circle = world.circle()
    world.coupon(circle)
    tier = circle.tier(1)
    sent = {"from_price_id": str(tier.price_id), "to_price_id": world.price(circle, tier, 900)}
    path = f"{circle.path}/price-campaigns"
    campaign = circle.owner.api.post(path, {**sent, "effective_on": "2026-04-15"}).ok(201)
    for _ in range(2):
        circle.owner.api.delete(f"/price-campaigns/{campaign['id']}").ok(204)

    found = sql(
        "SELECT action, subject_id, data FROM audit_log WHERE circle_id = :circle ORDER BY id", circle=circle.id
    )

    told = [row for row in found if row["action"].startswith(("coupon.", "price_campaign."))]
    assert [(row["action"], row["data"]) for row in told] == [
        ("coupon.create", {"code": "SPRING", "percent": 20, "amount": None, "duration": "once"}),
        ("price_campaign.start", {"before": 1900, "after": 900}),
        ("price_campaign.withdraw", {}),
    ]
    assert {row["subject_id"] for row in told[1:]} == {UUID(campaign["id"])}


def test_what_an_operator_does_to_payouts_is_recorded(world: World, clock: Any, sql: Any) -> None:
    circle = world.circle()
    world.earn(circle, clock)
    paid, refused = (world.withdraw(circle, amount).ok(201) for amount in (500, 300))
    with world.units.write() as uow:
        payouts.approve_payout(uow, paid["number"])
        payouts.mark_paid(uow, paid["number"], reference="transfer 17")
        payouts.refuse_payout(uow, refused["number"], reason="unknown account")

    found = sql("SELECT * FROM audit_log WHERE circle_id = :circle AND actor_id IS NULL ORDER BY id", circle=circle.id)

    assert [(row["action"], row["subject_id"], row["data"]) for row in found] == [
        ("payout.approve", UUID(paid["id"]), {"amount": 500, "currency": "CNY"}),
        ("payout.pay", UUID(paid["id"]), {"amount": 500, "currency": "CNY", "reference": "transfer 17"}),
        ("payout.refuse", UUID(refused["id"]), {"amount": 300, "currency": "CNY", "reason": "unknown account"}),
    ]


def test_who_confirms_an_installation_is_recorded(world: World, sql: Any) -> None:
    operator = world.person()
    for confirmed_by in (None, operator.id):
        with world.units.write() as uow:
            confirm_installation(uow, "sandbox", confirmed_by=confirmed_by)

    found = sql("SELECT subject_kind, actor_id FROM audit_log WHERE action = 'installation.confirm' ORDER BY id")

    assert [(row["subject_kind"], row["actor_id"]) for row in found] == [("provider", None), ("provider", operator.id)]


def test_a_refund_that_fails_is_recorded(world: World, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    sql("UPDATE sandbox_charges SET state = 'frozen'")
    refund = world.refund(member, member.extra["invoice_id"]).ok(201)
    sql("UPDATE sandbox_charges SET state = 'succeeded'")

    [noted] = sql("SELECT * FROM audit_log WHERE action = 'refund.fail'")

    assert (noted["circle_id"], noted["actor_id"]) == (circle.id, None)
    assert (noted["subject_kind"], noted["subject_id"]) == ("invoice", UUID(member.extra["invoice_id"]))
    assert noted["data"] == {"refund_id": refund["id"], "code": "no_such_charge"}


def test_a_checkout_is_open_until_the_instant_at_which_it_expires() -> None:
    now = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
    checkout = Checkout(status=CheckoutStatus.OPEN, expires_at=now)

    assert checkout.is_open(now - timedelta(microseconds=1))
    assert not checkout.is_open(now)
    assert not Checkout(status=CheckoutStatus.COMPLETED, expires_at=now).is_open(now - timedelta(days=1))
