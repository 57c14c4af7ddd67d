"""Races of relays around the outbox."""

from collections import Counter
from threading import Lock

from circle.kernel import outbox
from circle.kernel.ids import new_id
from circle.kernel.outbox import Announcement, Message
from circle.kernel.uow import Units
from tests.concurrency.conftest import Race

RELAYS = 6


def test_relays_at_once_deliver_each_message_once(units: Units, race: Race) -> None:
    circles, counting = [new_id() for _ in range(30)], Lock()
    with units.write() as uow:
        flood = [Announcement(f"race-{circles[0]}-{n}", "race", {}, circles[0]) for n in range(400)]
        others = [Announcement(f"race-{one}", "race", {}, one) for one in circles[1:]]
        outbox.put_many(uow, flood + others)
    arrived: Counter[str] = Counter()

    def deliver(_units: Units, message: Message) -> None:
        with counting:
            arrived[message.key] += 1

    def relay() -> int:
        taken = 0
        while batch := outbox.relay(units, {"race": deliver}):
            taken += batch
        return taken

    results = race.many(RELAYS, lambda _: relay())

    outbox.relay(units, {"race": deliver})
    assert sum(results) <= len(flood) + len(others)
    assert set(arrived) == {one.key for one in flood + others}
    assert set(arrived.values()) == {1}
