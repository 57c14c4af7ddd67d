"""Notifications: early, late, twice, shuffled, forged, and about somebody else."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from circle.billing.providers.base import UNKNOWN, Outcome
from circle.kernel.clock import ManualClock
from tests.builders.people import Person
from tests.client import Api, Reply, World


def notify(api: Api, world: World, clock: ManualClock, *, age: timedelta = timedelta(), **content: str) -> Reply:
    headers, body = world.sandbox.sealed({"id": "evt_1", "kind": "charge", **content}, clock.now() - age)
    return api.request("POST", "/webhooks/sandbox", headers=headers, data=body)


def pending(world: World, circle: Any, way: str = "pending_then_ok") -> tuple[Person, Any, str]:
    person = world.person()
    checkout = world.checkout(person, circle)
    world.pay(person, checkout, way)
    return person, checkout, world.invoice(person, checkout["invoice_id"])["attempts"][0]["number"]


def test_a_webhook_brings_the_answer(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    person, _, _ = pending(world, circle)

    clock.advance(timedelta(minutes=2))
    world.run_billing("sandbox", "inbox")

    assert world.membership(person, circle)["status"] == "active"


def test_a_webhook_before_the_answer(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    person, checkout, _ = pending(world, circle, "lost_answer")

    world.deliver_webhooks(api)
    world.run_billing("inbox")
    assert world.membership(person, circle)["status"] == "active"
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")

    assert len(world.invoice(person, checkout["invoice_id"])["attempts"]) == 1


def test_a_webhook_is_believed_in_nothing_but_where_to_look(world: World, api: Api, clock: ManualClock) -> None:
    circle = world.circle()
    person, _, number = pending(world, circle)

    notify(api, world, clock, number=number, state="succeeded", amount="0").ok(200)
    world.run_billing("inbox")

    assert world.membership(person, circle)["status"] == "pending"


def test_one_event_is_kept_once(world: World, api: Api, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, _, number = pending(world, circle)
    clock.advance(timedelta(minutes=2))

    for _ in range(20):
        notify(api, world, clock, number=number).ok(200)
    assert world.run_billing("inbox") == 1

    assert sql("SELECT result FROM provider_events") == [{"result": "succeeded"}]
    assert world.membership(person, circle)["status"] == "active"


def test_what_has_come_to_its_end_is_not_asked_about(
    world: World, api: Api, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    number = world.invoice(member, member.extra["invoice_id"])["attempts"][0]["number"]
    asked = list[str]()
    monkeypatch.setattr(world.sandbox, "query", lambda number, _reference=None: asked.append(number))

    notify(api, world, clock, number=number).ok(200)

    assert world.run_billing("inbox") == 1
    assert asked == []
    assert sql("SELECT result, processed_at FROM provider_events") == [
        {"result": "succeeded", "processed_at": clock.now()}
    ]


def test_much_news_of_one_payment_is_asked_about_once(
    world: World, api: Api, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    person, _, number = pending(world, circle)
    clock.advance(timedelta(minutes=2))
    ask, asked = world.sandbox.query, list[str]()

    def counted(number: str, reference: str | None = None) -> Outcome:
        asked.append(number)
        return ask(number, reference)

    monkeypatch.setattr(world.sandbox, "query", counted)
    for event in ("evt_1", "evt_2", "evt_3"):
        notify(api, world, clock, id=event, number=number).ok(200)

    assert world.run_billing("inbox") == 3
    assert asked == [number]
    assert [row["result"] for row in sql("SELECT result FROM provider_events")] == ["succeeded"] * 3
    assert world.membership(person, circle)["status"] == "active"


def test_news_of_somebody_elses_payment_is_taken_and_left_alone(
    world: World, api: Api, clock: ManualClock, sql: Any
) -> None:
    notify(api, world, clock, number="0" * 32).ok(200)
    notify(api, world, clock, id="evt_2", kind="refund", number="0" * 32).ok(200)

    assert world.run_billing("inbox") == 2

    assert {row["result"] for row in sql("SELECT result FROM provider_events")} == {"not_ours"}


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=00", "t=1772337600,v1=é", "nonsense"])
def test_a_forged_webhook_is_refused_and_noted(
    world: World, api: Api, clock: ManualClock, sql: Any, signature: str | None
) -> None:
    circle = world.circle()
    person, _, number = pending(world, circle)
    clock.advance(timedelta(minutes=2))
    headers = {} if signature is None else {"Sandbox-Signature": signature}

    body = orjson.dumps({"id": "evt_1", "kind": "charge", "number": number})
    reply = api.request("POST", "/webhooks/sandbox", headers=headers, data=body)

    assert (reply.status, reply.code) == (401, "bad_signature")
    noted = sql(
        "SELECT subject_kind, data->>'provider' AS provider, data->>'code' AS code"
        " FROM audit_log WHERE action = 'notification.refuse'"
    )
    assert noted == [{"subject_kind": "provider", "provider": "sandbox", "code": "bad_signature"}]
    assert world.run_billing("inbox") == 0
    assert world.membership(person, circle)["status"] == "pending"


def test_a_changed_body_is_forged(world: World, api: Api, clock: ManualClock) -> None:
    headers, body = world.sandbox.sealed({"id": "evt_1", "kind": "charge", "number": "a"}, clock.now())

    reply = api.request("POST", "/webhooks/sandbox", headers=headers, data=body.replace(b'"a"', b'"b"'))

    assert reply.code == "bad_signature"


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=365), -timedelta(minutes=6)])
def test_an_old_webhook_is_refused_and_noted(
    world: World, api: Api, clock: ManualClock, sql: Any, age: timedelta
) -> None:
    reply = notify(api, world, clock, number="a", age=age)

    assert (reply.status, reply.code) == (400, "notification_too_old")
    assert len(sql("SELECT 1 FROM audit_log WHERE action = 'notification.refuse'")) == 1
    assert sql("SELECT 1 FROM provider_events") == []


def test_a_webhook_that_says_nothing_is_refused(world: World, api: Api, clock: ManualClock) -> None:
    headers, body = world.sandbox.sealed({"hello": "world"}, clock.now())

    assert api.request("POST", "/webhooks/sandbox", headers=headers, data=body).code == "unreadable_notification"
    assert api.request("POST", "/webhooks/nobody", headers=headers, data=body).status == 404


def test_too_little_money_pays_nothing_and_goes_back(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, checkout, _ = pending(world, circle)
    sql("UPDATE sandbox_charges SET amount = amount - 1")

    clock.advance(timedelta(minutes=2))
    world.run_billing("sandbox", "inbox", "refund")

    assert world.membership(person, circle)["status"] == "pending"
    invoice = world.invoice(person, checkout["invoice_id"])
    assert (invoice["status"], invoice["attempts"][0]["surplus"]) == ("open", True)
    clock.advance(timedelta(minutes=2))
    world.run_billing("refund")
    assert [dict(row) for row in sql("SELECT status, amount FROM refunds")] == [{"status": "succeeded", "amount": 1899}]
    assert world.pay(person, checkout)["status"] == "succeeded"


def test_money_in_another_currency_pays_nothing_and_goes_back(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, _, _ = pending(world, circle)
    sql("UPDATE sandbox_charges SET currency = 'JPY'")

    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve", "refund")
    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert world.membership(person, circle)["status"] == "pending"
    assert sql("SELECT status, currency FROM refunds") == [{"status": "succeeded", "currency": "JPY"}]


def test_a_failure_that_turns_out_to_be_a_payment_counts(world: World, api: Api, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, checkout, number = pending(world, circle, "decline_soft")
    sql("UPDATE sandbox_charges SET state = 'succeeded', code = NULL")

    notify(api, world, clock, number=number).ok(200)
    world.run_billing("inbox")

    assert world.membership(person, circle)["status"] == "active"
    assert world.invoice(person, checkout["invoice_id"])["attempts"][0]["status"] == "succeeded"


def test_a_payment_that_is_reported_as_failed_afterwards_stays_a_payment(
    world: World, api: Api, clock: ManualClock, sql: Any
) -> None:
    circle = world.circle()
    person, checkout, number = pending(world, circle, "ok")
    sql("UPDATE sandbox_charges SET state = 'failed'")

    notify(api, world, clock, number=number).ok(200)
    world.run_billing("inbox")

    assert world.invoice(person, checkout["invoice_id"])["status"] == "paid"
    sql("UPDATE sandbox_charges SET state = 'succeeded'")


def test_a_second_payment_of_a_paid_invoice_goes_back(world: World, api: Api, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    person, checkout, number = pending(world, circle, "decline_soft")
    world.pay(person, checkout)
    sql("UPDATE sandbox_charges SET state = 'succeeded', code = NULL WHERE number = :number", number=number)

    notify(api, world, clock, number=number).ok(200)
    world.run_billing("inbox", "refund")

    attempts = world.invoice(person, checkout["invoice_id"])["attempts"]
    assert [(one["status"], one["surplus"]) for one in attempts] == [("succeeded", True), ("succeeded", False)]
    assert sql("SELECT status, surplus FROM refunds") == [{"status": "succeeded", "surplus": True}]
    assert world.membership(person, circle)["status"] == "active"


def test_news_is_kept_until_the_provider_can_be_asked(
    world: World, api: Api, clock: ManualClock, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    person, _, number = pending(world, circle, "decline_soft")
    sql("UPDATE sandbox_charges SET state = 'succeeded', code = NULL")
    notify(api, world, clock, number=number).ok(200)
    with monkeypatch.context() as network:
        network.setattr(world.sandbox, "query", lambda *_: UNKNOWN)
        world.run_billing("inbox")
    assert world.membership(person, circle)["status"] == "pending"

    clock.advance(timedelta(minutes=3))
    world.run_billing("inbox")

    assert world.membership(person, circle)["status"] == "active"
