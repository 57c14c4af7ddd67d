"""The outbox: delivered once per key, tried again, never stopped by one poison message."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from circle.kernel import outbox
from circle.kernel.clock import ManualClock
from circle.kernel.ids import new_id
from circle.kernel.outbox import _CLAIM, BATCH, LEASE, MAX_ATTEMPTS, Announcement, DeliveryFailed, Message
from circle.kernel.uow import UnitOfWork, Units


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


def explained(uow: UnitOfWork, *, topics: list[str]) -> list[dict[str, Any]]:
    """Every node of the plan by which a batch is claimed, run for real."""
    values = {"named": topics, "others": False, "start": 0, "limit": BATCH, "now": uow.now, "until": uow.now}
    statement = f"EXPLAIN (ANALYZE, FORMAT JSON) {_CLAIM.sql}".encode()
    [(found,)] = psycopg.RawCursor(uow._driver()).execute(statement, _CLAIM.arguments(values)).fetchall()
    nodes, waiting = [], [found[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


def put_of(units: Units, circle_id: UUID | None, *keys: str, topic: str = "test") -> None:
    with units.write() as uow:
        outbox.put_many(uow, [Announcement(key, topic, {}, circle_id) for key in keys])


def flood(units: Units, circle_id: UUID, messages: int) -> None:
    put_of(units, circle_id, *(f"flood-{n}" for n in range(messages)))


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


def test_nobody_else_sends_what_waits_behind_slow_letters(units: Units, clock: ManualClock) -> None:
    """A server that takes half a minute a letter keeps a relay busy for longer than its lease; another relay looks."""
    outside, slow = Outside(), Outside()
    put(units, *(f"letter-{n}" for n in range(8)))

    def deliver(units: Units, message: Message) -> None:
        clock.advance(timedelta(seconds=31))
        assert outbox.relay(units, {"test": outside}) == 0
        slow(units, message)

    assert outbox.relay(units, {"test": deliver}) == 8

    assert (len(slow.arrived), len(set(slow.arrived)), outside.arrived) == (8, 8, [])


def test_a_relay_that_stood_still_leaves_the_rest_to_who_took_it(units: Units, clock: ManualClock) -> None:
    others, late = Outside(), Outside()
    put(units, "first", "second", "third")

    def deliver(units: Units, message: Message) -> None:
        late(units, message)
        clock.advance(LEASE + timedelta(seconds=1))
        assert outbox.relay(units, {"test": others}) == 3

    outbox.relay(units, {"test": deliver})

    assert (late.arrived, len(others.arrived)) == (["first"], 3)


def test_a_killed_relay_only_delays(units: Units, clock: ManualClock) -> None:
    outside = Outside()
    put(units, "a")
    with units.write() as uow:
        assert len(outbox.claim(uow, {"test"})) == 1  # and then the process died

    assert outbox.relay(units, {"test": outside}) == 0
    clock.advance(LEASE)

    assert outbox.relay(units, {"test": outside}) == 1


def test_circles_take_turns(units: Units) -> None:
    outside = Outside()
    flood(units, new_id(), 4 * BATCH)
    others = [f"other-{n}" for n in range(4)]
    for key in others:
        put_of(units, new_id(), key)

    assert outbox.relay(units, {"test": outside}) == BATCH // 5 + 4

    # Each had its first before any had its second.
    assert set(others) < set(outside.arrived[:5])


def test_more_circles_than_a_batch_all_have_their_turn(units: Units) -> None:
    outside = Outside()
    flood(units, new_id(), BATCH)
    others = {f"other-{n}" for n in range(BATCH + 10)}
    with units.write() as uow:
        outbox.put_many(uow, [Announcement(key, "test", {}, new_id()) for key in others])

    while batch := outbox.relay(units, {"test": outside}):
        assert batch <= BATCH

    assert len(outside.arrived) == len(set(outside.arrived)) == 2 * BATCH + 10
    assert others < set(outside.arrived)


def test_a_code_waits_for_no_circle(units: Units) -> None:
    outside = Outside()
    with units.write() as uow:
        mail = [Announcement(f"mail-{n}", "test", {}, new_id()) for n in range(2 * BATCH)]
        outbox.put_many(uow, mail)
    put_of(units, None, "code", topic="codes")

    outbox.relay(units, {"test": outside, "codes": outside})

    assert "code" in outside.arrived[:2]


def test_a_flood_elsewhere_holds_up_nobody_here(units: Units) -> None:
    outside, elsewhere = Outside(), Outside()
    with units.write() as uow:
        outbox.put_many(uow, [Announcement(f"hook-{n}", "hook", {}, new_id()) for n in range(3 * BATCH)])
    put(units, "mail")

    assert outbox.relay(units, {"test": outside}, elsewhere={"hook"}) == 1
    assert outbox.relay(units, {"hook": elsewhere}) == BATCH
    assert outside.arrived == ["mail"]


def test_what_comes_due_later_takes_its_turn_then(units: Units, clock: ManualClock) -> None:
    outside = Outside()
    with units.write() as uow:
        morning = uow.now + timedelta(hours=8)
        kept = [Announcement(f"night-{n}", "test", {}, new_id(), morning) for n in range(BATCH // 2)]
        outbox.put_many(uow, kept)
    put(units, "now")

    assert outbox.relay(units, {"test": outside}) == 1
    assert outbox.relay(units, {"test": outside}) == 0
    clock.advance(timedelta(hours=8))

    while outbox.relay(units, {"test": outside}):
        pass
    assert sorted(outside.arrived[1:]) == sorted(one.key for one in kept)


def test_a_message_of_the_release_before_is_delivered(units: Units, sql: Any) -> None:
    outside = Outside()
    sql(
        "INSERT INTO outbox (key, topic, payload, attempts, created_at, due_at)"
        " VALUES ('old', 'test', '{}', 0, now(), '2026-01-01')"
    )

    assert outbox.relay(units, {"test": outside}) == 1


def test_a_claim_hops_over_what_it_does_not_take(units: Units, sql: Any) -> None:
    """However many messages wait, and for however many circles some wait for tomorrow, a claim reads a batch."""
    sql("""
        INSERT INTO outbox (key, topic, payload, circle_id, attempts, created_at, due_at, turn)
        SELECT 'flood-' || n, 'test', '{}', '00000000-0000-7000-8000-000000000000', 0, now(), '2026-01-01', 1
        FROM generate_series(1, 1000) AS n
    """)
    sql("""
        INSERT INTO outbox (key, topic, payload, circle_id, attempts, created_at, due_at)
        SELECT 'later-' || n, 'test', '{}', gen_random_uuid(), 0, now(), '2027-01-01' FROM generate_series(1, 1000) AS n
    """)
    put_of(units, new_id(), "other")
    sql("ANALYZE outbox")

    with units.read() as uow:
        plan = explained(uow, topics=["test"])

    assert "Seq Scan" not in {node["Node Type"] for node in plan}
    read = [node for node in plan if node.get("Relation Name") == "outbox" and "Scan" in node["Node Type"]]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) < 3 * BATCH
    assert [node for node in read if node.get("Rows Removed by Filter", 0)] == []
