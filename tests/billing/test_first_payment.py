"""Joining for money: checkout, payment, invoice, grant, ledger."""

from datetime import timedelta

from circle.kernel.clock import ManualClock
from tests.builders.billing import idempotency_key
from tests.client import Api, World


def test_a_person_pays_and_is_a_member(world: World) -> None:
    circle = world.circle()
    person = world.person()

    joined = world.join(person, circle, circle.tier(2))
    answer = world.pay(person, joined["checkout"])

    assert joined["membership"]["status"] == "pending"
    assert joined["subscription"]["status"] == "incomplete"
    assert joined["checkout"]["amount"] == {"amount": 9900, "currency": "CNY"}
    assert joined["checkout"]["price"]["id"] == str(circle.tier(2).price_id)
    assert answer == {"status": "succeeded", "action": None, "code": None, "retry": None}
    membership = world.membership(person, circle)
    assert membership["status"] == "active"
    assert membership["tier"]["rank"] == 2
    assert membership["access_until"] == "2026-04-01T04:00:00Z"
    assert membership["subscription"] == {
        "id": joined["subscription"]["id"],
        "status": "active",
        "collection": "manual",
        "current_period_end": "2026-04-01T04:00:00Z",
        "cancel_at_period_end": False,
    }


def test_the_invoice_tells_what_was_paid(world: World) -> None:
    circle = world.circle()
    person = world.paying_member(circle)

    invoice = world.invoice(person, person.extra["invoice_id"])

    assert invoice["status"] == "paid"
    assert invoice["kind"] == "join"
    assert invoice["amount"] == {"amount": 1900, "currency": "CNY"}
    assert (invoice["period_start"], invoice["period_end"]) == ("2026-03-01T04:00:00Z", "2026-04-01T04:00:00Z")
    assert invoice["refundable_until"] == "2026-03-04T04:00:00Z"
    assert [attempt["status"] for attempt in invoice["attempts"]] == ["succeeded"]
    assert person.api.get("/me/invoices").ok()["items"] == [invoice]


def test_the_creator_sees_the_money(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    world.paying_member(circle, circle.tier(2))
    owner = circle.owner.api

    assert owner.get(f"{circle.path}/balance").ok() == {
        "pending": {"amount": 9900, "currency": "CNY"},
        "available": {"amount": 0, "currency": "CNY"},
        "in_payout": {"amount": 0, "currency": "CNY"},
        "other_currencies": [],
    }
    clock.advance(timedelta(hours=72))
    world.run_billing("release")

    balance = owner.get(f"{circle.path}/balance").ok()
    assert (balance["pending"]["amount"], balance["available"]["amount"]) == (0, 9900)
    movements = owner.get(f"{circle.path}/ledger").ok()["items"]
    assert [one["kind"] for one in movements] == ["release", "payment"]
    assert movements[1]["entries"] == [
        {"account": "clearing", "amount": {"amount": -9900, "currency": "CNY"}},
        {"account": "creator_pending", "amount": {"amount": 9900, "currency": "CNY"}},
    ]


def test_the_ledger_comes_in_pages(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    for _ in range(3):
        world.paying_member(circle)
        clock.advance(timedelta(minutes=1))
    owner = circle.owner.api

    first = owner.get(f"{circle.path}/ledger?limit=2").ok()
    second = owner.get(f"{circle.path}/ledger?limit=2&cursor={first['next_cursor']}").ok()

    assert (len(first["items"]), len(second["items"])) == (2, 1)
    assert second["next_cursor"] is None
    assert len({one["id"] for one in first["items"] + second["items"]}) == 3


def test_members_and_strangers_see_no_money(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    stranger = world.person()

    for path in ("balance", "ledger"):
        assert member.api.get(f"{circle.path}/{path}").code == "missing_permission"
        assert stranger.api.get(f"{circle.path}/{path}").status == 403
    assert stranger.api.get(f"/invoices/{member.extra['invoice_id']}").status == 404
    assert stranger.api.get(f"/subscriptions/{member.extra['subscription_id']}").status == 404
    assert circle.owner.api.get(f"/invoices/{member.extra['invoice_id']}").status == 200


def test_the_operators_share_is_taken_at_the_payment(world: World, five_percent: None) -> None:
    circle = world.circle()
    world.paying_member(circle)

    assert circle.owner.api.get(f"{circle.path}/balance").ok()["pending"]["amount"] == 1805


def test_a_paid_checkout_is_not_charged_again(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout)

    assert world.pay(person, checkout, "decline_hard")["status"] == "succeeded"

    assert len(world.invoice(person, checkout["invoice_id"])["attempts"]) == 1


def test_the_same_key_replays_the_answer(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)
    sent = {"payment_method": world.method(person)}
    key = idempotency_key()

    first = person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=key)
    second = person.api.post(f"/checkouts/{checkout['id']}/pay", sent, headers=key)

    assert first.ok() == second.ok()
    assert second.headers["Idempotent-Replayed"] == "true"
    other = {"payment_method": world.method(person)}
    assert person.api.post(f"/checkouts/{checkout['id']}/pay", other, headers=key).code == "idempotency_key_reused"


def test_paying_needs_an_idempotency_key(world: World) -> None:
    circle = world.circle()
    person = world.person()
    checkout = world.checkout(person, circle)

    reply = person.api.post(f"/checkouts/{checkout['id']}/pay", {"payment_method": world.method(person)})

    assert reply.code == "idempotency_key_required"


def test_joining_again_returns_the_same_checkout(world: World) -> None:
    circle = world.circle()
    person = world.person()

    first, second = world.join(person, circle), world.join(person, circle)

    assert first["checkout"]["id"] == second["checkout"]["id"]
    assert first["subscription"]["id"] == second["subscription"]["id"]


def test_choosing_another_price_gives_the_first_checkout_up(world: World) -> None:
    circle = world.circle()
    person = world.person()
    first = world.checkout(person, circle, circle.tier(1))

    second = world.checkout(person, circle, circle.tier(2))

    assert person.api.get(f"/checkouts/{first['id']}").ok()["status"] == "expired"
    assert world.pay(person, second)["status"] == "succeeded"
    assert world.membership(person, circle)["tier"]["rank"] == 2


def test_a_member_does_not_join_again(world: World) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    sent = {"price_id": str(circle.tier(2).price_id), "collection": "manual"}

    assert member.api.post(f"{circle.path}/join", sent).code == "already_a_member"
    assert circle.owner.api.post(f"{circle.path}/join", sent).code == "already_a_member"


def test_a_checkout_belongs_to_its_payer(world: World, api: Api) -> None:
    circle = world.circle()
    person, other = world.person(), world.person()
    checkout = world.checkout(person, circle)
    path = f"/checkouts/{checkout['id']}"

    assert other.api.get(path).status == 404
    paying = other.api.post(f"{path}/pay", {"payment_method": world.method(other)}, headers=idempotency_key())
    assert paying.status == 404
    assert api.get(path).status == 401
    assert person.api.get(path).ok()["payment"] is None


def test_a_lapsed_member_joins_afresh(world: World, clock: ManualClock) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    clock.advance(timedelta(days=32))

    checkout = world.checkout(member, circle)
    world.pay(member, checkout)

    assert world.membership(member, circle)["access_until"] == "2026-05-02T04:00:00Z"
    assert member.api.get(f"/subscriptions/{member.extra['subscription_id']}").ok()["status"] == "expired"
