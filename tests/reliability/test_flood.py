"""One circle floods the outbox: how long others wait, and how much is held in memory meanwhile."""

import tracemalloc
from datetime import timedelta
from statistics import quantiles

import pytest

from circle.kernel import outbox
from circle.kernel.clock import ManualClock, elapsed
from circle.kernel.ids import new_id
from circle.kernel.outbox import BATCH, Announcement, Message
from circle.kernel.uow import Units
from tests.conftest import START
from tests.reliability.site import Site

pytestmark = pytest.mark.reliability

FLOOD = 100_000
# Circles that have a message for tomorrow, and those that send one now and then while the flood lasts.
QUIET, OTHERS = 10_000, 200
# What a mail server takes for a letter, and what others may wait at most.
DELIVERY = timedelta(milliseconds=20)
MOST_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024


def announce(units: Units, messages: list[Announcement]) -> None:
    for first in range(0, len(messages), 1_000):
        with units.write() as uow:
            outbox.put_many(uow, messages[first : first + 1_000])


@pytest.mark.parametrize("due_in", [timedelta(), timedelta(hours=8)], ids=["at once", "at the end of the night"])
def test_a_flood_of_one_circle_lets_the_others_through(site: Site, due_in: timedelta) -> None:
    clock, flooding = ManualClock(START), new_id()
    own: Units = site.app.extensions["circle"].units
    units = Units(own.connections, clock=clock, doorbell=own.doorbell, handlers={}, adapters=own.adapters)
    sent, waited, largest, slowest = dict[str, float](), list[float](), 0, 0.0
    began = elapsed()

    def relay() -> None:
        """Deliver a batch: what claiming it takes goes by for those who wait, as what the mail server takes."""
        nonlocal began, largest, slowest
        began = elapsed()
        largest = max(largest, outbox.relay(units, {"mail": deliver}))
        slowest = max(slowest, elapsed() - began)
        clock.advance(timedelta(seconds=elapsed() - began))

    def deliver(_units: Units, message: Message) -> None:
        clock.advance(DELIVERY)
        if message.key in sent:
            waited.append((clock.now() - START).total_seconds() + elapsed() - began - sent[message.key])

    with site.app.app_context():
        announce(units, [Announcement(f"flood-{n}", "mail", {}, flooding, START + due_in) for n in range(FLOOD)])
        tomorrow = START + timedelta(days=1)
        announce(units, [Announcement(f"later-{n}", "mail", {}, new_id(), tomorrow) for n in range(QUIET)])
        clock.advance(due_in)
        tracemalloc.start()
        for number in range(OTHERS):
            sent[f"other-{number}"] = (clock.now() - START).total_seconds()
            announce(units, [Announcement(f"other-{number}", "mail", {}, new_id())])
            if number % 5 == 0:
                relay()
        while len(waited) < OTHERS:
            relay()
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    p95 = quantiles(waited, n=20)[-1]
    print(  # noqa: T201 - the figure of the gate
        f"beside {FLOOD:,} messages of one circle {OTHERS} others waited {p95:.2f} s (p95);"
        f" the slowest batch took {slowest:.2f} s of its own, and {held / 1024:.0f} KiB were held at most"
    )
    assert p95 <= MOST_SECONDS
    assert largest <= BATCH
    assert held <= MOST_BYTES
