"""The sandbox's network and post: calls that get lost, webhooks that are dropped, doubled, late or out of order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from circle.billing.providers.sandbox_manners import Manners
from circle.config import SettingError, Settings
from circle.kernel.clock import ManualClock, elapsed
from tests.client import Api, World

ALWAYS = 100


@pytest.fixture(autouse=True)
def _well_mannered_again(world: World) -> Iterator[None]:
    yield
    world.sandbox.manners = Manners()


def charges(sql: Any) -> int:
    return int(sql("SELECT count(*) AS n FROM sandbox_charges WHERE state = 'succeeded'")[0]["n"])


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "server_error"])
def test_a_bad_network_costs_time_and_no_second_charge(world: World, clock: ManualClock, sql: Any, fault: str) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    world.sandbox.manners = Manners(faults={fault: ALWAYS})
    assert world.pay(person, checkout)["status"] == "processing"
    clock.advance(timedelta(minutes=3))
    world.run_billing("resolve")
    assert world.membership(person, circle)["status"] == "pending"

    world.sandbox.manners = Manners()
    clock.advance(timedelta(minutes=5))
    world.run_billing("resolve")

    assert world.membership(person, circle)["status"] == "active"
    assert charges(sql) == 1


def test_a_lost_request_never_arrived_and_a_lost_answer_did(world: World, sql: Any) -> None:
    circle = world.circle()

    for fault, arrived in (("lost_request", 0), ("lost_answer", 1)):
        person = world.person()
        checkout = world.checkout(person, circle)
        world.sandbox.manners = Manners(faults={fault: ALWAYS})
        world.pay(person, checkout)
        assert charges(sql) == arrived
        world.sandbox.manners = Manners()


def test_a_refund_over_a_bad_network_gives_back_once(world: World, clock: ManualClock, sql: Any) -> None:
    circle = world.circle()
    member = world.paying_member(circle)
    world.sandbox.manners = Manners(faults={"lost_answer": ALWAYS})
    world.refund(member, member.extra["invoice_id"]).ok(201)
    world.sandbox.manners = Manners()

    clock.advance(timedelta(minutes=3))
    world.run_billing("refund")

    assert world.invoice(member, member.extra["invoice_id"])["status"] == "refunded"
    assert sql("SELECT count(*) AS n FROM sandbox_refunds")[0]["n"] == 1


def test_a_dropped_webhook_is_never_delivered(world: World, api: Api) -> None:
    world.paying_member(world.circle())
    world.sandbox.manners = Manners(webhooks={"drop": ALWAYS})

    assert world.deliver_webhooks(api) == 0

    world.sandbox.manners = Manners()
    assert world.deliver_webhooks(api) == 0


def test_a_doubled_webhook_comes_twice_and_is_kept_once(world: World, api: Api, sql: Any) -> None:
    world.paying_member(world.circle())
    world.sandbox.manners = Manners(webhooks={"double": ALWAYS})

    assert world.deliver_webhooks(api) == 2

    assert sql("SELECT count(*) AS n FROM provider_events")[0]["n"] == 1


def test_a_delayed_webhook_comes_later(world: World, api: Api, clock: ManualClock, sql: Any) -> None:
    world.sandbox.manners = Manners(webhooks={"delay": 3600})
    circle = world.circle()
    for _ in range(3):
        world.paying_member(circle)
    sql("UPDATE sandbox_events SET due_at = created_at + interval '10 minutes'")

    assert world.deliver_webhooks(api) == 0
    clock.advance(timedelta(minutes=10))
    assert world.deliver_webhooks(api) == 3


def test_shuffled_webhooks_all_come() -> None:
    letters = list(range(50))

    brought, lost = Manners(webhooks={"shuffle": ALWAYS}).sort(letters)

    assert (sorted(brought), lost) == (letters, [])
    assert brought != letters


def test_an_answer_takes_its_time(world: World) -> None:
    circle, person = world.circle(), world.person()
    checkout = world.checkout(person, circle)
    world.sandbox.manners = Manners(latency_ms=50)

    began = elapsed()
    world.pay(person, checkout)

    assert elapsed() - began >= 0.05


def test_settings_say_how_bad_it_is(settings: Settings) -> None:
    there = replace(
        settings, sandbox_latency_ms=200, sandbox_faults="lost_request:5, lost_answer:7", sandbox_webhooks="delay:60"
    )
    there.check()

    assert Manners.of(there) == Manners(200, {"lost_request": 5, "lost_answer": 7}, {"delay": 60})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sandbox_faults": "lost:5"}, "SANDBOX_FAULTS"),
        ({"sandbox_faults": "lost_answer:-5"}, "SANDBOX_FAULTS"),
        ({"sandbox_faults": "lost_answer:101"}, "SANDBOX_FAULTS"),
        ({"sandbox_faults": "lost_answer:60,lost_request:60"}, "SANDBOX_FAULTS"),
        ({"sandbox_webhooks": "delay:3601"}, "SANDBOX_WEBHOOKS"),
        ({"sandbox_webhooks": "drop:1", "test_mode": False}, "TEST_MODE"),
        ({"sandbox_latency_ms": -1}, "SANDBOX_LATENCY_MS"),
        ({"payment_providers": "paypal"}, "PAYMENT_PROVIDERS"),
        ({"payment_providers": "stripe"}, "STRIPE_SECRET_KEY"),
        ({"stripe_secret_key": "pk_test_1"}, "STRIPE_SECRET_KEY"),
        ({"stripe_secret_key": "sk_test_1"}, "STRIPE_WEBHOOK_SECRET"),
        ({"stripe_secret_key": "sk_test_1", "payment_providers": "sandbox"}, "PAYMENT_PROVIDERS"),
        (
            {"stripe_secret_key": "sk_test_1", "stripe_webhook_secret": "whsec_1", "stripe_api_base": "ftp://x"},
            "STRIPE_API_BASE",
        ),
        (
            {
                "stripe_secret_key": "sk_live_1",
                "stripe_webhook_secret": "whsec_1",
                "stripe_api_base": "http://127.0.0.1:1",
                "test_mode": False,
            },
            "STRIPE_API_BASE",
        ),
        (
            {
                "stripe_secret_key": "rk_live_1",
                "stripe_webhook_secret": "whsec_1",
                "payment_providers": "sandbox,stripe",
                "test_mode": False,
            },
            "PAYMENT_PROVIDERS",
        ),
        ({"stripe_secret_key": "sk_live_1", "stripe_webhook_secret": "whsec_1"}, "TEST_MODE"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        replace(settings, **changes).check()


@pytest.mark.parametrize(
    ("changes", "providers"),
    [
        ({}, ("sandbox",)),
        ({"stripe_secret_key": "sk_test_1", "stripe_webhook_secret": "whsec_1"}, ("stripe",)),
        (
            {
                "stripe_secret_key": "sk_test_1",
                "stripe_webhook_secret": "whsec_1",
                "payment_providers": "sandbox, stripe",
            },
            ("sandbox", "stripe"),
        ),
    ],
)
def test_the_sandbox_gives_way_to_a_real_provider(
    settings: Settings, changes: dict[str, Any], providers: tuple[str, ...]
) -> None:
    there = replace(settings, **changes)
    there.check()

    assert there.providers == providers
