"""One circle floods the outbox: how long others wait, and how much is held in memory meanwhile."""

import tracemalloc
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles

import pytest
from sqlalchemy import text

from circle.kernel import outbox
from circle.kernel.clock import ManualClock, elapsed
from circle.kernel.db import Query
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
# The mutant: whoever came first is first.
_OLDEST_FIRST = Query(
    lambda: text("""
        UPDATE outbox SET turn = NULL, due_at = :until, attempts = attempts + 1
        WHERE id = ANY(ARRAY(
            SELECT id FROM outbox WHERE turn IS NOT NULL AND due_at <= :now AND delivered_at IS NULL
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ))
        RETURNING 1 AS round, id, key, topic, payload, attempts, due_at AS held_until
    """)
)


@dataclass(frozen=True)
class Figures:
    """How long others waited (p95), the largest batch, the seconds of the slowest, and the bytes held at most."""

    p95: float
    largest: int
    slowest: float
    held: int


def announce(units: Units, messages: list[Announcement]) -> None:
    for first in range(0, len(messages), 1_000):
        with units.write() as uow:
            outbox.put_many(uow, messages[first : first + 1_000])


def flood(site: Site, messages: int, due_in: timedelta = timedelta(), *, quiet: int = QUIET) -> Figures:
    """Have one circle send so many messages, and others one now and then; look at how long those wait."""
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
        announce(units, [Announcement(f"flood-{n}", "mail", {}, flooding, START + due_in) for n in range(messages)])
        tomorrow = START + timedelta(days=1)
        announce(units, [Announcement(f"later-{n}", "mail", {}, new_id(), tomorrow) for n in range(quiet)])
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
    return Figures(quantiles(waited, n=20)[-1], largest, slowest, held)


@pytest.mark.parametrize("due_in", [timedelta(), timedelta(hours=8)], ids=["at once", "at the end of the night"])
def test_a_flood_of_one_circle_lets_the_others_through(site: Site, due_in: timedelta) -> None:
    seen = flood(site, FLOOD, due_in)

    print(  # noqa: T201 - the figure of the gate
        f"beside {FLOOD:,} messages of one circle {OTHERS} others waited {seen.p95:.2f} s (p95);"
        f" the slowest batch took {seen.slowest:.2f} s of its own, and {seen.held / 1024:.0f} KiB were held at most"
    )
    assert seen.p95 <= MOST_SECONDS
    assert seen.largest <= BATCH
    assert seen.held <= MOST_BYTES


def test_a_line_in_which_nobody_takes_turns_is_caught(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_CLAIM", _OLDEST_FIRST)

    assert flood(site, FLOOD // 50, quiet=0).p95 > MOST_SECONDS
