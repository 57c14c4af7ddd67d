"""The outbox: delivered once per key, tried again, never stopped by one poison message."""

from datetime import timedelta
from typing import Any

from circle.kernel import outbox
from circle.kernel.clock import ManualClock
from circle.kernel.outbox import LEASE, MAX_ATTEMPTS, DeliveryFailed, Message
from circle.kernel.uow import Units


class Outside:
    """A destination that remembers what arrived, and refuses or breaks on demand."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.refusing: set[str] = set()
        self.breaking: set[str] = set()

    def __call__(self, _units: Units, message: Message) -> None:
        if message.key in self.refusing:
            raise DeliveryFailed("busy")
        if message.key in self.breaking:
            raise ZeroDivisionError
        self.arrived.append(message.key)


def put(units: Units, *keys: str, due_in: timedelta = timedelta()) -> None:
    with units.write() as uow:
        for key in keys:
            outbox.put(uow, key=key, topic="test", payload={"secret": "x"}, due_at=uow.now + due_in)


def test_a_message_is_delivered_once_and_its_payload_forgotten(units: Units, sql: Any) -> None:
    outside = Outside()
    put(units, "a", "b")

    assert outbox.relay(units, {"test": outside}) == 2
    assert outbox.relay(units, {"test": outside}) == 0

    assert sorted(outside.arrived) == ["a", "b"]
    assert [row["payload"] for row in sql("SELECT payload FROM outbox")] == [{}, {}]


def test_a_message_waits_for_its_time(units: Units, clock: ManualClock) -> None:
    outside = Outside()
    put(units, "later", due_in=timedelta(hours=1))

    assert outbox.relay(units, {"test": outside}) == 0
    clock.advance(timedelta(hours=1))
    assert outbox.relay(units, {"test": outside}) == 1


def test_a_refused_message_is_tried_again_later(units: Units, clock: ManualClock, sql: Any) -> None:
    outside = Outside()
    outside.refusing = {"a"}
    put(units, "a")
    outbox.relay(units, {"test": outside})
    assert sql("SELECT error FROM outbox")[0]["error"] == "busy"

    outside.refusing = set()
    assert outbox.relay(units, {"test": outside}) == 0
    clock.advance(timedelta(seconds=10))

    assert outbox.relay(units, {"test": outside}) == 1
    assert outside.arrived == ["a"]


def test_a_poison_message_stops_nobody_and_is_seen(units: Units, sql: Any) -> None:
    outside = Outside()
    outside.breaking = {"poison"}
    put(units, *(f"good-{n}" for n in range(20)), "poison", *(f"fine-{n}" for n in range(20)))

    outbox.relay(units, {"test": outside})

    assert len(outside.arrived) == 40
    assert "ZeroDivisionError" in sql("SELECT error FROM outbox WHERE delivered_at IS NULL")[0]["error"]


def test_a_hopeless_message_is_given_up_visibly(units: Units, clock: ManualClock, sql: Any) -> None:
    outside = Outside()
    outside.refusing = {"a"}
    put(units, "a")

    for _ in range(MAX_ATTEMPTS + 3):
        outbox.relay(units, {"test": outside})
        clock.advance(timedelta(hours=6))

    row = sql("SELECT attempts, failed_at, error FROM outbox")[0]
    assert (row["attempts"], row["error"]) == (MAX_ATTEMPTS, "busy")
    assert row["failed_at"] is not None


def test_a_killed_relay_only_delays(units: Units, clock: ManualClock) -> None:
    outside = Outside()
    put(units, "a")
    with units.write() as uow:
        assert len(outbox.claim(uow, {"test"})) == 1  # and then the process died

    assert outbox.relay(units, {"test": outside}) == 0
    clock.advance(LEASE)

    assert outbox.relay(units, {"test": outside}) == 1
